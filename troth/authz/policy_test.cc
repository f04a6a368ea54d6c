#include "troth/authz/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "troth/authz/authz_testing.h"
#include "troth/base/file.h"

namespace troth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Outcome = Policy::Outcome;

constexpr std::string_view kRoles = R"(
[roles]
a = { dns = "a.example" }
b = { dns = "b.example" }
c = { dns = "c.example" }
)";

// "a b" to the set of these roles and `anyone`.
RoleSet RolesFrom(const Policy& policy, const std::string& names) {
  RoleSet roles;
  roles.Add(Policy::kAnyone);
  for (const std::string_view name : Split(names, ' ')) {
    if (!name.empty()) roles.Add(*policy.FindRole(name));
  }
  return roles;
}

struct Case {
  std::string name;
  std::string rules;
  std::string method;
  std::string roles;
  Outcome outcome;
  int rule;  // that decides, from 1; 0: none
};

class Precedence : public testing::TestWithParam<Case> {};

TEST_P(Precedence, IsAsDocumented) {
  const Case& c = GetParam();
  const auto policy = PolicyOf(std::string(kRoles) + c.rules);
  ASSERT_NE(policy, nullptr);
  const RoleSet roles = RolesFrom(*policy, c.roles);
  const Policy::Decision decision = policy->Decide(c.method, roles);
  EXPECT_EQ(decision.outcome, c.outcome);
  const auto clause = policy->DecidingClause(decision, roles);
  EXPECT_EQ(clause.has_value() ? static_cast<int>(clause->rule) + 1 : 0, c.rule);
}

constexpr char kService[] = "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\"]\n";
constexpr char kInternal[] = "[[rules]]\nmethods = [\"/s.S/Internal*\"]\nallow = [\"b\"]\n";
constexpr char kEverything[] = "[[rules]]\nmethods = [\"*\"]\nallow = [\"c\"]\n";

INSTANTIATE_TEST_SUITE_P(
    All, Precedence,
    testing::Values(
        Case{"no_rules", "", "/s.S/M", "a", Outcome::kNoPattern, 0},
        Case{"no_rule_matches", kService, "/t.T/M", "a", Outcome::kNoPattern, 0},
        Case{"allowed", kService, "/s.S/M", "a", Outcome::kAllowed, 1},
        Case{"wrong_role", kService, "/s.S/M", "b", Outcome::kNoRole, 1},
        Case{"one_role_of_several", kService, "/s.S/M", "b a", Outcome::kAllowed, 1},
        Case{"longer_pattern_wins", std::string(kService) + kInternal, "/s.S/InternalX", "b",
             Outcome::kAllowed, 2},
        Case{"longer_pattern_alone_decides", std::string(kService) + kInternal, "/s.S/InternalX",
             "a", Outcome::kNoRole, 2},
        Case{"order_does_not_count", std::string(kInternal) + kService, "/s.S/InternalX", "a",
             Outcome::kNoRole, 1},
        Case{"shorter_pattern_elsewhere", std::string(kService) + kInternal, "/s.S/Inter", "a",
             Outcome::kAllowed, 1},
        Case{"exact_wins_over_prefix",
             std::string(kService) + "[[rules]]\nmethods = [\"/s.S/M\"]\nallow = [\"b\"]", "/s.S/M",
             "a", Outcome::kNoRole, 2},
        Case{"star_is_the_shortest", std::string(kEverything) + kService, "/s.S/M", "c",
             Outcome::kNoRole, 2},
        Case{"star_takes_the_rest", std::string(kEverything) + kService, "/t.T/M", "c",
             Outcome::kAllowed, 1},
        Case{"deny_wins_in_one_rule",
             "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\"]\ndeny = [\"a\"]", "/s.S/M", "a",
             Outcome::kDenied, 1},
        Case{"deny_of_another_role_of_the_peer",
             "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\"]\ndeny = [\"b\"]", "/s.S/M", "a b",
             Outcome::kDenied, 1},
        Case{"deny_wins_over_an_equally_long_allow",
             std::string(kService) + "[[rules]]\nmethods = [\"/s.S/*\"]\ndeny = [\"a\"]", "/s.S/M",
             "a", Outcome::kDenied, 2},
        Case{"same_pattern_is_merged",
             std::string(kService) + "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"b\"]", "/s.S/M",
             "b", Outcome::kAllowed, 2},
        Case{"same_pattern_keeps_the_first",
             std::string(kService) + "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"b\"]", "/s.S/M",
             "a", Outcome::kAllowed, 1},
        Case{"longer_allow_wins_over_shorter_deny",
             "[[rules]]\nmethods = [\"*\"]\ndeny = [\"a\"]\n" + std::string(kService), "/s.S/M",
             "a", Outcome::kAllowed, 2},
        Case{"deny_only_lets_nobody_in", "[[rules]]\nmethods = [\"/s.S/*\"]\ndeny = [\"a\"]",
             "/s.S/M", "b", Outcome::kNoRole, 1},
        Case{"allow_nobody",
             std::string(kEverything) + "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = []", "/s.S/M",
             "a b c", Outcome::kNoRole, 2},
        Case{"anyone", "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"anyone\"]", "/s.S/M", "",
             Outcome::kAllowed, 1},
        Case{"deny_anyone",
             "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\"]\ndeny = [\"anyone\"]", "/s.S/M",
             "a", Outcome::kDenied, 1},
        Case{"star_with_nothing_after_it_ties_with_exact_deny",
             "[[rules]]\nmethods = [\"/s.S/M\"]\nallow = [\"a\"]\n"
             "[[rules]]\nmethods = [\"/s.S/M*\"]\ndeny = [\"a\"]",
             "/s.S/M", "a", Outcome::kDenied, 2},
        Case{"star_with_nothing_after_it_ties_with_exact_allow",
             "[[rules]]\nmethods = [\"/s.S/M*\"]\nallow = [\"b\"]\n"
             "[[rules]]\nmethods = [\"/s.S/M\"]\nallow = [\"a\"]",
             "/s.S/M", "b", Outcome::kAllowed, 1},
        Case{"exact_does_not_reach_longer_methods",
             "[[rules]]\nmethods = [\"/s.S/M\"]\nallow = [\"a\"]\n"
             "[[rules]]\nmethods = [\"/s.S/M*\"]\nallow = [\"b\"]",
             "/s.S/MN", "a", Outcome::kNoRole, 2},
        Case{"http", "[[rules]]\nmethods = [\"GET /packets/*\"]\nallow = [\"a\"]", "GET /packets/7",
             "a", Outcome::kAllowed, 1},
        Case{"http_other_verb", "[[rules]]\nmethods = [\"GET /packets/*\"]\nallow = [\"a\"]",
             "POST /packets/7", "a", Outcome::kNoPattern, 0},
        Case{"case_counts", kService, "/S.s/M", "a", Outcome::kNoPattern, 0}),
    [](const auto& info) { return info.param.name; });

TEST(Policy, TellsTheDecidingRuleWithFileAndLine) {
  const auto policy = PolicyOf(
      "[roles]\na = { dns = \"a.example\" }\n[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"a\"]\n");
  const RoleSet roles = RolesFrom(*policy, "a");
  EXPECT_EQ(policy->DescribeClause(policy->DecidingClause(policy->Decide("/s.S/M", roles), roles)),
            "rule 1 (/s.S/*), policy.toml:4");
  EXPECT_EQ(policy->DescribeClause(policy->DecidingClause(policy->Decide("/t", roles), roles)), "");
}

TEST(Policy, ARoleThatDoesNotExistIsAnErrorThatNamesTheNearest) {
  const auto policy = Policy::FromText(
      "[roles]\noperator = { dns = \"a\" }\n[[rules]]\nmethods = [\"*\"]\nallow = [\"oprator\"]",
      "p.toml");
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(ReasonOf(policy.status()), Reason::kPolicyInvalid);
  EXPECT_THAT(std::string(policy.status().message()), HasSubstr("p.toml:5: "));
  EXPECT_THAT(std::string(policy.status().message()), HasSubstr("did you mean \"operator\""));
  EXPECT_FALSE(Policy::FromText("[[rules]]\nmethods = [\"*\"]\ndeny = [\"x\"]").ok());
}

TEST(Policy, PathsAreRelativeToTheFolderOfTheFile) {
  TestFolder folder;
  const PeerAuthority authority;
  const Certificate leaf = authority.Issue();
  ASSERT_TRUE(MakeFolder(folder / "conf/pins").ok());
  RewriteFile(folder / "conf/pins/a.pem", leaf.ToPem());
  RewriteFile(folder / "conf/policy.toml", "[roles]\na = { certificate = \"pins/../pins/a.pem\" }");
  const auto policy = Policy::FromFile(folder / "conf/policy.toml");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_THAT((*policy)->files(), ElementsAre(folder / "conf/pins/a.pem"));
  RewriteFile(folder / "policy.toml",
              "[roles]\na = { certificate = \"" + (folder / "conf/pins/a.pem") + "\" }");
  EXPECT_TRUE(Policy::FromFile(folder / "policy.toml").ok());
}

TEST(Policy, AMissingFileIsAnError) {
  TestFolder folder;
  EXPECT_EQ(ReasonOf(Policy::FromFile(folder / "none.toml").status()), Reason::kFileNotFound);
}

TEST(Policy, HoldsAThousandRolesApart) {
  std::string text = "[roles]\n";
  for (int i = 0; i < 1000; ++i) {
    text += "r" + std::to_string(i) + " = { dns = \"r" + std::to_string(i) + ".example\" }\n";
  }
  for (int i = 0; i < 1000; ++i) {
    text += "[[rules]]\nmethods = [\"/s.S/M" + std::to_string(i) + "\"]\nallow = [\"r" +
            std::to_string(i) + "\"]\n";
  }
  const auto policy = PolicyOf(text);
  for (const int i : {0, 1, 61, 62, 63, 64, 500, 999}) {
    const RoleSet roles = RolesFrom(*policy, "r" + std::to_string(i));
    for (const int method : {0, 1, 61, 62, 63, 64, 500, 999}) {
      const auto decision = policy->Decide("/s.S/M" + std::to_string(method), roles);
      EXPECT_EQ(decision.outcome, i == method ? Outcome::kAllowed : Outcome::kNoRole);
    }
  }
}

// The language, once more, as plainly as it can be said.
Outcome DecidePlainly(const PolicyDocument& document, const std::string& method,
                      const std::vector<std::string>& roles) {
  size_t longest = 0;
  bool any = false;
  for (const RuleText& rule : document.rules) {
    for (const auto& [pattern, line] : rule.methods) {
      if (!pattern.Matches(method)) continue;
      any = true;
      longest = std::max(longest, pattern.literal().size());
    }
  }
  if (!any) return Outcome::kNoPattern;
  bool allowed = false;
  bool denied = false;
  for (const RuleText& rule : document.rules) {
    const bool decides = std::ranges::any_of(rule.methods, [&](const auto& m) {
      return m.pattern.Matches(method) && m.pattern.literal().size() == longest;
    });
    if (!decides) continue;
    const auto names_one = [&](const auto& names) {
      return std::ranges::any_of(
          names, [&](const auto& n) { return std::ranges::find(roles, n.name) != roles.end(); });
    };
    allowed |= names_one(rule.allow);
    denied |= names_one(rule.deny);
  }
  if (denied) return Outcome::kDenied;
  return allowed ? Outcome::kAllowed : Outcome::kNoRole;
}

TEST(Policy, CompiledDecisionsAgreeWithThePlainOnesOnRandomPolicies) {
  std::mt19937 random(20261121);
  const std::vector<std::string> names = {"anyone", "authenticated", "a", "b", "c", "d"};
  const std::vector<std::string> parts = {"/s.", "/s.S", "/s.S/", "M", "N", "MN", "/"};
  const auto method = [&] {
    std::string out = "/s.S";
    for (unsigned i = random() % 3 + 1; i > 0; --i) out += parts[random() % parts.size()];
    return out;
  };
  std::array<int, 4> seen{};
  for (int round = 0; round < 400; ++round) {
    std::string text = R"([roles]
a = { dns = "a" }
b = { dns = "b" }
c = { dns = "c" }
d = { dns = "d" }
)";
    for (unsigned rules = random() % 9; rules > 0; --rules) {
      std::string methods;
      for (unsigned i = random() % 3 + 1; i > 0; --i) {
        std::string pattern = random() % 12 == 0 ? "" : method();
        if (pattern.empty() || random() % 2 == 0 || !MethodPattern::Parse(pattern).ok())
          pattern += "*";
        methods += "\"" + pattern + "\",";
      }
      const auto list = [&] {
        std::string out;
        for (unsigned i = random() % 3; i > 0; --i)
          out += "\"" + names[random() % names.size()] + "\",";
        return out;
      };
      text += "[[rules]]\nmethods = [" + methods + "]\nallow = [" + list() + "]\n";
      if (random() % 2 == 0) text += "deny = [" + list() + "]\n";
    }
    const auto document = PolicyDocument::Parse(text, "p");
    ASSERT_TRUE(document.ok()) << document.status() << text;
    const auto policy = PolicyOf(text);
    for (int i = 0; i < 50; ++i) {
      std::string own;
      std::vector<std::string> roles = {"anyone"};
      for (size_t n = 1; n < names.size(); ++n) {
        if (random() % 3 != 0) continue;
        own += names[n] + " ";
        roles.push_back(names[n]);
      }
      const std::string called = method();
      const RoleSet set = RolesFrom(*policy, own);
      const Outcome expected = DecidePlainly(*document, called, roles);
      ++seen[static_cast<size_t>(expected)];
      ASSERT_EQ(policy->Decide(called, set).outcome, expected) << called << " by " << own << "\n"
                                                               << text;
    }
  }
  // A test that never saw an outcome would not have tested it.
  for (const int count : seen) EXPECT_GT(count, 100);
}

}  // namespace
}  // namespace troth
