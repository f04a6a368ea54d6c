#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "troth/http/worker_internal.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Deadlines are looked at in this rhythm: an eighth of the shortest, at least four times a second.
milliseconds RhythmOf(const HttpLimits& limits) {
  const milliseconds shortest =
      std::min({limits.handshake, limits.request, limits.answer, limits.idle});
  return std::clamp(shortest / 8, milliseconds(5), milliseconds(250));
}

}  // namespace

// Others may post to the context; its sockets are touched by its own thread alone, and need no
// lock.
Worker::Worker(ServerCore& core, size_t number)
    : core_(core),
      number_(number),
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(boost::asio::make_work_guard(context_)),
      timer_(context_),
      tidy_every_(RhythmOf(core.options.limits)),
      mailbox_(std::make_shared<Mailbox>(
          [this] { boost::asio::post(context_, [this] { ReadMail(); }); })) {}

void Worker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::Run() {
  Mailbox::OfThisThread() = mailbox_.get();
  context_.run();
}

std::string_view Worker::date() {
  const Time now = core_.options.clock->Now();
  if (date_.empty() || now != date_time_) {
    date_ = FormatHttpTime(now);
    date_time_ = now;
  }
  return date_;
}

void Worker::ReadMail() {
  for (Message& message : mailbox_->TakeAll()) {
    std::visit([this](auto& content) { Take(std::move(content)); }, message);
  }
}

void Worker::Take(NewConnection message) {
  const std::string group = message.arrival.group;
  using Room = ConnectionBook::Room;
  const bool has_room =
      !draining_ && (message.room == Room::kThere ||
                     MakeRoom(message.room == Room::kCloseOldestOfGroup ? &group : nullptr));
  if (!has_room) {
    if (!draining_) {
      core_.refused.fetch_add(1, std::memory_order_relaxed);
      core_.log.Add(message.room == Room::kCloseOldestOfGroup ? Drop::kTooManyOfAddress
                                                              : Drop::kTooManyConnections,
                    message.arrival.address);
    }
    Leave(group);
    return;
  }
  auto connection = std::make_shared<Connection>(*this, std::move(message.arrival));
  connection->place.in_all = all_.insert(all_.end(), connection);
  connection->place.in_list = busy_.insert(busy_.end(), connection.get());
  BeginWaiting(*connection, steady_clock::now());
  connection->Start();
  if (!timer_runs_) Tidy();
}

void Worker::Take(Answer message) {
  if (message.exchange->connection == nullptr) return;  // its client has gone
  const std::shared_ptr<Connection> connection = message.exchange->connection->shared_from_this();
  connection->OnAnswer(std::move(message.response));
}

void Worker::Take(Order order) {
  if (order == Order::kCloseOldest) {
    MakeRoom(nullptr);
    return;
  }
  draining_ = true;
  const std::vector<std::shared_ptr<Connection>> all(all_.begin(), all_.end());
  for (const std::shared_ptr<Connection>& connection : all) {
    if (order == Order::kStop) {
      connection->Close();
    } else {
      connection->Drain();
    }
  }
  if (order == Order::kStop) {
    mailbox_->Close();
    timer_.cancel();
    work_.reset();
  }
}

void Worker::Leave(const std::string& group) {
  core_.book.Leave(number_, group);
  if (!draining_) return;
  const std::lock_guard lock(core_.mutex);
  core_.gone.notify_all();
}

void Worker::Remove(Connection& connection) {
  EndWaiting(connection);
  busy_.erase(connection.place.in_list);
  const std::shared_ptr<Connection> last = std::move(*connection.place.in_all);
  all_.erase(last->place.in_all);
  Leave(last->group());
}

void Worker::BeginWaiting(Connection& connection, Connection::Instant now) {
  EndWaiting(connection);
  waiting_.splice(waiting_.end(), busy_, connection.place.in_list);
  connection.place.waits = true;
  connection.place.waiting_since = now;
  if (waiting_.size() == 1) TellOldest();
}

void Worker::EndWaiting(Connection& connection) {
  if (!connection.place.waits) return;
  const bool was_oldest = connection.place.in_list == waiting_.begin();
  busy_.splice(busy_.end(), waiting_, connection.place.in_list);
  connection.place.waits = false;
  if (was_oldest) TellOldest();
}

void Worker::TellOldest() {
  core_.book.SetOldestWaiting(
      number_, waiting_.empty() ? ConnectionBook::kNobody
                                : waiting_.front()->place.waiting_since.time_since_epoch().count());
}

bool Worker::MakeRoom(const std::string* group) {
  const auto found = std::ranges::find_if(waiting_, [&](const Connection* connection) {
    return group == nullptr || connection->group() == *group;
  });
  if (found == waiting_.end()) return false;
  const std::shared_ptr<Connection> connection = (*found)->shared_from_this();
  connection->MakeRoom();
  return true;
}

void Worker::Tidy() {
  const auto now = steady_clock::now();
  std::vector<std::shared_ptr<Connection>> late;
  for (const std::shared_ptr<Connection>& connection : all_) {
    if (connection->deadline() <= now) late.push_back(connection);
  }
  for (const std::shared_ptr<Connection>& connection : late) connection->OnDeadline();
  // An empty server sleeps.
  timer_runs_ = !all_.empty();
  if (!timer_runs_) return;
  timer_.expires_after(tidy_every_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Tidy();
  });
}

}  // namespace troth
