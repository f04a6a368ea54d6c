#include "troth/ca/request_state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "troth/base/reason.h"

namespace troth {
namespace {

constexpr RequestState kStates[] = {RequestState::kPending, RequestState::kApproved,
                                    RequestState::kRejected, RequestState::kExpired};
constexpr RequestMove kAllMoves[] = {RequestMove::kApprove, RequestMove::kReject,
                                     RequestMove::kExpire,  RequestMove::kRenew,
                                     RequestMove::kResend,  RequestMove::kAskAnew};

TEST(RequestStateTest, NamesAreReadBack) {
  for (const RequestState state : kStates) {
    EXPECT_EQ(RequestStateFromName(NameOf(state)), state);
  }
  EXPECT_EQ(NameOf(RequestState::kExpired), "expired");
  for (const char* other : {"", "Pending", "pending ", "issued"}) {
    EXPECT_EQ(RequestStateFromName(other), std::nullopt) << other;
  }
}

TEST(RequestStateTest, MovesHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const RequestMove move : kAllMoves) names.insert(NameOf(move));
  EXPECT_EQ(names.size(), std::size(kAllMoves));
  EXPECT_EQ(NameOf(RequestMove::kResend), "resend");
}

TEST(RequestStateTest, WhatIsInTheTableIsDoneAndNothingElse) {
  for (const RequestState from : kStates) {
    for (const RequestMove move : kAllMoves) {
      const AllowedMove* allowed = nullptr;
      for (const AllowedMove& row : AllowedMoves()) {
        if (row.from == from && row.move == move) allowed = &row;
      }
      const absl::StatusOr<RequestState> to = Move(from, move);
      const std::string what = std::string(NameOf(from)) + " " + std::string(NameOf(move));
      EXPECT_EQ(to.ok(), allowed != nullptr) << what;
      if (allowed != nullptr && to.ok()) {
        EXPECT_EQ(*to, allowed->to) << what;
      }
      if (allowed == nullptr && !to.ok()) {
        EXPECT_EQ(ReasonOf(to.status()), Reason::kRequestState) << what;
      }
    }
  }
}

// The rules in words, so that a changed row is noticed.
TEST(RequestStateTest, OnlyWhatWaitsIsApprovedAndOnlyWhatWasApprovedIsRenewed) {
  for (const RequestState from : kStates) {
    EXPECT_EQ(Move(from, RequestMove::kApprove).ok(), from == RequestState::kPending);
    EXPECT_EQ(Move(from, RequestMove::kExpire).ok(), from == RequestState::kPending);
    EXPECT_EQ(Move(from, RequestMove::kRenew).ok(), from == RequestState::kApproved);
    EXPECT_EQ(Move(from, RequestMove::kAskAnew).ok(), from == RequestState::kApproved);
  }
}

TEST(RequestStateTest, ARejectedRequestStaysRejected) {
  for (const RequestMove move : kAllMoves) {
    const absl::StatusOr<RequestState> to = Move(RequestState::kRejected, move);
    if (to.ok()) {
      EXPECT_EQ(*to, RequestState::kRejected) << NameOf(move);
    }
  }
  ASSERT_TRUE(Move(RequestState::kApproved, RequestMove::kReject).ok());
}

TEST(RequestStateTest, AnExpiredRequestThatIsSentAgainWaitsAgain) {
  const absl::StatusOr<RequestState> to = Move(RequestState::kExpired, RequestMove::kResend);
  ASSERT_TRUE(to.ok());
  EXPECT_EQ(*to, RequestState::kPending);
}

TEST(RequestStateTest, RefusalSaysWhatIsAllowedFromHere) {
  const absl::Status refused = Move(RequestState::kRejected, RequestMove::kApprove).status();
  EXPECT_NE(refused.message().find("resend"), refused.message().npos) << refused;
  EXPECT_EQ(refused.message().find("renew"), refused.message().npos) << refused;
}

}  // namespace
}  // namespace troth
