#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

#include "troth/base/handshake_text.h"
#include "troth/base/reason.h"
#include "troth/http/server_log_internal.h"

namespace troth {
namespace {

using std::chrono::steady_clock;

// Lines that may wait: a second's worth of a busy server.
constexpr size_t kMostWaiting = 8192;
constexpr int kLinesPerSecond = 3;
constexpr std::chrono::seconds kWindow{1};
// Lines are gathered this long, so that a busy server does not wake a thread for each.
constexpr std::chrono::milliseconds kGather{10};
constexpr size_t kLongestWhy = 300;  // bytes

constexpr std::array<std::string_view, kDropKinds> kNames = {
    "handshake_failed",     "handshake_timeout",   "plain_http",     "not_tls",
    "request_malformed",    "request_timeout",     "answer_timeout", "made_room",
    "too_many_connections", "too_many_of_address", "no_descriptors", "reset"};

// A drop in the words of the table of reasons; without a reason where it is no failure that a peer
// could mend.
struct DropText {
  std::optional<Reason> reason;
  std::string error;
  std::string detail;  // what OpenSSL says
};

DropText TextOf(Drop drop, const std::string& why) {
  switch (drop) {
    case Drop::kHandshakeFailed:
      if (auto failure = ExplainHandshake(why)) {
        return {failure->reason, std::move(failure->message), why};
      }
      return {Reason::kHandshakeFailed, "the TLS handshake failed", why};
    case Drop::kHandshakeTimeout:
      return {Reason::kHandshakeFailed, "the client did not finish the TLS handshake in time", ""};
    case Drop::kPlainHttp:
    case Drop::kNotTls:
      return {Reason::kProtocolMismatch, why, ""};
    case Drop::kRequestTimeout:
      return {Reason::kRequestTimeout, std::string(InfoOf(Reason::kRequestTimeout).text), ""};
    case Drop::kAnswerTimeout:
      return {std::nullopt, "the client did not read its answer in time", ""};
    case Drop::kMadeRoom:
      return {std::nullopt, why.empty() ? "another connection needed its place" : why, ""};
    case Drop::kReset:
      // An alert behind the handshake is about the handshake still.
      if (why.find("alert") == std::string::npos) break;
      if (auto failure = ExplainHandshake(why)) {
        return {failure->reason, std::move(failure->message), why};
      }
      break;
    default:
      break;
  }
  return {std::nullopt, why, ""};
}

void WriteDrop(const std::string& server, Drop drop, const std::string& address,
               const std::string& why) {
  const DropText text = TextOf(drop, why);
  LogEntry entry{.level = LogLevel::kWarning,
                 .message = "connection dropped",
                 .fields = {{"server", server}, {"drop", std::string(NameOf(drop))}}};
  if (text.reason.has_value()) entry.fields.emplace_back("reason", CodeOf(*text.reason));
  entry.fields.emplace_back("address", address);
  if (!text.error.empty()) entry.fields.emplace_back("error", text.error);
  if (!text.detail.empty()) entry.fields.emplace_back("detail", text.detail);
  if (text.reason.has_value()) entry.fields.emplace_back("fix", InfoOf(*text.reason).fix);
  Log(entry);
}

}  // namespace

std::string_view NameOf(Drop drop) { return kNames[static_cast<size_t>(drop)]; }

ServerLog::ServerLog(std::string name) : name_(std::move(name)), thread_([this] { Run(); }) {}

ServerLog::~ServerLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ServerLog::Add(Request request) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.requests.size() >= kMostWaiting) {
      ++waiting_.lost;
      return;
    }
    first = waiting_.requests.empty();
    waiting_.requests.push_back(std::move(request));
  }
  if (first) changed_.notify_one();
}

void ServerLog::Add(Drop drop, std::string_view address, std::string_view why) {
  {
    const std::lock_guard lock(mutex_);
    Window& window = windows_[static_cast<size_t>(drop)];
    const auto now = steady_clock::now();
    if (now - window.begin >= kWindow) {
      waiting_.counted[static_cast<size_t>(drop)] += window.counted;
      window = {.begin = now};
    }
    if (window.logged == kLinesPerSecond) {
      if (++window.counted > 1) return;  // the thread waits for the window's end already
    } else {
      ++window.logged;
      waiting_.drops.push_back({.drop = drop,
                                .address = std::string(address),
                                .why = std::string(why.substr(0, kLongestWhy))});
    }
  }
  changed_.notify_one();
}

bool ServerLog::HasCounted() const {
  return std::ranges::any_of(windows_, [](const Window& window) { return window.counted > 0; });
}

ServerLog::Batch ServerLog::Take(bool all) {
  const auto now = steady_clock::now();
  for (size_t i = 0; i < kDropKinds; ++i) {
    if (!all && now - windows_[i].begin < kWindow) continue;
    waiting_.counted[i] += std::exchange(windows_[i].counted, 0);
  }
  return std::exchange(waiting_, {});
}

void ServerLog::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto something = [this] {
      return stopping_ || !waiting_.requests.empty() || !waiting_.drops.empty();
    };
    // Counts are told when their second is over, also when nothing else comes.
    if (HasCounted()) {
      changed_.wait_for(lock, kWindow / 4, something);
    } else {
      changed_.wait(lock, [&] { return something() || HasCounted(); });
    }
    changed_.wait_for(lock, kGather, [this] { return stopping_; });
    const bool last = stopping_;
    const Batch batch = Take(last);
    lock.unlock();
    Write(batch);
    if (last) return;
    lock.lock();
  }
}

void ServerLog::Write(const Batch& batch) const {
  for (const Request& request : batch.requests) {
    std::array<char, 32> ms{};
    std::snprintf(ms.data(), ms.size(), "%.3f",
                  std::chrono::duration<double, std::milli>(request.took).count());
    Log(LogLevel::kInfo, "request",
        {{"server", name_},
         {"method", request.method},
         {"path", request.path},
         {"status", std::to_string(request.status)},
         {"bytes", std::to_string(request.bytes)},
         {"ms", ms.data()},
         {"peer", request.peer == nullptr ? "anonymous" : request.peer->Describe()},
         {"address", request.address}});
  }
  if (batch.lost > 0) {
    Log(LogLevel::kWarning, "requests that were answered and not logged: the log is too slow",
        {{"server", name_}, {"count", std::to_string(batch.lost)}});
  }
  for (const Dropped& dropped : batch.drops) {
    WriteDrop(name_, dropped.drop, dropped.address, dropped.why);
  }
  for (size_t i = 0; i < kDropKinds; ++i) {
    if (batch.counted[i] == 0) continue;
    Log(LogLevel::kWarning, "more connections dropped",
        {{"server", name_}, {"drop", kNames[i]}, {"count", std::to_string(batch.counted[i])}});
  }
}

}  // namespace troth
