#include "troth/authz/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "troth/authz/guard_testing.h"

namespace troth {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

constexpr std::string_view kPolicy = R"(
[roles]
operator = { dns = "operator.example" }
monitoring = { dns = "monitoring.example" }
[[rules]]
methods = ["/s.S/*"]
allow = ["operator"]
[[rules]]
methods = ["/s.S/Watch"]
allow = ["operator", "monitoring"]
deny = ["monitoring"]
[[rules]]
methods = ["/s.Open/*"]
allow = ["anyone"]
[[rules]]
methods = ["/s.Members/*"]
allow = ["authenticated"]
)";

PeerSpec Named(const std::string& dns) { return {.names = {"dns:" + dns}}; }

class GuardAnswers : public GuardTest {};

TEST_F(GuardAnswers, EachModeAgainstEachPeerAndMethod) {
  const Certificate operator_leaf = authority_.Issue(Named("operator.example"));
  const Certificate monitoring = authority_.Issue(Named("monitoring.example"));
  const Certificate pinned = SelfSigned({.subject = "/CN=pinned"});
  const Certificate stranger = SelfSigned(Named("operator.example"));
  RewriteFile(folder_ / "pin.pem", pinned.ToPem());
  const std::string policy = std::string(kPolicy) + R"(
[[rules]]
methods = ["/s.Pinned/*"]
allow = ["pinned"]
[roles.pinned]
certificate = "pin.pem"
)";
  struct Case {
    Mode mode;
    const Certificate* leaf;
    std::string open, members, s, watch, pinned, unknown;
  };
  const std::string none = "peer_not_authenticated";
  for (const Case& c : {
           Case{Mode::kDontRequest, nullptr, "", none, none, none, none, none},
           Case{Mode::kDontRequest, &operator_leaf, "", none, none, none, none, none},
           Case{Mode::kRequestUnverified, nullptr, "", none, none, none, none, none},
           Case{Mode::kRequestUnverified, &operator_leaf, "", "peer_not_verified",
                "peer_not_verified", "peer_not_verified", "peer_not_pinned", "peer_not_pinned"},
           Case{Mode::kRequestUnverified, &stranger, "", "peer_not_verified", "peer_not_verified",
                "peer_not_verified", "peer_not_pinned", "peer_not_pinned"},
           Case{Mode::kRequestUnverified, &pinned, "", "role_not_allowed", "role_not_allowed",
                "role_not_allowed", "", "no_rule_matches"},
           Case{Mode::kVerifyIfGiven, nullptr, "", none, none, none, none, none},
           Case{Mode::kVerifyIfGiven, &operator_leaf, "", "", "", "", "role_not_allowed",
                "no_rule_matches"},
           Case{Mode::kVerifyIfGiven, &stranger, "certificate_self_signed",
                "certificate_self_signed", "certificate_self_signed", "certificate_self_signed",
                "certificate_self_signed", "certificate_self_signed"},
           Case{Mode::kRequireUnverified, nullptr, none, none, none, none, none, none},
           Case{Mode::kRequireUnverified, &pinned, "", "role_not_allowed", "role_not_allowed",
                "role_not_allowed", "", "no_rule_matches"},
           Case{Mode::kRequire, nullptr, none, none, none, none, none, none},
           Case{Mode::kRequire, &operator_leaf, "", "", "", "", "role_not_allowed",
                "no_rule_matches"},
           Case{Mode::kRequire, &monitoring, "", "", "role_not_allowed", "rule_denied",
                "role_not_allowed", "no_rule_matches"},
           Case{Mode::kRequire, &pinned, "certificate_self_signed", "certificate_self_signed",
                "certificate_self_signed", "certificate_self_signed", "certificate_self_signed",
                "certificate_self_signed"},
       }) {
    SCOPED_TRACE(std::string(NameOf(c.mode)) + " " + (c.leaf ? c.leaf->Describe() : "nobody"));
    Start(policy, c.mode);
    const TestConnection peer = c.leaf == nullptr ? ConnectAnonymously() : Connect(*c.leaf);
    for (int time = 0; time < 2; ++time) {  // decided, then remembered
      EXPECT_EQ(Answer(peer, "/s.Open/M"), c.open);
      EXPECT_EQ(Answer(peer, "/s.Members/M"), c.members);
      EXPECT_EQ(Answer(peer, "/s.S/M"), c.s);
      EXPECT_EQ(Answer(peer, "/s.S/Watch"), c.watch);
      EXPECT_EQ(Answer(peer, "/s.Pinned/M"), c.pinned);
      EXPECT_EQ(Answer(peer, "/s.Unknown/M"), c.unknown);
      guard_->RegisterMethods(
          {"/s.Open/M", "/s.Members/M", "/s.S/M", "/s.S/Watch", "/s.Unknown/M"});
    }
  }
}

TEST_F(GuardAnswers, StatusCodesTellWhoFromWhat) {
  Start(kPolicy, Mode::kVerifyIfGiven);
  const auto status = [&](const TestConnection& peer, std::string_view method) {
    return port_->Check(peer.Call(method)).ToStatus().code();
  };
  EXPECT_EQ(status(ConnectAnonymously(), "/s.S/M"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(status(Connect(SelfSigned({})), "/s.S/M"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(status(Connect(authority_.Issue()), "/s.S/M"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status(Connect(authority_.Issue()), "/s.Nothing/M"),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status(Connect(authority_.Issue()), "/s.Open/M"), absl::StatusCode::kOk);
}

TEST_F(GuardAnswers, MessageTellsThePeerAboutItselfAndNotAboutTheRoles) {
  Start(kPolicy);
  const Verdict verdict =
      port_->Check(Connect(authority_.Issue(Named("stranger.example"))).Call("/s.S/M"));
  ASSERT_FALSE(verdict.allowed());
  EXPECT_THAT(verdict.message(), StartsWith("Invalid client certificate: "));
  EXPECT_THAT(verdict.message(), EndsWith("[troth:role_not_allowed]"));
  EXPECT_THAT(verdict.message(), HasSubstr("stranger.example"));
  EXPECT_THAT(verdict.message(), HasSubstr("/s.S/M"));
  EXPECT_THAT(verdict.message(), Not(HasSubstr("operator")));
  EXPECT_THAT(verdict.message(), Not(HasSubstr(folder_.path())));
  EXPECT_EQ(ReasonOf(verdict.ToStatus()), Reason::kRoleNotAllowed);
}

TEST_F(GuardAnswers, MessageIsOneBoundedLineWhateverThePeerSends) {
  Start(kPolicy, Mode::kVerifyIfGiven);
  const std::string method = "/s.S/\r\n\x01\xff" + std::string(100'000, 'x');
  for (const TestConnection& peer :
       {ConnectAnonymously(), Connect(authority_.Issue({.subject = "/CN=\"evil\" n\xc3\xa4me"})),
        TestConnection{.leaf_pem = "hello"}}) {
    const Verdict verdict = port_->Check(peer.Call(method));
    ASSERT_FALSE(verdict.allowed());
    EXPECT_LT(verdict.message().size(), 2000U);
    for (const char c : verdict.message())
      EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  }
}

TEST_F(GuardAnswers, RefusesOptionsThatMakeNoGuard) {
  EXPECT_EQ(ReasonOf(Guard::Create({}).status()), Reason::kConfigurationInvalid);
  EXPECT_EQ(ReasonOf(Guard::Create({.policy_file = "x", .policy_text = "y"}).status()),
            Reason::kConfigurationInvalid);
  EXPECT_EQ(ReasonOf(Guard::Create({.policy_file = folder_ / "none"}).status()),
            Reason::kFileNotFound);
  EXPECT_EQ(ReasonOf(Guard::Create({.policy_text = "x = 1"}).status()), Reason::kPolicyInvalid);
  RewriteFile(folder_ / "crl.pem", "junk");
  EXPECT_FALSE(
      Guard::Create({.policy_text = "mode = \"enforce\"", .crl_paths = {folder_ / "crl.pem"}})
          .ok());
  EXPECT_TRUE(Guard::Create({.policy_text = "mode = \"enforce\""}).ok());
}

// ---- What changes under open connections.

class GuardGenerations : public GuardTest {};

TEST_F(GuardGenerations, PolicyThatTakesARightAwayCountsAtTheNextCall) {
  Start(kPolicy);
  const TestConnection peer = Connect(authority_.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  const std::uint64_t before = guard_->generation();
  ASSERT_TRUE(Replace("[[rules]]\nmethods = [\"*\"]\nallow = []").ok());
  EXPECT_GT(guard_->generation(), before);
  EXPECT_EQ(Answer(peer, "/s.S/M"), "role_not_allowed");
  ASSERT_TRUE(Replace(kPolicy).ok());
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
}

TEST_F(GuardGenerations, BrokenPolicyKeepsTheOldOneAndSaysWhy) {
  LogCapture capture;
  Start(kPolicy, Mode::kRequire, {.poll_interval = std::chrono::hours(1)});
  const TestConnection peer = Connect(authority_.Issue(Named("operator.example")));
  const std::uint64_t before = guard_->generation();
  EXPECT_EQ(ReasonOf(Replace("[[rules]]\nmethods = [")), Reason::kPolicyInvalid);
  EXPECT_FALSE(guard_->Reload().ok());
  EXPECT_EQ(guard_->generation(), before);
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  EXPECT_THAT(guard_->Statistics().last_error, HasSubstr("policy.toml:"));
  EXPECT_EQ(guard_->Statistics().policy_rejected, 1U) << "one broken version is counted once";
  std::filesystem::remove(policy_file_);
  EXPECT_EQ(ReasonOf(guard_->Reload()), Reason::kFileNotFound);
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  ASSERT_TRUE(Replace(kPolicy).ok());
  EXPECT_EQ(guard_->Statistics().last_error, "");
  EXPECT_EQ(guard_->Statistics().policy_rejected, 2U);
}

TEST_F(GuardGenerations, UnchangedFilesMakeNoNewGeneration) {
  Start(kPolicy);
  const std::uint64_t before = guard_->generation();
  ASSERT_TRUE(Replace(kPolicy).ok());
  EXPECT_EQ(guard_->generation(), before);
}

TEST_F(GuardGenerations, PinsRotateWithTheirFile) {
  const Certificate old_leaf = SelfSigned({});
  const Certificate new_leaf = SelfSigned({});
  RewriteFile(folder_ / "pin.pem", old_leaf.ToPem());
  Start("[roles]\nr = { certificate = \"pin.pem\" }\n[[rules]]\nmethods = [\"*\"]\nallow = [\"r\"]",
        Mode::kRequestUnverified);
  const TestConnection old_peer = Connect(old_leaf);
  const TestConnection new_peer = Connect(new_leaf);
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "");
  EXPECT_EQ(Answer(new_peer, "/s.S/M"), "peer_not_pinned");

  RewriteFile(folder_ / "pin.pem", new_leaf.ToPem() + old_leaf.ToPem());
  ASSERT_TRUE(guard_->Reload().ok());
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "");
  EXPECT_EQ(Answer(new_peer, "/s.S/M"), "");

  RewriteFile(folder_ / "pin.pem", new_leaf.ToPem().substr(0, 200));  // half-written
  EXPECT_FALSE(guard_->Reload().ok());
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "");

  RewriteFile(folder_ / "pin.pem", new_leaf.ToPem());
  ASSERT_TRUE(guard_->Reload().ok());
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "peer_not_pinned");
  EXPECT_EQ(Answer(new_peer, "/s.S/M"), "");
}

TEST_F(GuardGenerations, FilesAreWatched) {
  const Certificate old_leaf = SelfSigned({});
  const Certificate new_leaf = SelfSigned({});
  RewriteFile(folder_ / "pin.pem", old_leaf.ToPem());
  const std::string policy =
      "[roles]\nr = { certificate = \"pin.pem\" }\n[[rules]]\nmethods = [\"/s.S/*\"]\nallow = "
      "[\"r\"]";
  Start(policy, Mode::kRequestUnverified, {.poll_interval = std::chrono::milliseconds(50)});
  const TestConnection peer = Connect(new_leaf);
  const auto eventually = [&](const std::string& answer) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Answer(peer, "/s.S/M") != answer) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  };
  ASSERT_TRUE(
      WriteFile(folder_ / "pin.pem", new_leaf.ToPem(), {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_TRUE(eventually(""));
  RewriteFile(policy_file_, "[[rules]]\nmethods = [\"/s.S/*\"]\ndeny = [\"anyone\"]");
  EXPECT_TRUE(eventually("rule_denied"));
  // A policy that waits for a file is taken when the file comes.
  RewriteFile(policy_file_,
              "[roles]\nr = { certificate = \"later.pem\" }\n"
              "[[rules]]\nmethods = [\"/s.S/*\"]\nallow = [\"r\"]");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (guard_->Statistics().last_error.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_THAT(guard_->Statistics().last_error, HasSubstr("later.pem"));
  RewriteFile(folder_ / "later.pem", new_leaf.ToPem());
  EXPECT_TRUE(eventually(""));
}

TEST_F(GuardGenerations, RevocationReachesOpenConnections) {
  RewriteFile(folder_ / "crl.pem", authority_.Revoke({}).ToPem());
  Start(kPolicy, Mode::kRequire, {.crl_paths = {folder_ / "crl.pem"}});
  const Certificate leaf = authority_.Issue(Named("operator.example"));
  const TestConnection peer = Connect(leaf);
  const TestConnection other = Connect(authority_.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  RewriteFile(folder_ / "crl.pem", authority_.Revoke({leaf}).ToPem());
  ASSERT_TRUE(guard_->Reload().ok());
  EXPECT_EQ(Answer(peer, "/s.S/M"), "certificate_revoked");
  EXPECT_EQ(Answer(peer, "/s.Open/M"), "certificate_revoked") << "for every method";
  EXPECT_EQ(Answer(other, "/s.S/M"), "");
  RewriteFile(folder_ / "crl.pem", "junk");
  EXPECT_FALSE(guard_->Reload().ok());
  EXPECT_NE(guard_->Statistics().last_error, "");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "certificate_revoked");
  EXPECT_EQ(Answer(other, "/s.S/M"), "");
}

TEST_F(GuardGenerations, RequiredRevocationFailsClosedAndOpensWithAList) {
  ASSERT_TRUE(MakeFolder(folder_ / "crls").ok());
  Start(kPolicy, Mode::kRequire,
        {.crl_paths = {folder_ / "crls"}, .revocation = RevocationCheck::kRequired});
  const TestConnection peer = Connect(authority_.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "revocation_unknown");
  RewriteFile(folder_ / "crls/ca.crl",
              authority_.Revoke({}, TestTime(), TestTime() + Seconds(60)).der());
  ASSERT_TRUE(guard_->Reload().ok());
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  clock_.Advance(Seconds(61));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "crl_expired");
}

TEST_F(GuardGenerations, TrustBundleThatRollsReachesOpenConnections) {
  const PeerAuthority next("/CN=next-ca");
  Start(kPolicy);
  const TestConnection old_peer = Connect(authority_.Issue(Named("operator.example")));
  const TestConnection new_peer = Connect(next.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "");
  EXPECT_EQ(Answer(new_peer, "/s.S/M"), "issuer_unknown");
  identity_->Set(Trusting({authority_.certificate(), next.certificate()}));
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "");
  EXPECT_EQ(Answer(new_peer, "/s.S/M"), "");
  identity_->Set(Trusting({next.certificate()}));
  EXPECT_EQ(Answer(old_peer, "/s.S/M"), "issuer_unknown");
  EXPECT_EQ(Answer(new_peer, "/s.S/M"), "");
}

TEST_F(GuardGenerations, RenewalBesideTheSameBundleDisturbsNobody) {
  Start(kPolicy);
  const std::uint64_t before = guard_->generation();
  identity_->Set(Trusting({authority_.certificate()}));
  EXPECT_EQ(guard_->generation(), before);
}

TEST_F(GuardGenerations, ExpiryReachesOpenConnections) {
  for (const Mode mode : {Mode::kRequire, Mode::kRequestUnverified}) {
    clock_.Set(TestTime());
    const Certificate leaf = authority_.Issue(
        {.names = {"dns:operator.example"}, .validity = {TestTime(), TestTime() + Seconds(100)}});
    RewriteFile(folder_ / "pin.pem", leaf.ToPem());
    Start(
        "[roles]\nr = { certificate = \"pin.pem\" }\n[[rules]]\nmethods = [\"*\"]\nallow = [\"r\"]",
        mode);
    const TestConnection peer = Connect(leaf);
    clock_.Set(TestTime() + Seconds(100));
    EXPECT_EQ(Answer(peer, "/s.S/M"), "") << "the last second counts";
    clock_.Advance(Seconds(1));
    EXPECT_EQ(Answer(peer, "/s.S/M"), "certificate_expired");
  }
}

TEST_F(GuardGenerations, ValidityThatBeginsLetsThePeerIn) {
  Start(kPolicy);
  const TestConnection peer =
      Connect(authority_.Issue({.names = {"dns:operator.example"},
                                .validity = {TestTime() + Seconds(3), TestTime() + kTestDay}}));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "certificate_not_yet_valid");
  clock_.Advance(Seconds(3));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
}

TEST_F(GuardGenerations, ReusedAddressOfAConnectionIsAnotherPeer) {
  Start(kPolicy);
  TestConnection connection = Connect(authority_.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(connection, "/s.S/M"), "");
  connection.leaf_pem = authority_.Issue(Named("monitoring.example")).ToPem();
  EXPECT_EQ(Answer(connection, "/s.S/M"), "role_not_allowed");
  connection.leaf_pem.clear();
  EXPECT_EQ(Answer(connection, "/s.S/M"), "peer_not_authenticated");
}

TEST_F(GuardGenerations, PeerThatNowSendsItsIntermediateIsLetIn) {
  Start(kPolicy);
  const PeerAuthority intermediate = authority_.Intermediate("/CN=issuing");
  TestConnection connection = Connect(intermediate.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(connection, "/s.S/M"), "issuer_unknown");
  connection.chain_pem = intermediate.pem();
  EXPECT_EQ(Answer(connection, "/s.S/M"), "");
}

TEST_F(GuardGenerations, PortsOfDifferentGuardsAndModesAreApart) {
  Start(kPolicy);
  const TestConnection peer = Connect(authority_.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  const auto anonymous_port = guard_->Protect(identity_, Mode::kDontRequest);
  EXPECT_EQ(CodeOrNone(anonymous_port->Check(peer.Call("/s.S/M"))), "peer_not_authenticated");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  // A guard that dies and another one after it, as often as addresses may be reused.
  for (int i = 0; i < 50; ++i) {
    Start(i % 2 == 0 ? "mode = \"enforce\"" : kPolicy);
    EXPECT_EQ(Answer(peer, "/s.S/M"), i % 2 == 0 ? "no_rule_matches" : "");
  }
}

// ---- Shadow mode.

class GuardInShadow : public GuardTest {
 protected:
  void StartInShadow(Mode mode, GuardOptions options = {}) {
    Start("mode = \"shadow\"\n" + std::string(kPolicy), mode, std::move(options));
  }
};

TEST_F(GuardInShadow, RulesRefuseNobodyButAreCountedAndReported) {
  LogCapture capture;
  std::vector<Refusal> refusals;
  StartInShadow(Mode::kVerifyIfGiven,
                {.on_refusal = [&](const Refusal& refusal) { refusals.push_back(refusal); }});
  EXPECT_EQ(Answer(authority_.Issue(), "/s.S/M"), "");
  EXPECT_EQ(Answer(authority_.Issue(), "/s.Unknown/M"), "");
  EXPECT_EQ(Answer(authority_.Issue(Named("monitoring.example")), "/s.S/Watch"), "");
  EXPECT_EQ(Answer(ConnectAnonymously(), "/s.S/M"), "");
  ASSERT_EQ(refusals.size(), 4U);
  for (const Refusal& refusal : refusals) EXPECT_TRUE(refusal.shadow);
  EXPECT_EQ(refusals[0].reason, Reason::kRoleNotAllowed);
  EXPECT_EQ(refusals[1].reason, Reason::kNoRuleMatches);
  EXPECT_EQ(refusals[2].reason, Reason::kRuleDenied);
  EXPECT_EQ(refusals[3].reason, Reason::kPeerNotAuthenticated);
  EXPECT_EQ(guard_->Statistics().shadow_refused, 4U);
  EXPECT_TRUE(guard_->Statistics().refused.empty());
  EXPECT_EQ(capture.CountOf("call would have been refused (shadow mode)"), 4U);
}

TEST_F(GuardInShadow, NeverRelaxesExpiryVerificationOrRevocation) {
  const Certificate revoked = authority_.Issue();
  RewriteFile(folder_ / "crl.pem", authority_.Revoke({revoked}).ToPem());
  const GuardOptions options{.crl_paths = {folder_ / "crl.pem"}};
  const Certificate expired =
      authority_.Issue({.validity = {TestTime() - 2 * kTestDay, TestTime() - kTestDay}});
  StartInShadow(Mode::kRequire, options);
  EXPECT_EQ(Answer(expired, "/s.Open/M"), "certificate_expired");
  EXPECT_EQ(Answer(revoked, "/s.Open/M"), "certificate_revoked");
  EXPECT_EQ(Answer(SelfSigned({}), "/s.Open/M"), "certificate_self_signed");
  EXPECT_EQ(Answer(PeerAuthority("/CN=x").Issue(), "/s.Open/M"), "issuer_unknown");
  EXPECT_EQ(Answer(ConnectAnonymously(), "/s.Open/M"), "peer_not_authenticated");
  StartInShadow(Mode::kRequestUnverified, options);
  EXPECT_EQ(Answer(expired, "/s.S/M"), "certificate_expired");
  EXPECT_EQ(Answer(revoked, "/s.S/M"), "certificate_revoked");
  EXPECT_EQ(Answer(SelfSigned({}), "/s.S/M"), "peer_not_verified");
}

TEST_F(GuardInShadow, DoesNotLetAnUnknownCertificateThroughWhereARuleDenies) {
  Start("mode = \"shadow\"\n[[rules]]\nmethods = [\"*\"]\ndeny = [\"anyone\"]\n",
        Mode::kRequestUnverified);
  EXPECT_EQ(Answer(SelfSigned({}), "/s.S/M"), "rule_denied");
  EXPECT_EQ(Answer(ConnectAnonymously(), "/s.S/M"), "");
}

// ---- Rate limits.

class GuardRateLimit : public GuardTest {};

TEST_F(GuardRateLimit, CountsPerCertificateWhateverTheConnection) {
  Start(kPolicy, Mode::kRequire, {.rate_limit = {.calls_per_second = 1, .burst = 3}});
  const Certificate leaf = authority_.Issue(Named("operator.example"));
  const TestConnection first = Connect(leaf);
  const TestConnection second = Connect(leaf);
  EXPECT_EQ(Answer(first, "/s.S/M"), "");
  EXPECT_EQ(Answer(second, "/s.S/M"), "");
  EXPECT_EQ(Answer(first, "/s.S/M"), "");
  EXPECT_EQ(Answer(second, "/s.S/M"), "rate_limited");
  EXPECT_EQ(Answer(authority_.Issue(Named("operator.example")), "/s.S/M"), "") << "another peer";
  clock_.Advance(Seconds(1));
  EXPECT_EQ(Answer(first, "/s.S/M"), "");
  EXPECT_EQ(Answer(first, "/s.S/M"), "rate_limited");
  ASSERT_TRUE(Replace(std::string(kPolicy) + "# another generation").ok());
  EXPECT_EQ(Answer(first, "/s.S/M"), "rate_limited") << "survives generations";
}

TEST_F(GuardRateLimit, CountsAnonymousAndUnknownPeersPerConnection) {
  Start(kPolicy, Mode::kRequestUnverified, {.rate_limit = {.calls_per_second = 1, .burst = 1}});
  std::vector<TestConnection> open;  // so that no address is used twice
  for (const std::string& leaf : {std::string(), SelfSigned({}).ToPem()}) {
    const TestConnection first = open.emplace_back(TestConnection{.leaf_pem = leaf});
    const TestConnection second = open.emplace_back(TestConnection{.leaf_pem = leaf});
    EXPECT_EQ(Answer(first, "/s.Open/M"), "");
    EXPECT_EQ(Answer(first, "/s.Open/M"), "rate_limited");
    EXPECT_EQ(Answer(second, "/s.Open/M"), "");
  }
}

TEST_F(GuardRateLimit, LimitsOfThePolicyTakeThePlaceOfTheOptions) {
  const std::string limits = "[limits]\ncalls_per_second = 1\nburst = 2\n";
  Start(limits + std::string(kPolicy), Mode::kRequire,
        {.rate_limit = {.calls_per_second = 1, .burst = 1}});
  const TestConnection peer = Connect(authority_.Issue(Named("operator.example")));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "rate_limited");
  EXPECT_EQ(port_->Check(peer.Call("/s.S/M")).ToStatus().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(GuardRateLimit, RefusedCallsCountToo) {
  Start(kPolicy, Mode::kRequire, {.rate_limit = {.calls_per_second = 1, .burst = 1}});
  const TestConnection peer = Connect(authority_.Issue());
  EXPECT_EQ(Answer(peer, "/s.S/M"), "role_not_allowed");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "rate_limited");
}

TEST_F(GuardRateLimit, CallsRefusedForTheirCertificateCountToo) {
  const Certificate revoked = authority_.Issue(Named("operator.example"));
  RewriteFile(folder_ / "crl.pem", authority_.Revoke({revoked}).ToPem());
  Start(kPolicy, Mode::kRequire,
        {.crl_paths = {folder_ / "crl.pem"}, .rate_limit = {.calls_per_second = 1, .burst = 1}});
  const TestConnection peer = Connect(revoked);
  EXPECT_EQ(Answer(peer, "/s.S/M"), "certificate_revoked");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "rate_limited");
}

// ---- A revocation list whose issuer's clock is ahead.

class GuardListOfTheFuture : public GuardTest {
 protected:
  void StartPinned(const Certificate& leaf, Mode mode) {
    RewriteFile(folder_ / "pin.pem", leaf.ToPem());
    Start(
        "[roles]\npinned = { certificate = \"pin.pem\" }\n"
        "[[rules]]\nmethods = [\"*\"]\nallow = [\"pinned\"]\n",
        mode, {.crl_paths = {folder_ / "crl.pem"}});
  }
};

TEST_F(GuardListOfTheFuture, RevokesAtOnceInEveryMode) {
  const Certificate revoked = authority_.Issue();
  RewriteFile(folder_ / "crl.pem", authority_.Revoke({revoked}, TestTime() + Seconds(2)).ToPem());
  for (const Mode mode : {Mode::kRequestUnverified, Mode::kRequireUnverified, Mode::kRequire}) {
    StartPinned(revoked, mode);
    EXPECT_EQ(Answer(revoked, "/s.S/M"), "certificate_revoked") << NameOf(mode);
  }
}

TEST_F(GuardListOfTheFuture, IsLookedAtAgainWhenItsTimeHasCome) {
  const Certificate leaf = authority_.Issue();
  RewriteFile(folder_ / "crl.pem",
              authority_.Revoke({}, TestTime() + Seconds(2), TestTime() + Seconds(60)).ToPem());
  StartPinned(leaf, Mode::kRequestUnverified);
  const TestConnection peer = Connect(leaf);
  EXPECT_EQ(Answer(peer, "/s.S/M"), "");
  clock_.Advance(Seconds(61));
  EXPECT_EQ(Answer(peer, "/s.S/M"), "crl_expired");
}

// ---- What is told about refusals, and about peers.

class GuardReports : public GuardTest {};

TEST_F(GuardReports, CallbackLogAndCounterGetPeerMethodRuleAndReason) {
  LogCapture capture;
  std::vector<Refusal> refusals;
  Start(kPolicy, Mode::kRequire,
        {.on_refusal = [&](const Refusal& refusal) { refusals.push_back(refusal); }});
  const Certificate leaf = authority_.Issue(Named("monitoring.example"));
  TestConnection peer = Connect(leaf);
  peer.address = "ipv4:127.0.0.1:5800";
  EXPECT_EQ(Answer(peer, "/s.S/M"), "role_not_allowed");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "role_not_allowed");
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_EQ(refusals[0].peer->certificate, leaf);
  EXPECT_TRUE(refusals[0].peer->verified);
  EXPECT_EQ(refusals[0].peer->address, "ipv4:127.0.0.1:5800");
  EXPECT_EQ(refusals[0].method, "/s.S/M");
  EXPECT_THAT(refusals[0].rule, StartsWith("rule 1 (/s.S/*), "));
  EXPECT_EQ(refusals[0].reason, Reason::kRoleNotAllowed);
  EXPECT_THAT(refusals[0].message, EndsWith("[troth:role_not_allowed]"));
  EXPECT_FALSE(refusals[0].shadow);
  EXPECT_THAT(guard_->Statistics().refused, ElementsAre(Pair("role_not_allowed", 2)));
  EXPECT_EQ(capture.CountOf("call refused"), 1U) << "the same one once a second";
  const LogEntry& entry = capture.entries().back();
  EXPECT_THAT(FormatLogEntry(entry), HasSubstr("peer=monitoring.example"));
  EXPECT_THAT(FormatLogEntry(entry), HasSubstr("allowed_roles=operator"));
}

TEST_F(GuardReports, CallbackThatThrowsOrCallsInHarmsNobody) {
  LogCapture capture;
  Certificate leaf = authority_.Issue();
  int calls = 0;
  Start(kPolicy, Mode::kRequire, {.on_refusal = [&](const Refusal&) {
          if (++calls == 1) throw std::runtime_error("oops");
          if (calls > 3) return;
          // Peers enough to empty the cache behind the call that is being refused.
          for (int i = 0; i < 3000; ++i) {
            (void)port_->Check(Connect(leaf).Call("/s.Open/M"));
          }
          (void)port_->Check(Connect(leaf).Call("/s.S/M"));
        }});
  const TestConnection peer = Connect(leaf);
  EXPECT_EQ(Answer(peer, "/s.S/M"), "role_not_allowed");
  EXPECT_EQ(Answer(peer, "/s.S/M"), "role_not_allowed");
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(capture.CountOf("the callback on_refusal threw"), 1U);
}

TEST_F(GuardReports, FindPeerTellsWhoCalls) {
  Start(kPolicy, Mode::kVerifyIfGiven);
  const Certificate leaf = authority_.Issue(Named("operator.example"));
  TestConnection connection = Connect(leaf);
  EXPECT_EQ(Answer(connection, "/s.S/M"), "");
  connection.address = "ipv4:127.0.0.1:1";
  const auto peer = port_->FindPeer(connection.Call("/s.S/M"));
  EXPECT_EQ(peer->certificate, leaf);
  EXPECT_TRUE(peer->verified);
  EXPECT_EQ(peer->address, "ipv4:127.0.0.1:1");
  EXPECT_EQ(peer->Describe(), "operator.example");
  EXPECT_EQ(port_->FindPeer(connection.Call("/s.S/M")), peer) << "made once";
  connection.address = "ipv4:127.0.0.1:2";
  EXPECT_EQ(port_->FindPeer(connection.Call("/s.S/M"))->address, "ipv4:127.0.0.1:2");
  std::shared_ptr<const Peer> elsewhere;
  std::thread([&] { elsewhere = port_->FindPeer(connection.Call("/s.S/M")); }).join();
  EXPECT_EQ(elsewhere->certificate, leaf);

  const auto anonymous = port_->FindPeer(ConnectAnonymously().Call("/s.Open/M"));
  EXPECT_FALSE(anonymous->certificate.has_value());
  EXPECT_FALSE(anonymous->verified);
  EXPECT_EQ(anonymous->Describe(), "anonymous");
  const auto stranger = port_->FindPeer(Connect(SelfSigned({})).Call("/s.Open/M"));
  EXPECT_TRUE(stranger->certificate.has_value());
  EXPECT_FALSE(stranger->verified);
  EXPECT_FALSE(
      port_->FindPeer(TestConnection{.leaf_pem = "hello"}.Call("/s"))->certificate.has_value());
}

TEST_F(GuardReports, MethodsThatNoRuleNamesAreWarnedAbout) {
  LogCapture capture;
  Start(kPolicy);
  guard_->RegisterMethods({"/s.S/M"});
  constexpr std::string_view kWarning =
      "methods that no rule of the policy names: nobody may call them";
  EXPECT_EQ(capture.CountOf(kWarning), 0U);
  guard_->RegisterMethods({"/grpc.health.v1.Health/Check", "/s.S/M"});
  EXPECT_EQ(capture.CountOf(kWarning), 1U);
}

TEST_F(GuardReports, RolesThatAnyOfSeveralCasCanIssueAreWarnedAbout) {
  LogCapture capture;
  const PeerAuthority second("/CN=second");
  identity_->Set(Trusting({authority_.certificate(), second.certificate()}));
  Start(kPolicy);
  constexpr std::string_view kWarning =
      "several CAs are trusted, and any of them can issue these roles: name the issuer in the "
      "policy";
  EXPECT_EQ(capture.CountOf(kWarning), 1U);
  RewriteFile(folder_ / "ca.pem", authority_.pem());
  Start("[roles]\nr = { dns = \"a\", issuer = \"ca.pem\" }");
  EXPECT_EQ(capture.CountOf(kWarning), 1U);
}

TEST(ClientCertificateModes, HaveTheNamesOfTheFlag) {
  for (const std::string_view name : {"none", "request", "verify", "require-any", "require"}) {
    const auto mode = ClientCertificateFromName(name);
    ASSERT_TRUE(mode.has_value()) << name;
    EXPECT_EQ(NameOf(*mode), name);
  }
  EXPECT_FALSE(ClientCertificateFromName("Require").has_value());
}

}  // namespace
}  // namespace troth
