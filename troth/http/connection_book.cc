#include <algorithm>
#include <numeric>

#include "troth/http/connection_book_internal.h"

namespace troth {

ConnectionBook::ConnectionBook(size_t threads, size_t most, size_t most_of_group)
    : most_(most), most_of_group_(most_of_group), threads_(threads) {}

size_t ConnectionBook::EmptiestThread() const {
  const auto emptiest = std::ranges::min_element(threads_, {}, [](const Thread& thread) {
    return thread.open.load(std::memory_order_relaxed);
  });
  return static_cast<size_t>(emptiest - threads_.begin());
}

std::optional<size_t> ConnectionBook::ThreadOfOldest() const {
  const auto since = [](const Thread& thread) {
    return thread.oldest_waiting.load(std::memory_order_relaxed);
  };
  const auto oldest = std::ranges::min_element(threads_, {}, since);
  if (since(*oldest) == kNobody) return std::nullopt;
  return static_cast<size_t>(oldest - threads_.begin());
}

ConnectionBook::Admission ConnectionBook::Admit(const std::string& group) {
  Admission admission{.thread = EmptiestThread()};
  if (open() >= most_) {
    admission = {.thread = ThreadOfOldest().value_or(admission.thread), .room = Room::kCloseOldest};
  }
  if (!group.empty()) {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint32_t>& counts = groups_[group];
    counts.resize(threads_.size());
    if (std::accumulate(counts.begin(), counts.end(), size_t{0}) >= most_of_group_) {
      const auto most = std::ranges::max_element(counts);
      admission = {.thread = static_cast<size_t>(most - counts.begin()),
                   .room = Room::kCloseOldestOfGroup};
    }
    ++counts[admission.thread];
  }
  threads_[admission.thread].open.fetch_add(1, std::memory_order_relaxed);
  open_.fetch_add(1, std::memory_order_relaxed);
  return admission;
}

void ConnectionBook::Leave(size_t thread, const std::string& group) {
  if (!group.empty()) {
    const std::lock_guard lock(mutex_);
    const auto counts = groups_.find(group);
    --counts->second[thread];
    if (std::ranges::all_of(counts->second, [](std::uint32_t count) { return count == 0; })) {
      groups_.erase(counts);
    }
  }
  threads_[thread].open.fetch_sub(1, std::memory_order_relaxed);
  open_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace troth
