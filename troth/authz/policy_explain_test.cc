#include "troth/authz/policy_explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/authz/guard_testing.h"

namespace troth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPolicy = R"([roles]
a = { dns = "a.example", common_name = "a" }
b = [{ dns = "b.example" }, { spiffe_id = "spiffe://x.example/*" }]
[[rules]]
methods = ["/s.S/*"]
allow = ["a"]
[[rules]]
methods = ["*", "/s.S/Internal*"]
allow = ["b"]
deny = ["a"]
)";

class PolicyExplanationTest : public GuardTest {
 protected:
  PolicyExplanation Explain(const std::shared_ptr<const Policy>& policy,
                            const std::string& leaf_pem, std::string_view method,
                            Mode mode = Mode::kVerifyIfGiven) const {
    const PeerAssessment peer =
        AssessPeer(leaf_pem, "", {.mode = mode, .now = TestTime(), .trust = authority_.Bundle()});
    return ExplainPolicy(*policy, peer, method, mode);
  }
};

TEST_F(PolicyExplanationTest, SaysWhichRolesAndWhy) {
  const Certificate leaf = authority_.Issue({.subject = "/CN=other", .names = {"dns:a.example"}});
  const PolicyExplanation answer = Explain(PolicyOf(kPolicy), leaf.ToPem(), "/s.S/M");
  ASSERT_EQ(answer.roles.size(), 4U);
  EXPECT_TRUE(answer.roles[0].has);
  EXPECT_TRUE(answer.roles[1].has);
  EXPECT_EQ(answer.roles[2].role, "a");
  EXPECT_EQ(answer.roles[2].line, 2);
  EXPECT_FALSE(answer.roles[2].has);
  EXPECT_THAT(answer.roles[2].why,
              ElementsAre("common_name = \"a\": the certificate has \"other\""));
  EXPECT_EQ(answer.roles[3].why.size(), 2U);
}

TEST_F(PolicyExplanationTest, SaysWhichRuleDecidesAmongThoseThatMatch) {
  const Certificate leaf = authority_.Issue({.subject = "/CN=a", .names = {"dns:a.example"}});
  const PolicyExplanation allowed = Explain(PolicyOf(kPolicy), leaf.ToPem(), "/s.S/M");
  EXPECT_TRUE(allowed.allowed());
  EXPECT_EQ(allowed.rule, "rule 1 (/s.S/*), policy.toml:5");
  ASSERT_EQ(allowed.patterns.size(), 2U);
  EXPECT_TRUE(allowed.patterns[0].decides);
  EXPECT_EQ(allowed.patterns[1].rule, "rule 2 (*), policy.toml:8");
  EXPECT_FALSE(allowed.patterns[1].decides);

  const PolicyExplanation refused = Explain(PolicyOf(kPolicy), leaf.ToPem(), "/s.S/InternalX");
  EXPECT_FALSE(refused.allowed());
  EXPECT_EQ(refused.rule, "rule 2 (/s.S/Internal*), policy.toml:8");
  EXPECT_EQ(refused.refusal->reason, Reason::kRuleDenied);
}

TEST_F(PolicyExplanationTest, ShadowModeLetsThroughAndSaysSo) {
  const PolicyExplanation answer = Explain(PolicyOf("mode = \"shadow\"\n" + std::string(kPolicy)),
                                           authority_.Issue().ToPem(), "/s.S/M");
  EXPECT_TRUE(answer.allowed());
  EXPECT_TRUE(answer.let_through);
  EXPECT_EQ(answer.refusal->reason, Reason::kRoleNotAllowed);
}

TEST_F(PolicyExplanationTest, AnswersAsTheGuardDoes) {
  const Certificate expired =
      authority_.Issue({.validity = {TestTime() - 2 * kTestDay, TestTime() - kTestDay}});
  std::vector<std::string> peers = {"", "hello", expired.ToPem(), SelfSigned({}).ToPem()};
  for (const std::string name : {"dns:a.example", "dns:b.example", "spiffe://x.example/y"}) {
    peers.push_back(authority_.Issue({.subject = "/CN=a", .names = {name}}).ToPem());
  }
  for (const std::string mode_line : {"", "mode = \"shadow\"\n"}) {
    const std::string text = mode_line + std::string(kPolicy);
    for (const Mode mode : {Mode::kDontRequest, Mode::kRequestUnverified, Mode::kVerifyIfGiven,
                            Mode::kRequireUnverified, Mode::kRequire}) {
      Start(text, mode);
      for (const std::string& peer : peers) {
        for (const std::string method : {"/s.S/M", "/s.S/InternalM", "/t.T/M"}) {
          const PolicyExplanation answer = Explain(PolicyOf(text), peer, method, mode);
          const Verdict verdict = port_->Check(TestConnection{.leaf_pem = peer}.Call(method));
          EXPECT_EQ(answer.allowed(), verdict.allowed());
          if (verdict.allowed()) continue;
          EXPECT_EQ(answer.refusal->reason, verdict.reason());
          EXPECT_EQ(answer.refusal->message, verdict.message());
        }
      }
    }
  }
}

}  // namespace
}  // namespace troth
