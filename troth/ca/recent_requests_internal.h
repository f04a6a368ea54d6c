// Which requests were sent in the last hour, about: spares nearly every request a look into the
// store.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "troth/base/time.h"
#include "troth/pki/digest.h"

namespace troth {

// Two Bloom filters, each for one period: a request that was noted within the last period is always
// known; one that was not is taken for known rarely (under 1% at a million an hour). Never grows.
// Thread-safe.
class RecentRequests {
 public:
  static constexpr Seconds kPeriod = std::chrono::hours(1);

  RecentRequests();
  // Notes the request. True when it may have been noted before.
  bool Note(const Sha256Digest& request, Time now);

 private:
  static constexpr size_t kBits = size_t{1} << 24;  // 2 MiB
  using Filter = std::vector<std::uint64_t>;

  std::mutex mutex_;
  Filter present_, previous_;
  Time began_ = {};
};

}  // namespace troth
