// Refusals are counted one by one, and ledgered at a rate that nobody can fill a disk with.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/time.h"

namespace troth {

// Who was refused: somebody who proved nothing, or the holder of a certificate or token of ours, or
// an operator.
enum class Standing { kAnonymous, kKnown };

// Thread-safe.
class RefusalMeter {
 public:
  // Ledger entries a minute. The known have a budget of their own, which strangers cannot use up.
  static constexpr std::uint32_t kAnonymousPerMinute = 30, kKnownPerMinute = 300;

  void Count(Reason reason);
  // Whether this refusal goes into the ledger.
  bool Admit(Standing standing, Time now);
  // How many did not since the last call, when their minute is over; to be ledgered as one number.
  std::uint64_t TakeSkipped(Time now);
  std::map<std::string, std::uint64_t> Counts() const;

 private:
  struct Budget {
    Time began = {};
    std::uint32_t used = 0;
  };
  std::array<std::atomic<std::uint64_t>, static_cast<size_t>(Reason::kInternal) + 1> counts_ = {};
  std::mutex mutex_;
  std::array<Budget, 2> budgets_ = {};
  std::uint64_t skipped_ = 0;
  Time first_skipped_ = {};
};

}  // namespace troth
