#include "troth/store/term_filter_internal.h"

#include <algorithm>

namespace troth {
namespace {

// A term is a good hash already; its top bits choose the line, and a mix of all of it the bits.
std::uint64_t BitsOf(std::uint64_t term) {
  term ^= term >> 29;
  return term * 0xbf58476d1ce4e5b9;
}

}  // namespace

TermFilter::TermFilter(std::uint64_t capacity)
    : words_((std::max<std::uint64_t>(capacity, 4096) + 63) / 64 * kLineWords) {}

size_t TermFilter::LineOf(std::uint64_t term) const {
  const std::uint64_t lines = words_.size() / kLineWords;
  __extension__ using Wide = unsigned __int128;
  return static_cast<size_t>(static_cast<std::uint64_t>((Wide{term} * lines) >> 64)) * kLineWords;
}

void TermFilter::Add(std::uint64_t term) {
  const size_t line = LineOf(term);
  std::uint64_t bits = BitsOf(term);
  for (int i = 0; i < kBits; ++i, bits >>= 9) {
    words_[line + (bits >> 6 & 7)].fetch_or(std::uint64_t{1} << (bits & 63),
                                            std::memory_order_relaxed);
  }
  added_.fetch_add(1, std::memory_order_relaxed);
}

bool TermFilter::MayHold(std::uint64_t term) const {
  const size_t line = LineOf(term);
  std::uint64_t bits = BitsOf(term);
  for (int i = 0; i < kBits; ++i, bits >>= 9) {
    const std::uint64_t word = words_[line + (bits >> 6 & 7)].load(std::memory_order_relaxed);
    if ((word >> (bits & 63) & 1) == 0) return false;
  }
  return true;
}

}  // namespace troth
