#include "troth/enroll/enroll_state.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using State = EnrollState;
using enum EnrollMove;

constexpr auto kMoves = std::to_array<AllowedEnrollMove>({
    {State::kStart, kMakeRequest, State::kRequestMade},

    {State::kRequestMade, kAccept, State::kWaiting},
    {State::kRequestMade, kIssue, State::kEnrolled},
    {State::kRequestMade, kReject, State::kRejected},
    {State::kRequestMade, kStartOver, State::kStart},

    {State::kWaiting, kAccept, State::kWaiting},
    {State::kWaiting, kIssue, State::kEnrolled},
    {State::kWaiting, kForget, State::kRequestMade},
    {State::kWaiting, kReject, State::kRejected},
    {State::kWaiting, kStartOver, State::kStart},

    // An authority that signs anew by itself is asked for what is newer; it may also have put the
    // request back among those that wait, or lost it.
    {State::kEnrolled, kIssue, State::kEnrolled},
    {State::kEnrolled, kAccept, State::kWaiting},
    {State::kEnrolled, kForget, State::kRequestMade},
    {State::kEnrolled, kReject, State::kRejected},
    {State::kEnrolled, kComeDue, State::kDue},

    {State::kDue, kIssue, State::kEnrolled},
    {State::kDue, kAccept, State::kWaiting},
    {State::kDue, kForget, State::kRequestMade},
    {State::kDue, kReject, State::kRejected},
    {State::kDue, kExpire, State::kWaiting},

    {State::kRejected, kStartOver, State::kStart},
});

}  // namespace

std::string_view NameOf(EnrollState state) {
  switch (state) {
    case State::kStart:
      return "start";
    case State::kRequestMade:
      return "request_made";
    case State::kWaiting:
      return "waiting";
    case State::kEnrolled:
      return "enrolled";
    case State::kDue:
      return "due";
    case State::kRejected:
      return "rejected";
  }
  return "unknown";
}

std::string_view NameOf(EnrollMove move) {
  switch (move) {
    case kMakeRequest:
      return "make_request";
    case kAccept:
      return "accept";
    case kIssue:
      return "issue";
    case kForget:
      return "forget";
    case kReject:
      return "reject";
    case kComeDue:
      return "come_due";
    case kExpire:
      return "expire";
    case kStartOver:
      return "start_over";
  }
  return "unknown";
}

std::span<const AllowedEnrollMove> AllowedEnrollMoves() { return kMoves; }

absl::StatusOr<EnrollState> Move(EnrollState from, EnrollMove move) {
  std::vector<std::string> allowed;
  for (const AllowedEnrollMove& row : kMoves) {
    if (row.from != from) continue;
    if (row.move == move) return row.to;
    allowed.emplace_back(NameOf(row.move));
  }
  return MakeError(Reason::kRequestState, "an enrolment in state " + std::string(NameOf(from)) +
                                              " cannot " + std::string(NameOf(move)) +
                                              "; allowed are: " + Join(allowed, ", "));
}

}  // namespace troth
