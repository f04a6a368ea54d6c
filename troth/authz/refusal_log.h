// What the server's log says about refused calls: everything, but not every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "troth/base/reason.h"
#include "troth/base/time.h"

namespace troth {

struct RefusedCall {
  std::string_view peer, address, method, rule, required, message;
  Reason reason = Reason::kInternal;
  bool shadow = false;
};

// Logs the same peer's refusals for the same reason at most once a second, with the number that
// were left out since, and at most kLinesPerSecond lines in all. Thread-safe, bounded.
class RefusalLog {
 public:
  static constexpr int kLinesPerSecond = 100;
  static constexpr size_t kRemembered = 4096;

  // `peer_key` tells peers apart better than their names.
  void Write(std::string_view peer_key, const RefusedCall& call, Time now);

 private:
  struct Seen {
    Time logged;
    std::uint64_t left_out = 0;
  };
  // How many to mention with the next line of this key; nothing when there is to be no line now.
  bool MayWrite(const std::string& key, Time now, std::uint64_t& left_out);

  std::mutex mutex_;
  std::unordered_map<std::string, Seen> seen_;  // guarded by mutex_, as all below
  Time second_{};
  int lines_ = 0;
  std::uint64_t left_out_elsewhere_ = 0;  // whose key is forgotten
};

}  // namespace troth
