// The states of an enrolment, as its client sees them, and the moves between them.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

enum class EnrollState {
  kStart,        // no key, or a key without a request
  kRequestMade,  // key and request are there; nothing has been sent
  kWaiting,      // the request was sent, or may have been: the authority has to decide
  kEnrolled,     // there is a certificate, and it is not due yet
  kDue,          // there is a certificate, and it is time for the next one
  kRejected,     // the authority has said no to this request
};

// "start", "request_made", "waiting", "enrolled", "due", "rejected".
std::string_view NameOf(EnrollState state);

enum class EnrollMove {
  kMakeRequest,  // key and request are made
  kAccept,       // the authority took the request and has not decided
  kIssue,        // the authority answered a certificate
  kForget,       // the authority does not know the request (any more)
  kReject,       // the authority said no
  kComeDue,      // a good part of the certificate's lifetime is over
  kExpire,       // the certificate is no longer valid
  kStartOver,    // key and request are given up
};
std::string_view NameOf(EnrollMove move);

// One allowed move. Whatever is not in the table is refused.
struct AllowedEnrollMove {
  EnrollState from;
  EnrollMove move;
  EnrollState to;
};
std::span<const AllowedEnrollMove> AllowedEnrollMoves();

// The state after `move`. Errors: request_state, which says what is allowed from here.
absl::StatusOr<EnrollState> Move(EnrollState from, EnrollMove move);

}  // namespace troth
