#include "troth/authz/policy_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/authz/authz_testing.h"

namespace troth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kRoles = R"([roles]
a = { dns = "a.example" }
b = { dns = "b.example" }
[[rules]]
methods = ["/used.Here/*"]
allow = ["a", "b"]
)";
constexpr int kRolesLines = 6;

// "code:line" of each finding; lines count from the first after kRoles.
std::vector<std::string> Findings(const std::string& rules,
                                  const LintOptions& options = {.now = TestTime()}) {
  const auto policy = PolicyOf(std::string(kRoles) + rules);
  std::vector<std::string> out;
  if (policy == nullptr) return out;
  for (const LintFinding& finding : LintPolicy(*policy, options)) {
    const int line = finding.line == 0 ? 0 : finding.line - kRolesLines;
    out.push_back(std::string(CodeOf(finding.kind)) + ":" + std::to_string(line));
  }
  return out;
}

std::string Rule(const std::string& methods, const std::string& rest) {
  return "[[rules]]\nmethods = [" + methods + "]\n" + rest + "\n";
}

struct Case {
  std::string name;
  std::string rules;
  std::vector<std::string> findings;
};

class Lint : public testing::TestWithParam<Case> {};

TEST_P(Lint, Finds) { EXPECT_EQ(Findings(GetParam().rules), GetParam().findings); }

INSTANTIATE_TEST_SUITE_P(
    All, Lint,
    testing::Values(
        Case{"nothing", "", {}},
        Case{"nothing_in_nested_patterns",
             Rule(R"("/s.S/*")", R"(allow = ["a"])") + Rule(R"("/s.S/M")", R"(allow = ["b"])"),
             {}},
        Case{"pattern_repeated",
             Rule(R"("/s.S/*")", R"(allow = ["a"])") + Rule(R"("/s.S/*")", R"(allow = ["b"])"),
             {"pattern_repeated:5"}},
        Case{"pattern_repeated_in_one_rule",
             Rule(R"("/s.S/*", "/s.S/*")", R"(allow = ["a"])"),
             {"pattern_repeated:2"}},
        Case{"redundant",
             Rule(R"("/s.S/*")", R"(allow = ["a"])") + Rule(R"("/s.S/M")", R"(allow = ["a"])"),
             {"rule_redundant:5"}},
        Case{"redundant_prefix",
             Rule(R"("/s.*")", R"(allow = ["a"])") + Rule(R"("/s.S/*")", R"(allow = ["a"])"),
             {"rule_redundant:5"}},
        Case{"not_redundant_over_another_between",
             Rule(R"("/s.*")", R"(allow = ["a"])") + Rule(R"("/s.S/*")", R"(allow = ["b"])") +
                 Rule(R"("/s.S/M")", R"(allow = ["a"])"),
             {}},
        Case{"denied_and_allowed",
             Rule(R"("/s.S/*")", "allow = [\"a\", \"b\"]\ndeny = [\"a\"]"),
             {"allow_without_effect:2"}},
        Case{"anyone_makes_others_superfluous",
             Rule(R"("/s.S/*")", R"(allow = ["a", "anyone"])"),
             {"allow_without_effect:2"}},
        Case{"deny_only", Rule(R"("/s.S/*")", R"(deny = ["a"])"), {"nobody_allowed:2"}},
        Case{"allow_nobody_is_meant", Rule(R"("/s.S/*")", "allow = []"), {}},
        Case{"open_to_anyone", Rule(R"("*")", R"(allow = ["anyone"])"), {"open_to_anyone:2"}}),
    [](const auto& info) { return info.param.name; });

TEST(LintPolicy, EmptyPolicyShadowModeAndUnusedRole) {
  const auto policy = PolicyOf("mode = \"shadow\"\n[roles]\nx = { dns = \"x\" }");
  std::vector<std::string> codes;
  for (const LintFinding& finding : LintPolicy(*policy, {.now = TestTime()})) {
    codes.emplace_back(CodeOf(finding.kind));
  }
  EXPECT_THAT(codes, ElementsAre("no_rules", "shadow_mode", "role_unused"));
}

TEST(LintPolicy, RolesByNameNeedAnIssuerWhereSeveralCasAreTrusted) {
  EXPECT_THAT(Findings("", {.now = TestTime(), .trusted_authorities = 1}), IsEmpty());
  EXPECT_THAT(Findings("", {.now = TestTime(), .trusted_authorities = 2}),
              ElementsAre("role_of_any_issuer:-4", "role_of_any_issuer:-3"));
}

TEST(LintPolicy, PinsThatExpire) {
  TestFolder folder;
  RewriteFile(folder / "pin.pem",
              SelfSigned({.validity = {TestTime(), TestTime() + 100 * kTestDay}}).ToPem());
  const auto policy = PolicyOf(
      "[roles]\np = { certificate = \"pin.pem\" }\n[[rules]]\nmethods = [\"/a.B/*\"]\nallow = "
      "[\"p\"]",
      folder.path());
  const auto codes = [&](Time now) {
    std::string out;
    for (const LintFinding& finding : LintPolicy(*policy, {.now = now})) {
      out += std::string(CodeOf(finding.kind)) + ":" + std::to_string(finding.line);
    }
    return out;
  };
  EXPECT_EQ(codes(TestTime()), "");
  EXPECT_EQ(codes(TestTime() + 90 * kTestDay), "pin_expires_soon:2");
  EXPECT_EQ(codes(TestTime() + 101 * kTestDay), "pin_expired:2");
}

TEST(LintPolicy, MethodsOfTheServerAgainstThePatterns) {
  const std::string rules =
      Rule(R"("/s.S/*")", R"(allow = ["a"])") +            // line 2: covered by the next two
      Rule(R"("/s.S/M", "/s.S/N")", R"(allow = ["b"])") +  // line 5
      Rule(R"("/s.S/Gone")", R"(allow = ["b"])") +         // line 8
      Rule(R"("GET /x")", R"(allow = ["b"])");             // HTTP: not known
  EXPECT_THAT(
      Findings(rules, {.now = TestTime(),
                       .methods = std::vector<std::string>{"/used.Here/X", "/s.S/M", "/s.S/N",
                                                           "/grpc.health.v1.Health/Check"}}),
      ElementsAre("method_without_rule:0", "pattern_never_decides:2", "pattern_matches_none:8"));
}

TEST(MethodList, ReadsEachWayOfWritingOne) {
  const auto methods = ParseMethodList(
      "# a comment\n/s.S/A\n\n  s.S/B \r\ns.S.C\nGET /packets/7\n"
      "p.Echo is a service:\nservice Echo {\n  option deprecated = true;\n"
      "  rpc Say ( .p.Ping ) returns ( .p.Pong );\n  rpc Watch ( .p.Ping ) returns ( stream "
      ".p.Pong );\n}\n",
      "list.txt");
  ASSERT_TRUE(methods.ok()) << methods.status();
  EXPECT_THAT(*methods, ElementsAre("/s.S/A", "/s.S/B", "/s.S/C", "GET /packets/7", "/p.Echo/Say",
                                    "/p.Echo/Watch"));
}

TEST(MethodList, RefusesWhatIsNoMethodWithItsLine) {
  for (const std::string bad : {"hello", "/s.S/*", "a b", "rpc X ( .p.Ping )", "/s.S"}) {
    const auto methods = ParseMethodList("/s.S/A\n" + bad, "list.txt");
    ASSERT_FALSE(methods.ok()) << bad;
    EXPECT_EQ(ReasonOf(methods.status()), Reason::kFileWrongFormat);
    EXPECT_THAT(std::string(methods.status().message()), HasSubstr("list.txt:2: "));
  }
}

}  // namespace
}  // namespace troth
