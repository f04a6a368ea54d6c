#include <utility>

#include "troth/ca/refusal_meter_internal.h"

namespace troth {
namespace {

constexpr Seconds kMinute{60};

}  // namespace

void RefusalMeter::Count(Reason reason) {
  counts_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
}

bool RefusalMeter::Admit(Standing standing, Time now) {
  const std::uint32_t most =
      standing == Standing::kAnonymous ? kAnonymousPerMinute : kKnownPerMinute;
  const std::lock_guard lock(mutex_);
  Budget& budget = budgets_[static_cast<size_t>(standing)];
  if (now >= budget.began + kMinute || now < budget.began) budget = {.began = now};
  if (budget.used < most) {
    ++budget.used;
    return true;
  }
  if (skipped_++ == 0) first_skipped_ = now;
  return false;
}

std::uint64_t RefusalMeter::TakeSkipped(Time now) {
  const std::lock_guard lock(mutex_);
  if (skipped_ == 0 || now < first_skipped_ + kMinute) return 0;
  return std::exchange(skipped_, 0);
}

std::map<std::string, std::uint64_t> RefusalMeter::Counts() const {
  std::map<std::string, std::uint64_t> counts;
  for (const ReasonInfo& info : AllReasons()) {
    const std::uint64_t count =
        counts_[static_cast<size_t>(info.reason)].load(std::memory_order_relaxed);
    if (count != 0) counts.emplace(info.code, count);
  }
  return counts;
}

}  // namespace troth
