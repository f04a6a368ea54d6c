// How often a peer may call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troth {

struct RateLimit {
  double calls_per_second = 0;  // 0: no limit
  double burst = 0;             // calls that may come at once; 0: one second's worth
  bool operator==(const RateLimit&) const = default;
};

// A limit in the units that a bucket counts in.
struct RateSteps {
  std::int64_t step_ns = 0;       // time that one call uses up; 0: no limit
  std::int64_t tolerance_ns = 0;  // how far ahead of time a peer may be: burst steps
  static RateSteps Of(const RateLimit& limit);
};

// One peer's token bucket, kept as the time at which it is full again (the generic cell rate
// algorithm): one word, no timer, no lock.
class RateBucket {
 public:
  // Takes a token, or says that there is none. Thread-safe. `now_ns` never goes back by more than
  // clocks of different threads differ.
  bool Take(const RateSteps& steps, std::int64_t now_ns) {
    std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
    while (true) {
      const std::int64_t next = (full_at > now_ns ? full_at : now_ns) + steps.step_ns;
      if (next - now_ns > steps.tolerance_ns) return false;
      if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return true;
    }
  }
  bool IsFull(std::int64_t now_ns) const {
    return full_at_.load(std::memory_order_relaxed) <= now_ns;
  }

 private:
  std::atomic<std::int64_t> full_at_{0};
};

// The buckets of all peers. Thread-safe, bounded: when `capacity` peers have used tokens that have
// not come back yet, further ones share one bucket.
class RateBuckets {
 public:
  explicit RateBuckets(size_t capacity = size_t{1} << 16)
      : capacity_(capacity), sweep_at_(capacity < 1024 ? capacity : 1024) {}
  // The bucket of the peer known by `key`. It stays that peer's while anybody holds it.
  std::shared_ptr<RateBucket> Get(std::string_view key, std::int64_t now_ns);

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<RateBucket>> buckets_;  // guarded by mutex_
  size_t sweep_at_;            // entries; guarded by mutex_
  std::int64_t swept_ns_ = 0;  // guarded by mutex_
  const std::shared_ptr<RateBucket> shared_ = std::make_shared<RateBucket>();
};

}  // namespace troth
