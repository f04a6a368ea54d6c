#include "troth/enroll/enroll_state.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "troth/base/reason.h"

namespace troth {
namespace {

constexpr EnrollState kStates[] = {EnrollState::kStart,   EnrollState::kRequestMade,
                                   EnrollState::kWaiting, EnrollState::kEnrolled,
                                   EnrollState::kDue,     EnrollState::kRejected};
constexpr EnrollMove kMoves[] = {
    EnrollMove::kMakeRequest, EnrollMove::kAccept,  EnrollMove::kIssue,  EnrollMove::kForget,
    EnrollMove::kReject,      EnrollMove::kComeDue, EnrollMove::kExpire, EnrollMove::kStartOver};

TEST(EnrollState, WhatIsNotInTheTableIsRefused) {
  std::set<std::pair<EnrollState, EnrollMove>> allowed;
  for (const AllowedEnrollMove& row : AllowedEnrollMoves()) {
    EXPECT_TRUE(allowed.emplace(row.from, row.move).second)
        << NameOf(row.from) << " " << NameOf(row.move) << " is there twice";
    EXPECT_EQ(*Move(row.from, row.move), row.to);
  }
  for (const EnrollState from : kStates) {
    for (const EnrollMove move : kMoves) {
      if (allowed.contains({from, move})) continue;
      EXPECT_EQ(ReasonOf(Move(from, move).status()), Reason::kRequestState)
          << NameOf(from) << " " << NameOf(move);
    }
  }
}

TEST(EnrollState, AKeyIsGivenUpOnlyWhereNoCertificateIsHeld) {
  for (const EnrollState from : {EnrollState::kEnrolled, EnrollState::kDue}) {
    EXPECT_EQ(ReasonOf(Move(from, EnrollMove::kStartOver).status()), Reason::kRequestState);
  }
}

TEST(EnrollState, EveryStateIsReachedFromTheStartAndLeadsToEnrolled) {
  const auto reachable = [](EnrollState from) {
    std::set<EnrollState> seen = {from};
    for (size_t before = 0; before != seen.size();) {
      before = seen.size();
      for (const AllowedEnrollMove& row : AllowedEnrollMoves()) {
        if (seen.contains(row.from)) seen.insert(row.to);
      }
    }
    return seen;
  };
  for (const EnrollState state : kStates) {
    EXPECT_TRUE(reachable(EnrollState::kStart).contains(state)) << NameOf(state);
    EXPECT_TRUE(reachable(state).contains(EnrollState::kEnrolled)) << NameOf(state);
  }
}

TEST(EnrollState, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (const EnrollState state : kStates) EXPECT_TRUE(names.insert(NameOf(state)).second);
  for (const EnrollMove move : kMoves) EXPECT_TRUE(names.insert(NameOf(move)).second);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace troth
