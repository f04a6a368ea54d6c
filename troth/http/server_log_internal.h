// What a server says of its work. Never blocks the threads that do the work: lines are handed to a
// thread of the log, and when that falls behind, they are counted in place of kept.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "troth/authz/peer.h"
#include "troth/base/log.h"

namespace troth {

// Why a connection was dropped before its end.
enum class Drop {
  kHandshakeFailed,
  kHandshakeTimeout,
  kPlainHttp,         // on a TLS port
  kNotTls,            // nor anything else
  kRequestMalformed,  // answered, then closed
  kRequestTimeout,
  kAnswerTimeout,
  kMadeRoom,  // idle or half open, and another came
  kTooManyConnections,
  kTooManyOfAddress,
  kNoDescriptors,
  kReset,  // the client went in the middle of a request or an answer
};
inline constexpr size_t kDropKinds = static_cast<size_t>(Drop::kReset) + 1;
// "handshake_failed".
std::string_view NameOf(Drop drop);

class ServerLog {
 public:
  struct Request {
    std::string method = {}, path = {}, address = {};
    std::shared_ptr<const Peer> peer = {};
    int status = 0;
    std::uint64_t bytes = 0;  // of the answer's body
    std::chrono::nanoseconds took{0};
  };

  // `name` stands in every line.
  explicit ServerLog(std::string name);
  // Logs what is left.
  ~ServerLog();
  ServerLog(const ServerLog&) = delete;
  ServerLog& operator=(const ServerLog&) = delete;

  void Add(Request request);
  // The first few of a kind in a second are logged one by one, the rest are counted.
  void Add(Drop drop, std::string_view address, std::string_view why = {});

 private:
  struct Dropped {
    Drop drop;
    std::string address, why;
  };
  // Drops of one kind within a second.
  struct Window {
    std::chrono::steady_clock::time_point begin = {};
    int logged = 0;
    std::uint64_t counted = 0;
  };
  struct Batch {
    std::vector<Request> requests;
    std::vector<Dropped> drops;
    std::uint64_t lost = 0;
    std::array<std::uint64_t, kDropKinds> counted{};
  };
  void Run();
  // What waits, with the counts of the windows that are over, or of all.
  Batch Take(bool all);
  void Write(const Batch& batch) const;
  bool HasCounted() const;

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch waiting_;                             // guarded by mutex_
  std::array<Window, kDropKinds> windows_{};  // guarded by mutex_
  bool stopping_ = false;                     // guarded by mutex_
  std::thread thread_;
};

}  // namespace troth
