// The states of a request and the moves between them.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

enum class RequestState { kPending, kApproved, kRejected, kExpired };

// "pending", "approved", "rejected", "expired".
std::string_view NameOf(RequestState state);
std::optional<RequestState> RequestStateFromName(std::string_view name);

enum class RequestMove {
  kApprove,  // an operator or a rule says yes: a certificate is issued
  kReject,   // an operator says no
  kExpire,   // nobody decided in time
  kRenew,    // the holder, or a refresh, asks for a newer certificate
  kResend,   // the same request is sent again
  kAskAnew,  // likewise, after its certificate has ended
};
std::string_view NameOf(RequestMove move);

// One allowed move. Whatever is not in the table is refused.
struct AllowedMove {
  RequestState from;
  RequestMove move;
  RequestState to;
};
std::span<const AllowedMove> AllowedMoves();

// The state after `move`. Errors: request_state, which says what is allowed from here.
absl::StatusOr<RequestState> Move(RequestState from, RequestMove move);

}  // namespace troth
