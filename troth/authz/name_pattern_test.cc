#include "troth/authz/name_pattern.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

using Kind = NamePattern::Kind;

struct Match {
  Kind kind;
  std::string pattern;
  std::string name;
  bool matches;
};

class NamePatternMatches : public testing::TestWithParam<Match> {};

TEST_P(NamePatternMatches, AsDocumented) {
  const Match& c = GetParam();
  const auto pattern = NamePattern::Parse(c.kind, c.pattern);
  ASSERT_TRUE(pattern.ok()) << pattern.status();
  const std::string name = c.kind == Kind::kIp ? *ParseIpAddress(c.name) : c.name;
  EXPECT_EQ(pattern->Matches(name), c.matches) << c.pattern << " and " << c.name;
}

INSTANTIATE_TEST_SUITE_P(
    SpiffeId, NamePatternMatches,
    testing::Values(
        Match{Kind::kSpiffeId, "spiffe://a.example/operator", "spiffe://a.example/operator", true},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator", "spiffe://a.example/operators",
              false},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/*", "spiffe://a.example/operator/1",
              true},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/*", "spiffe://a.example/operator",
              false},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/*", "spiffe://a.example/operator/1/2",
              false},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/*", "spiffe://b.example/operator/1",
              false},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/**", "spiffe://a.example/operator/1",
              true},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/**", "spiffe://a.example/operator/1/2",
              true},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/**", "spiffe://a.example/operator",
              false},
        Match{Kind::kSpiffeId, "spiffe://a.example/operator/**", "spiffe://a.example/operatorx/1",
              false},
        Match{Kind::kSpiffeId, "spiffe://a.example/**", "spiffe://a.example/x", true},
        Match{Kind::kSpiffeId, "spiffe://a.example/**", "spiffe://a.example.evil/x", false},
        Match{Kind::kSpiffeId, "spiffe://a.example/ns/*/sa/web-*",
              "spiffe://a.example/ns/p/sa/web-1", true},
        Match{Kind::kSpiffeId, "spiffe://a.example/ns/*/sa/web-*",
              "spiffe://a.example/ns/p/q/sa/web-1", false},
        Match{Kind::kSpiffeId, "spiffe://a.example/ns/*/**", "spiffe://a.example/ns/p/q/r", true},
        Match{Kind::kSpiffeId, "spiffe://a.example/A", "spiffe://a.example/a", false},
        Match{Kind::kSpiffeId, "spiffe://a.example", "spiffe://a.example", true},
        Match{Kind::kSpiffeId, "spiffe://a.example", "spiffe://a.example/x", false}));

INSTANTIATE_TEST_SUITE_P(
    Dns, NamePatternMatches,
    testing::Values(Match{Kind::kDns, "*.monitoring.internal", "a.monitoring.internal", true},
                    Match{Kind::kDns, "*.monitoring.internal", "A.Monitoring.INTERNAL", true},
                    Match{Kind::kDns, "*.monitoring.internal", "a.b.monitoring.internal", false},
                    Match{Kind::kDns, "*.monitoring.internal", "monitoring.internal", false},
                    Match{Kind::kDns, "*.monitoring.internal", "a.monitoring.internal.evil", false},
                    Match{Kind::kDns, "web-*.internal", "web-12.internal", true},
                    Match{Kind::kDns, "web-*.internal", "web-.internal", true},
                    Match{Kind::kDns, "web-*.internal", "api-12.internal", false},
                    Match{Kind::kDns, "localhost", "localhost", true},
                    // A wildcard certificate does not have every name that it can serve.
                    Match{Kind::kDns, "a.internal", "*.internal", false},
                    Match{Kind::kDns, "*.internal", "*.internal", true}));

INSTANTIATE_TEST_SUITE_P(Ip, NamePatternMatches,
                         testing::Values(Match{Kind::kIp, "10.1.2.3", "10.1.2.3", true},
                                         Match{Kind::kIp, "10.1.2.3", "10.1.2.4", false},
                                         Match{Kind::kIp, "10.0.0.0/8", "10.255.0.1", true},
                                         Match{Kind::kIp, "10.0.0.0/8", "11.0.0.1", false},
                                         Match{Kind::kIp, "10.16.0.0/12", "10.31.255.255", true},
                                         Match{Kind::kIp, "10.16.0.0/12", "10.32.0.0", false},
                                         Match{Kind::kIp, "0.0.0.0/0", "1.2.3.4", true},
                                         Match{Kind::kIp, "0.0.0.0/0", "::1", false},
                                         Match{Kind::kIp, "fd00::/8", "fdab::1", true},
                                         Match{Kind::kIp, "fd00::/8", "fe80::1", false},
                                         Match{Kind::kIp, "10.1.2.3/32", "10.1.2.3", true}));

INSTANTIATE_TEST_SUITE_P(
    EmailAndText, NamePatternMatches,
    testing::Values(Match{Kind::kEmail, "*@a.example", "bob@a.example", true},
                    Match{Kind::kEmail, "*@a.example", "bob@A.EXAMPLE", true},
                    Match{Kind::kEmail, "bob@a.example", "Bob@a.example", false},
                    Match{Kind::kEmail, "*@a.example", "bob@a.example@b.example", false},
                    Match{Kind::kEmail, "*@a.example", "bob", false},
                    Match{Kind::kText, "prometheus", "prometheus", true},
                    Match{Kind::kText, "prometheus", "Prometheus", false},
                    Match{Kind::kText, "prometheus", "prometheus2", false},
                    Match{Kind::kText, "web*", "web/1.example", true},
                    Match{Kind::kText, "*a*b*", "xxaxxbxx", true},
                    Match{Kind::kText, "*a*b*", "xxbxxaxx", false},
                    Match{Kind::kText, "*ab", "aab", true}, Match{Kind::kText, "*", "", true},
                    Match{Kind::kText, "a*", std::string("a\0b", 3), true},
                    Match{Kind::kText, "a", std::string("a\0", 2), false}));

struct Bad {
  Kind kind;
  std::string pattern;
};

class NamePatternRefuses : public testing::TestWithParam<Bad> {};

TEST_P(NamePatternRefuses, WhatItCannotMean) {
  const auto pattern = NamePattern::Parse(GetParam().kind, GetParam().pattern);
  ASSERT_FALSE(pattern.ok()) << GetParam().pattern;
  EXPECT_EQ(ReasonOf(pattern.status()), Reason::kPolicyInvalid);
}

INSTANTIATE_TEST_SUITE_P(
    All, NamePatternRefuses,
    testing::Values(Bad{Kind::kSpiffeId, ""}, Bad{Kind::kSpiffeId, "https://a.example/x"},
                    Bad{Kind::kSpiffeId, "spiffe://*/x"},
                    Bad{Kind::kSpiffeId, "spiffe://*.example/x"},
                    Bad{Kind::kSpiffeId, "spiffe://a.example/**/x"},
                    Bad{Kind::kSpiffeId, "spiffe://a.example/x**"},
                    Bad{Kind::kSpiffeId, "spiffe://a.example/x/"},
                    Bad{Kind::kSpiffeId, "spiffe://a.example/../x"}, Bad{Kind::kDns, "a b"},
                    Bad{Kind::kDns, "**.internal"}, Bad{Kind::kDns, "a..internal"},
                    Bad{Kind::kDns, ".internal"}, Bad{Kind::kIp, "10.0.0"},
                    Bad{Kind::kIp, "10.0.0.0/33"}, Bad{Kind::kIp, "10.0.0.0/"},
                    Bad{Kind::kIp, "10.0.0.1/8"}, Bad{Kind::kIp, "*"}, Bad{Kind::kIp, "fd00::/129"},
                    Bad{Kind::kEmail, "bob"}, Bad{Kind::kEmail, "@a.example"},
                    Bad{Kind::kEmail, "bob@"}, Bad{Kind::kText, ""}, Bad{Kind::kText, "a**b"},
                    Bad{Kind::kText, std::string(kMaxNamePatternBytes + 1, 'a')}));

// A pattern and a name that make a careless matcher take exponential time.
TEST(NamePattern, MatchesInBoundedTime) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  const auto parsed = NamePattern::Parse(Kind::kText, pattern + "b");
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed->Matches(std::string(60'000, 'a')));
}

}  // namespace
}  // namespace troth
