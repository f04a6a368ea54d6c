#include "troth/server/native/remote_listener.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <list>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"

namespace troth::native {
namespace {

using std::chrono::steady_clock;

// So many at a time, before those that ended are looked at.
constexpr int kBatch = 64;
constexpr int kPauseMs = 50;
constexpr std::chrono::seconds kBetweenLines{1};

absl::Status Failed(const char* step) {
  return MakeError(Reason::kConnectionFailed, std::string("cannot listen for gRPC: ") + step +
                                                  ": " + std::generic_category().message(errno));
}

// Connections that are open. Each is held by a second descriptor, by which it can be shut down and
// its end be seen, whatever gRPC does with the first.
class OpenConnections {
 public:
  explicit OpenConnections(int epoll) : epoll_(epoll) {}
  OpenConnections(const OpenConnections&) = delete;
  OpenConnections& operator=(const OpenConnections&) = delete;
  ~OpenConnections() {
    while (!all_.empty()) Forget(&all_.front());
  }

  size_t size() const { return all_.size(); }

  // False when there is no descriptor for it.
  bool Add(const Arrival& arrival) {
    Descriptor twin(fcntl(arrival.descriptor.number(), F_DUPFD_CLOEXEC, 0));
    if (twin.number() < 0) return false;
    all_.push_back({.twin = std::move(twin), .group = counts_.try_emplace(arrival.group).first});
    all_.back().place = std::prev(all_.end());
    epoll_event event{.events = EPOLLRDHUP, .data = {.ptr = &all_.back()}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, all_.back().twin.number(), &event) != 0) {
      if (all_.back().group->second == 0) counts_.erase(all_.back().group);
      all_.pop_back();
      return false;
    }
    ++all_.back().group->second;
    return true;
  }

  // `connection`: of an epoll event. It has ended, or is about to.
  void Forget(void* connection) {
    auto* const ended = static_cast<Connection*>(connection);
    // Before it is closed: the first descriptor would keep it in the set.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, ended->twin.number(), nullptr);
    if (--ended->group->second == 0) counts_.erase(ended->group);
    all_.erase(ended->place);
  }

  // False when there are none.
  bool CloseOldestOfMost() {
    const auto most = std::ranges::max_element(
        counts_, {}, [](const auto& group_and_count) { return group_and_count.second; });
    if (most == counts_.end()) return false;
    const auto oldest =
        std::ranges::find_if(all_, [&](const Connection& each) { return each.group == most; });
    shutdown(oldest->twin.number(), SHUT_RDWR);
    Forget(&*oldest);
    return true;
  }

 private:
  using Counts = std::map<std::string, size_t>;
  struct Connection {
    Descriptor twin;
    Counts::iterator group;
    std::list<Connection>::iterator place = {};
  };

  const int epoll_;
  std::list<Connection> all_;  // the oldest first
  Counts counts_;              // by group
};

class Listener final : public RemoteListener {
 public:
  Listener(const RemoteListenerOptions& options, ListenSocket socket, Accepted accepted)
      : most_(options.connections), socket_(std::move(socket)), accepted_(std::move(accepted)) {}

  ~Listener() override {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    while (write(stop_.number(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_.join();
  }

  absl::Status Begin() {
    stop_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (stop_.number() < 0) return Failed("eventfd");
    epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    if (epoll_.number() < 0) return Failed("epoll_create1");
    if (!Watch(stop_.number(), &stop_) || !Watch(socket_.descriptor(), &socket_)) {
      return Failed("epoll_ctl");
    }
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  std::uint16_t port() const override { return socket_.port(); }

 private:
  bool Watch(int descriptor, void* tag) const {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = tag}};
    return epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) == 0;
  }

  void Run() {
    OpenConnections open(epoll_.number());
    std::array<epoll_event, kBatch> events;
    for (;;) {
      const int count =
          epoll_wait(epoll_.number(), events.data(), kBatch, TellDropped() ? 1000 : -1);
      if (count < 0 && errno != EINTR) return;
      bool arrived = false;
      for (int i = 0; i < count; ++i) {
        void* const what = events[static_cast<size_t>(i)].data.ptr;
        if (what == &stop_) return;
        if (what == &socket_) {
          arrived = true;
        } else {
          open.Forget(what);
        }
      }
      if (arrived) AcceptSome(open);
    }
  }

  void AcceptSome(OpenConnections& open) {
    for (int i = 0; i < kBatch; ++i) {
      if (i > 0 && open.size() >= most_) return;  // some may have ended: look before one is closed
      int error = 0;
      Arrival arrival = Accept(socket_.descriptor(), error);
      if (error == EAGAIN || error == EWOULDBLOCK) return;
      const bool is_short =
          error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
      if (error != 0 && !is_short) continue;  // of that one client alone: see accept(2)
      if (is_short || arrival.descriptor.number() >= first_for_files_ || open.size() >= most_) {
        if (open.CloseOldestOfMost()) ++dropped_;
      }
      if (error == 0 && open.Add(arrival)) {
        accepted_(std::move(arrival.descriptor));
        continue;
      }
      // The others wait in the kernel. Time for gRPC to close what was shut down.
      if (error == 0) ++dropped_;
      pollfd stop{.fd = stop_.number(), .events = POLLIN, .revents = 0};
      poll(&stop, 1, kPauseMs);
      return;
    }
  }

  // Whether something is left to tell.
  bool TellDropped() {
    if (dropped_ == 0) return false;
    const auto now = steady_clock::now();
    if (now - told_ < kBetweenLines) return true;
    told_ = now;
    Log(LogLevel::kWarning, "gRPC connections dropped to make room for others",
        {{"address", socket_.address()}, {"count", std::to_string(std::exchange(dropped_, 0))}});
    return false;
  }

  const size_t most_;
  const int first_for_files_ = FirstDescriptorForFiles();
  ListenSocket socket_;
  const Accepted accepted_;
  Descriptor stop_, epoll_;
  std::uint64_t dropped_ = 0;  // and not told
  steady_clock::time_point told_{};
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteListener>> RemoteListener::Start(
    const RemoteListenerOptions& options, Accepted accepted) {
  auto socket = ListenSocket::Open(options.listen);
  if (!socket.ok()) return socket.status();
  auto listener = std::make_unique<Listener>(options, *std::move(socket), std::move(accepted));
  if (absl::Status status = listener->Begin(); !status.ok()) return status;
  return listener;
}

}  // namespace troth::native
