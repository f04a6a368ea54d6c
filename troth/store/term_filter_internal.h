// Says of most terms that no certificate in the segments has them, without reading any.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace troth {

// A Bloom filter in cache lines: a byte a term, one line a question, about one answer in forty a
// false "may". Any number of threads may add and ask; an addition is seen by whoever learns of it
// by other means (the commit that it came before).
class TermFilter {
 public:
  explicit TermFilter(std::uint64_t capacity);

  void Add(std::uint64_t term);
  bool MayHold(std::uint64_t term) const;
  std::uint64_t capacity() const { return words_.size() * 8; }
  // Beyond its capacity a filter goes on working, with more false answers.
  std::uint64_t added() const { return added_.load(std::memory_order_relaxed); }

 private:
  // The words of a term's line, and its bits: six of 512.
  static constexpr size_t kLineWords = 8;
  static constexpr int kBits = 6;
  size_t LineOf(std::uint64_t term) const;

  std::vector<std::atomic<std::uint64_t>> words_;
  std::atomic<std::uint64_t> added_ = 0;
};

}  // namespace troth
