// Memory for the bodies of requests that are being read, of all connections of a server together.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace troth {

// What one body takes of it; given back when it goes. For one thread at a time.
class BodyShare {
 public:
  // A body up to this size is let in whatever the others take: who sends what a server is for is
  // not refused because of those who send large ones slowly.
  static constexpr size_t kSmall = size_t{16} << 10;
  static constexpr size_t kMostOfAll = size_t{16} << 20;

  explicit BodyShare(std::shared_ptr<std::atomic<size_t>> all) : all_(std::move(all)) {}
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  ~BodyShare() { all_->fetch_sub(held_, std::memory_order_relaxed); }

  // False when there is no room for a body of so many bytes.
  bool GrowTo(size_t bytes) {
    if (bytes <= kSmall || bytes <= held_) return true;
    const size_t more = bytes - held_;
    if (all_->fetch_add(more, std::memory_order_relaxed) + more > kMostOfAll) {
      all_->fetch_sub(more, std::memory_order_relaxed);
      return false;
    }
    held_ = bytes;
    return true;
  }

 private:
  const std::shared_ptr<std::atomic<size_t>> all_;
  size_t held_ = 0;
};

}  // namespace troth
