#include "troth/authz/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace troth {

RateSteps RateSteps::Of(const RateLimit& limit) {
  if (!(limit.calls_per_second > 0)) return {};
  constexpr double kLongest = 86400e9 * 365;  // keeps sums of a few of them within 64 bits
  const double step = std::clamp(1e9 / limit.calls_per_second, 1.0, kLongest);
  const double burst = std::max(1.0, limit.burst > 0 ? limit.burst : limit.calls_per_second);
  return {.step_ns = std::llround(step),
          .tolerance_ns = std::llround(std::min(std::round(step) * burst, kLongest * 10))};
}

std::shared_ptr<RateBucket> RateBuckets::Get(std::string_view key, std::int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const std::string name(key);
  if (const auto known = buckets_.find(name); known != buckets_.end()) return known->second;
  // At most once a second, for somebody who opens connections faster than buckets refill would make
  // every call sweep.
  if (buckets_.size() >= sweep_at_ && (swept_ns_ == 0 || now_ns - swept_ns_ >= 1'000'000'000)) {
    swept_ns_ = now_ns;
    // A full bucket that nobody holds is as good as a new one.
    std::erase_if(buckets_, [&](const auto& entry) {
      return entry.second.use_count() == 1 && entry.second->IsFull(now_ns);
    });
    sweep_at_ = std::min(capacity_, std::max<size_t>(1024, buckets_.size() * 2));
  }
  if (buckets_.size() >= capacity_) return shared_;
  return buckets_.emplace(name, std::make_shared<RateBucket>()).first->second;
}

}  // namespace troth
