#include "troth/server/json/route.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "troth/authz/method_pattern.h"

namespace troth::json {
namespace {

TEST(MatchPathTest, APathWithoutAVariablePartMatchesItselfOnly) {
  EXPECT_EQ(MatchPath("/v1/tokens", "/v1/tokens"), "");
  for (const std::string_view path :
       {"/v1/token", "/v1/tokens/", "/v1/tokens/x", "/V1/tokens", "v1/tokens", "/", ""}) {
    EXPECT_EQ(MatchPath("/v1/tokens", path), std::nullopt) << path;
  }
}

TEST(MatchPathTest, AVariablePartIsOnePartOfThePath) {
  EXPECT_EQ(MatchPath("/v1/requests/{id}", "/v1/requests/12ab"), "12ab");
  EXPECT_EQ(MatchPath("/v1/requests/{id}", "/v1/requests/a%2Fb"), "a%2Fb");
  EXPECT_EQ(MatchPath("/v1/requests/{id}/approve", "/v1/requests/12ab/approve"), "12ab");
  for (const std::string_view path : {"/v1/requests", "/v1/requests/", "/v1/requests//",
                                      "/v1/requests/a/b", "/v1/requests/a/approve"}) {
    EXPECT_EQ(MatchPath("/v1/requests/{id}", path), std::nullopt) << path;
  }
  for (const std::string_view path :
       {"/v1/requests/approve", "/v1/requests//approve", "/v1/requests/a/b/approve",
        "/v1/requests/a/approve/", "/v1/requests/a/reject"}) {
    EXPECT_EQ(MatchPath("/v1/requests/{id}/approve", path), std::nullopt) << path;
  }
}

TEST(RoutesTest, EachIsThereOnceAndCanBeWrittenInAPolicy) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Route& route : Routes()) {
    EXPECT_TRUE(seen.emplace(route.method, route.pattern).second) << PolicyMethod(route);
    EXPECT_TRUE(MethodPattern::Parse(PolicyMethod(route)).ok()) << PolicyMethod(route);
    EXPECT_NE(route.answer, nullptr) << PolicyMethod(route);
  }
}

// Else the one that comes first in the table would hide the other.
TEST(RoutesTest, NoPathBelongsToTwoOfOneMethod) {
  for (const Route& route : Routes()) {
    std::string path(route.pattern);
    if (const size_t brace = path.find('{'); brace != std::string::npos) {
      path.replace(brace, path.find('}') + 1 - brace, "renew");
    }
    int matches = 0;
    for (const Route& other : Routes()) {
      if (other.method == route.method && MatchPath(other.pattern, path).has_value()) ++matches;
    }
    EXPECT_EQ(matches, 1) << route.method << " " << path;
  }
}

TEST(RoutesTest, WhatChangesSomethingIsAskedWithPost) {
  for (const Route& route : Routes()) {
    EXPECT_EQ(route.method == "POST", route.takes == Takes::kBody) << PolicyMethod(route);
  }
}

}  // namespace
}  // namespace troth::json
