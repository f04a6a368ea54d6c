#include "troth/authz/method_pattern.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"

namespace troth {
namespace {

struct Match {
  std::string pattern, method;
  bool matches;
};

class MethodPatternMatches : public testing::TestWithParam<Match> {};

TEST_P(MethodPatternMatches, AsDocumented) {
  const auto pattern = MethodPattern::Parse(GetParam().pattern);
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  EXPECT_EQ(pattern->Matches(GetParam().method), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    All, MethodPatternMatches,
    testing::Values(Match{"/a.B/C", "/a.B/C", true}, Match{"/a.B/C", "/a.B/CD", false},
                    Match{"/a.B/C", "/a.B/c", false}, Match{"/a.B/*", "/a.B/C", true},
                    Match{"/a.B/*", "/a.BB/C", false},
                    Match{"/a.B/Internal*", "/a.B/Internal", true},
                    Match{"/a.B/Internal*", "/a.B/InternalEndRound", true},
                    Match{"/a.B/Internal*", "/a.B/Intern", false}, Match{"/a.*", "/a.B/C", true},
                    Match{"/a.*", "/ab.B/C", false}, Match{"*", "/a.B/C", true},
                    Match{"*", "GET /x", true}, Match{"*", "", true},
                    Match{"GET /packets/*", "GET /packets/7", true},
                    Match{"GET /packets/*", "POST /packets/7", false},
                    Match{"GET /packets/*", "/packets/7", false}, Match{"GET /", "GET /", true},
                    Match{"/*", "/a.B/C", true}, Match{"/*", "GET /x", false}));

class MethodPatternRefuses : public testing::TestWithParam<std::string> {};

TEST_P(MethodPatternRefuses, WhatWouldNeverMatchOrIsUnclear) {
  const auto pattern = MethodPattern::Parse(GetParam());
  ASSERT_FALSE(pattern.ok()) << GetParam();
  EXPECT_EQ(ReasonOf(pattern.status()), Reason::kPolicyInvalid);
}

INSTANTIATE_TEST_SUITE_P(All, MethodPatternRefuses,
                         testing::Values("", "a.B/C", "/a.B", "/a.B/", "/*/C", "/a.*/C", "**",
                                         "/a.B/**", "get /x", "GET x", "GET", "GET ", "GET  /x",
                                         "GET*", "* /x", "/a.B/C D", "/a.B/C\n", "/a.B/\x7f",
                                         " /a.B/C",
                                         "/" + std::string(kMaxPatternBytes, 'a') + "*"));

}  // namespace
}  // namespace troth
