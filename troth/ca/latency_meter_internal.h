// How long issuing takes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "troth/ca/authority.h"

namespace troth {

// Thread-safe.
class LatencyMeter {
 public:
  void Add(std::chrono::nanoseconds took) {
    const double seconds = std::chrono::duration<double>(took).count();
    const auto* const bound = std::ranges::lower_bound(LatencyHistogram::kBounds, seconds);
    counts_[static_cast<size_t>(bound - LatencyHistogram::kBounds.begin())].fetch_add(
        1, std::memory_order_relaxed);
    nanoseconds_.fetch_add(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
  }
  LatencyHistogram Read() const {
    LatencyHistogram histogram;
    for (size_t i = 0; i < counts_.size(); ++i) histogram.counts[i] = counts_[i];
    histogram.sum_seconds = static_cast<double>(nanoseconds_) * 1e-9;
    return histogram;
  }

 private:
  std::array<std::atomic<std::uint64_t>, LatencyHistogram::kBounds.size() + 1> counts_ = {};
  std::atomic<std::uint64_t> nanoseconds_ = 0;
};

}  // namespace troth
