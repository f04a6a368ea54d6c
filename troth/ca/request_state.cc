#include "troth/ca/request_state.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "troth/base/reason.h"

namespace troth {
namespace {

using enum RequestState;

// A rejected request stays rejected: who was refused makes a new key. An approved one can still be
// rejected, which ends its renewals.
constexpr std::array kMoves = {
    AllowedMove{kPending, RequestMove::kApprove, kApproved},
    AllowedMove{kPending, RequestMove::kReject, kRejected},
    AllowedMove{kPending, RequestMove::kExpire, kExpired},
    AllowedMove{kPending, RequestMove::kResend, kPending},
    AllowedMove{kApproved, RequestMove::kRenew, kApproved},
    AllowedMove{kApproved, RequestMove::kReject, kRejected},
    AllowedMove{kApproved, RequestMove::kResend, kApproved},
    AllowedMove{kApproved, RequestMove::kAskAnew, kPending},
    AllowedMove{kRejected, RequestMove::kResend, kRejected},
    AllowedMove{kExpired, RequestMove::kResend, kPending},
};

constexpr bool HasOneAnswerEach() {
  for (size_t i = 0; i < kMoves.size(); ++i) {
    for (size_t j = i + 1; j < kMoves.size(); ++j) {
      if (kMoves[i].from == kMoves[j].from && kMoves[i].move == kMoves[j].move) return false;
    }
  }
  return true;
}
static_assert(HasOneAnswerEach());

constexpr std::array<std::string_view, 4> kStateNames = {"pending", "approved", "rejected",
                                                         "expired"};
constexpr std::array<std::string_view, 6> kMoveNames = {"approve", "reject", "expire",
                                                        "renew",   "resend", "ask anew"};

}  // namespace

std::string_view NameOf(RequestState state) { return kStateNames[static_cast<size_t>(state)]; }

std::optional<RequestState> RequestStateFromName(std::string_view name) {
  const auto* const found = std::ranges::find(kStateNames, name);
  if (found == kStateNames.end()) return std::nullopt;
  return static_cast<RequestState>(found - kStateNames.begin());
}

std::string_view NameOf(RequestMove move) { return kMoveNames[static_cast<size_t>(move)]; }

std::span<const AllowedMove> AllowedMoves() { return kMoves; }

absl::StatusOr<RequestState> Move(RequestState from, RequestMove move) {
  std::string allowed;
  for (const AllowedMove& row : kMoves) {
    if (row.from != from) continue;
    if (row.move == move) return row.to;
    allowed += (allowed.empty() ? "" : ", ") + std::string(NameOf(row.move));
  }
  return MakeError(Reason::kRequestState, "the request is " + std::string(NameOf(from)) +
                                              ", which allows only: " + allowed + "; got " +
                                              std::string(NameOf(move)));
}

}  // namespace troth
