#include "troth/authz/policy_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

TEST(PolicyDocument, ReadsEverythingThatTheLanguageHas) {
  const auto document = PolicyDocument::Parse(R"(
mode = "shadow"
[limits]
calls_per_second = 2.5
burst = 10
[roles]
self = { certificate = "client.pem" }
many = [{ dns = ["a.example", "b.example"], issuer = "ca.pem" }, { spiffe_id = "spiffe://a.example/x" }]
[roles.operator]
common_name = "operator"
[[rules]]
methods = ["/a.B/*", "GET /x"]
allow = ["self", "operator"]
deny = ["many"]
[[rules]]
methods = ["*"]
allow = []
)",
                                              "policy.toml");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(document->mode, PolicyMode::kShadow);
  EXPECT_EQ(document->limits, (RateLimit{.calls_per_second = 2.5, .burst = 10}));
  ASSERT_THAT(document->roles, SizeIs(3));
  EXPECT_EQ(document->roles[0].name, "many");
  ASSERT_THAT(document->roles[0].tables, SizeIs(2));
  ASSERT_THAT(document->roles[0].tables[0].conditions, SizeIs(2));
  EXPECT_EQ(document->roles[0].tables[0].conditions[0].key, RoleKey::kDns);
  EXPECT_THAT(document->roles[0].tables[0].conditions[0].values,
              ElementsAre("a.example", "b.example"));
  EXPECT_EQ(document->roles[0].tables[0].conditions[1].key, RoleKey::kIssuer);
  EXPECT_EQ(document->roles[1].name, "operator");
  EXPECT_EQ(document->roles[2].name, "self");
  EXPECT_EQ(document->roles[2].line, 7);
  ASSERT_THAT(document->rules, SizeIs(2));
  EXPECT_EQ(document->rules[0].line, 11);
  ASSERT_THAT(document->rules[0].methods, SizeIs(2));
  EXPECT_EQ(document->rules[0].methods[1].pattern.text(), "GET /x");
  EXPECT_EQ(document->rules[0].methods[1].line, 12);
  ASSERT_THAT(document->rules[0].allow, SizeIs(2));
  EXPECT_EQ(document->rules[0].deny[0].name, "many");
  EXPECT_THAT(document->rules[1].allow, SizeIs(0));
}

TEST(PolicyDocument, AnEmptyOneAllowsNothing) {
  const auto document = PolicyDocument::Parse("", "policy.toml");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->mode, PolicyMode::kEnforce);
  EXPECT_THAT(document->rules, SizeIs(0));
}

struct Bad {
  std::string name;
  std::string text;
  int line;
  std::string mentions;
};

class PolicyDocumentRefuses : public testing::TestWithParam<Bad> {};

TEST_P(PolicyDocumentRefuses, WithFileAndLine) {
  const auto document = PolicyDocument::Parse(GetParam().text, "dir/policy.toml");
  ASSERT_FALSE(document.ok());
  EXPECT_EQ(ReasonOf(document.status()), Reason::kPolicyInvalid);
  const std::string message(ToStd(document.status().message()));
  EXPECT_THAT(message, StartsWith("dir/policy.toml:" + std::to_string(GetParam().line) + ": "));
  EXPECT_THAT(message, HasSubstr(GetParam().mentions));
}

INSTANTIATE_TEST_SUITE_P(
    All, PolicyDocumentRefuses,
    testing::Values(
        Bad{"not_toml", "[roles]\nx = \n", 2, "TOML"},
        Bad{"bracket_alone", "mode = \"enforce\"\n[\nroles]\n", 2, "TOML"},
        Bad{"letter_outside_quotes", "[limits]\ncalls_per_second =\xc9\x9ax\n", 2, "TOML"},
        Bad{"unknown_top_key", "\n[[rule]]\nmethods = [\"*\"]\nallow = []", 2, "\"rules\""},
        Bad{"unknown_rule_key", "[[rules]]\nmethods = [\"*\"]\nalow = []", 3,
            "did you mean \"allow\""},
        Bad{"unknown_role_key", "[roles]\na = { spife_id = \"x\" }", 2,
            "did you mean \"spiffe_id\""},
        Bad{"unknown_limit", "[limits]\ncalls_per_second = 1\nburts = 3", 3,
            "did you mean \"burst\""},
        Bad{"mode_unknown", "mode = \"shadwo\"", 1, "did you mean \"shadow\""},
        Bad{"mode_not_text", "mode = 1", 1, "a number"},
        Bad{"roles_not_table", "roles = 3", 1, "a table"},
        Bad{"role_not_table", "[roles]\na = \"x\"", 2, "a text"},
        Bad{"role_name", "[roles]\n\"a b\" = { dns = \"x\" }", 2, "letters"},
        Bad{"role_name_empty", "[roles]\n\"\" = { dns = \"x\" }", 2, "letters"},
        Bad{"role_built_in", "[roles]\nanyone = { dns = \"x\" }", 2, "built in"},
        Bad{"role_built_in_too", "[roles]\nauthenticated = { dns = \"x\" }", 2, "built in"},
        Bad{"role_twice", "[roles]\na = { dns = \"x\" }\na = { dns = \"y\" }", 3, ""},
        Bad{"role_empty", "[roles]\na = {}", 2, "every peer"},
        Bad{"role_empty_list", "[roles]\na = []", 2, "nobody"},
        Bad{"role_list_of_texts", "[roles]\na = [\"x\"]", 2, "a table"},
        Bad{"value_not_text", "[roles]\na = { dns = 1 }", 2, "a number"},
        Bad{"value_empty_list", "[roles]\na = { dns = [] }", 2, "nobody"},
        Bad{"value_list_of_numbers", "[roles]\na = { dns = [1] }", 2, "a number"},
        Bad{"rules_not_list", "rules = 1", 1, "[[rules]]"},
        Bad{"rules_table", "[rules]\nmethods = [\"*\"]", 1, "[[rules]]"},
        Bad{"rule_without_methods", "\n[[rules]]\nallow = [\"anyone\"]", 2, "no methods"},
        Bad{"rule_without_lists", "[[rules]]\nmethods = [\"*\"]", 1, "neither"},
        Bad{"methods_not_list", "[[rules]]\nmethods = \"*\"\nallow = []", 2, "a list"},
        Bad{"methods_empty", "[[rules]]\nmethods = []\nallow = []", 2, "never applies"},
        Bad{"method_not_text", "[[rules]]\nmethods = [1]\nallow = []", 2, "a text"},
        Bad{"method_bad_pattern", "[[rules]]\nmethods = [\n\"*\",\n\"/a/*/b\"]\nallow = []", 4,
            "last character"},
        Bad{"allow_not_list", "[[rules]]\nmethods = [\"*\"]\nallow = \"anyone\"", 3, "a list"},
        Bad{"deny_not_texts", "[[rules]]\nmethods = [\"*\"]\ndeny = [1]", 3, "role"},
        Bad{"limits_not_table", "limits = 3", 1, "a table"},
        Bad{"limits_empty", "[limits]", 1, "calls_per_second"},
        Bad{"limits_zero", "[limits]\ncalls_per_second = 0", 2, "more than 0"},
        Bad{"limits_nan", "[limits]\ncalls_per_second = nan", 2, "more than 0"},
        Bad{"limits_infinite", "[limits]\ncalls_per_second = inf", 2, "more than 0"},
        Bad{"burst_under_one", "[limits]\ncalls_per_second = 5\nburst = 0.5", 3, "under 1"}),
    [](const auto& info) { return info.param.name; });

TEST(PolicyDocument, RefusesMoreRolesThanItsBound) {
  std::string text = "[roles]\n";
  for (size_t i = 0; i <= kMaxRoles; ++i) text += "r" + std::to_string(i) + " = { dns = \"x\" }\n";
  EXPECT_FALSE(PolicyDocument::Parse(text, "p").ok());
}

TEST(PolicyDocument, RefusesDeepNestingWithoutOverflow) {
  EXPECT_FALSE(PolicyDocument::Parse("rules = " + std::string(100'000, '['), "p").ok());
}

TEST(PolicyDocument, ReadsTenThousandRules) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) {
    text += "[[rules]]\nmethods = [\"/p.S" + std::to_string(i) + "/*\"]\nallow = [\"anyone\"]\n";
  }
  const auto document = PolicyDocument::Parse(text, "p");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_THAT(document->rules, SizeIs(10'000));
}

}  // namespace
}  // namespace troth
