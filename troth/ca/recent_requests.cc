#include <algorithm>
#include <array>
#include <cstring>

#include "troth/ca/recent_requests_internal.h"

namespace troth {
namespace {

constexpr size_t kHashes = 4;
constexpr size_t kWordBits = 64;

}  // namespace

RecentRequests::RecentRequests() : present_(kBits / kWordBits), previous_(kBits / kWordBits) {}

bool RecentRequests::Note(const Sha256Digest& request, Time now) {
  // A SHA-256 is as good as four independent hashes of 64 bits.
  std::array<std::uint64_t, kHashes> hashes;
  static_assert(sizeof(hashes) == sizeof(request));
  std::memcpy(hashes.data(), request.data(), sizeof(hashes));

  const std::lock_guard lock(mutex_);
  if (now >= began_ + kPeriod || now < began_) {
    previous_.swap(present_);
    std::ranges::fill(present_, 0);
    if (now >= began_ + 2 * kPeriod) std::ranges::fill(previous_, 0);
    began_ = now;
  }
  bool in_present = true;
  bool in_previous = true;
  for (const std::uint64_t hash : hashes) {
    const size_t bit = hash % kBits;
    const std::uint64_t mask = std::uint64_t{1} << bit % kWordBits;
    in_present = in_present && (present_[bit / kWordBits] & mask) != 0;
    in_previous = in_previous && (previous_[bit / kWordBits] & mask) != 0;
    present_[bit / kWordBits] |= mask;
  }
  return in_present || in_previous;
}

}  // namespace troth
