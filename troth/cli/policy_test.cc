#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/authz/authz_testing.h"
#include "troth/cli/cli_testing.h"

namespace troth {
namespace {

using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kPolicy = R"([roles]
operator = { dns = "operator.example" }
pinned = { certificate = "pin.pem" }
[[rules]]
methods = ["/s.S/*"]
allow = ["operator", "pinned"]
)";

class PolicyCommand : public ::testing::Test {
 protected:
  PolicyCommand() {
    const Certificate pin = SelfSigned({});
    const Certificate leaf = authority_.Issue({.names = {"dns:operator.example"}});
    RewriteFile(folder_ / "policy.toml", kPolicy);
    RewriteFile(folder_ / "pin.pem", pin.ToPem());
    RewriteFile(folder_ / "ca.pem", authority_.pem());
    RewriteFile(folder_ / "operator.pem", leaf.ToPem());
    RewriteFile(folder_ / "operator.der", leaf.der());
    RewriteFile(folder_ / "stranger.pem", SelfSigned({.names = {"dns:operator.example"}}).ToPem());
    RewriteFile(folder_ / "crl.pem", authority_.Revoke({leaf}).ToPem());
    RewriteFile(folder_ / "two.pem", authority_.pem() + PeerAuthority("/CN=second").pem());
  }

  // `arguments` with FILE:name for a file of the fixture.
  Outcome Run(std::vector<std::string> arguments, bool json = false) {
    for (std::string& argument : arguments) {
      if (argument.starts_with("FILE:")) argument = folder_ / argument.substr(5);
    }
    arguments.insert(arguments.begin(), "policy");
    if (json) arguments.emplace_back("--json");
    return cli_testing::Run(arguments, clock_);
  }
  // The JSON of `explain` for these arguments.
  Outcome Explain(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"explain", "FILE:policy.toml", "--method", "/s.S/M"});
    return Run(arguments, true);
  }

  TestFolder folder_;
  FakeClock clock_;
  PeerAuthority authority_;
};

TEST_F(PolicyCommand, CheckSummarizesAPolicyThatCanBeUsed) {
  const Outcome text = Run({"check", "FILE:policy.toml"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("2 roles"), HasSubstr("1 rule for 1 method pattern"),
                              HasSubstr("pins: 1"), HasSubstr("pin.pem")));
  const Outcome json = Run({"check", "FILE:policy.toml"}, true);
  EXPECT_THAT(json.out, AllOf(HasSubstr(R"("ok": true)"), HasSubstr(R"("roles": 2)")));
}

TEST_F(PolicyCommand, CheckNamesFileAndLineOfAPolicyThatCannot) {
  RewriteFile(folder_ / "bad.toml", "[[rules]]\nmethods = [\"*\"]\nalow = []\n");
  const Outcome bad = Run({"check", "FILE:bad.toml"});
  EXPECT_EQ(bad.code, 78);
  EXPECT_THAT(bad.err, AllOf(HasSubstr("bad.toml:3: "), HasSubstr("policy_invalid")));
  RewriteFile(folder_ / "pin.pem", "");
  EXPECT_THAT(Run({"check", "FILE:policy.toml"}).err, HasSubstr("policy.toml:3: "));
  EXPECT_EQ(Run({"check", "FILE:none.toml"}).code, 66);
}

TEST_F(PolicyCommand, ExplainAnswersByExitCodeAndReason) {
  const Outcome allowed =
      Explain({"--certificate", "FILE:operator.pem", "--trust-bundle", "FILE:ca.pem"});
  EXPECT_EQ(allowed.code, 0) << allowed.out;
  EXPECT_THAT(allowed.out, AllOf(HasSubstr(R"("allowed": true)"), HasSubstr(R"("reason": null)"),
                                 HasSubstr(R"("verified": true)"), HasSubstr("rule 1 (/s.S/*)")));
  struct Case {
    std::vector<std::string> arguments;
    std::string reason;
  };
  for (const Case& c :
       {Case{{}, "peer_not_authenticated"},
        Case{{"--certificate", "FILE:stranger.pem", "--trust-bundle", "FILE:ca.pem"},
             "certificate_self_signed"},
        Case{{"--certificate", "FILE:stranger.pem", "--unverified"}, "peer_not_pinned"},
        Case{{"--certificate", "FILE:operator.der", "--trust-bundle", "FILE:ca.pem", "--crl",
              "FILE:crl.pem"},
             "certificate_revoked"},
        Case{{"--certificate", "FILE:operator.pem", "--trust-bundle", "FILE:ca.pem",
              "--require-crl"},
             "revocation_unknown"},
        Case{{"--certificate", "FILE:operator.pem", "--trust-bundle", "FILE:ca.pem", "--at",
              "2030-01-01"},
             "certificate_expired"}}) {
    const Outcome refused = Explain(c.arguments);
    EXPECT_EQ(refused.code, 77);
    EXPECT_THAT(refused.out, HasSubstr("\"reason\": \"" + c.reason + "\""));
  }
  EXPECT_EQ(Explain({"--certificate", "FILE:pin.pem", "--unverified"}).code, 0);
}

TEST_F(PolicyCommand, ExplainWithoutATrustBundleSaysThatItAssumes) {
  const Outcome text = Run(
      {"explain", "FILE:policy.toml", "--method", "/s.S/M", "--certificate", "FILE:stranger.pem"});
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.err, HasSubstr("not verified"));
  EXPECT_THAT(Explain({"--certificate", "FILE:stranger.pem"}).out,
              HasSubstr(R"("assumed_verified": true)"));
}

TEST_F(PolicyCommand, ExplainShowsRolesAndRulesInWords) {
  const Outcome text = Run({"explain", "FILE:policy.toml", "--method", "/t.T/M", "--certificate",
                            "FILE:operator.pem", "--trust-bundle", "FILE:ca.pem"});
  EXPECT_EQ(text.code, 77);
  EXPECT_THAT(text.out, AllOf(HasSubstr("refused: operator.example calls /t.T/M [no_rule_matches]"),
                              HasSubstr("yes operator (line 2)"), HasSubstr("no  pinned (line 3)"),
                              HasSubstr("dns = \"operator.example\": matches"),
                              HasSubstr("rules that match the method: none")));
}

TEST_F(PolicyCommand, LintFindsByExitCode) {
  EXPECT_EQ(Run({"lint", "FILE:policy.toml"}).code, 0);
  RewriteFile(folder_ / "methods.txt", "/s.S/M\n/grpc.health.v1.Health/Check\n");
  const Outcome found = Run({"lint", "FILE:policy.toml", "--methods", "FILE:methods.txt"});
  EXPECT_EQ(found.code, 1);
  EXPECT_THAT(found.out, AllOf(HasSubstr("/grpc.health.v1.Health/Check"),
                               HasSubstr("[method_without_rule]"), Not(HasSubstr("/s.S/M"))));
  const Outcome json = Run({"lint", "FILE:policy.toml", "--trust-bundle", "FILE:two.pem"}, true);
  EXPECT_EQ(json.code, 1);
  EXPECT_THAT(json.out, AllOf(HasSubstr(R"("code": "role_of_any_issuer", "line": 2)"),
                              HasSubstr(R"("ok": false)")));
  RewriteFile(folder_ / "methods.txt", "hello\n");
  EXPECT_EQ(Run({"lint", "FILE:policy.toml", "--methods", "FILE:methods.txt"}).code, 65);
}

TEST_F(PolicyCommand, UsageErrors) {
  EXPECT_EQ(Run({}).code, kExitUsage);
  EXPECT_EQ(Run({"check"}).code, kExitUsage);
  EXPECT_EQ(Run({"explain", "FILE:policy.toml"}).code, kExitUsage);
  EXPECT_EQ(Run({"explain", "FILE:policy.toml", "--method", "/s.S/M", "--at", "soon"}).code,
            kExitUsage);
}

}  // namespace
}  // namespace troth
