#include "troth/authz/peer_assessment.h"

#include <gtest/gtest.h>

#include "troth/authz/authz_testing.h"

namespace troth {
namespace {

using Mode = ClientCertificate;

const PeerAuthority& Authority() {
  static const PeerAuthority& authority = *new PeerAuthority;
  return authority;
}

struct Asked {
  Mode mode = Mode::kRequire;
  std::vector<Crl> crls;
  RevocationCheck revocation = RevocationCheck::kWhereListed;
  Seconds crl_grace{0};
  Usage usage = Usage::kClient;
  Time now = TestTime();
  TrustBundle trust = Authority().Bundle();
  std::string chain_pem;
};

PeerAssessment Assess(const std::string& leaf_pem, const Asked& asked) {
  return AssessPeer(leaf_pem, asked.chain_pem,
                    {.mode = asked.mode,
                     .now = asked.now,
                     .trust = asked.trust,
                     .crls = &asked.crls,
                     .revocation = asked.revocation,
                     .crl_grace = asked.crl_grace,
                     .usage = asked.usage});
}

// Each mode against each kind of certificate: the reason of a refusal that no policy can lift, or
// "verified", or "unverified".
struct Case {
  Mode mode;
  std::string none, self_signed, other_ca, ours, expired, not_yet, server_only, garbage;
};

TEST(PeerAssessment, EachModeAgainstEachKindOfCertificate) {
  const PeerAuthority other("/CN=other-ca");
  const Validity past{TestTime() - 2 * kTestDay, TestTime() - kTestDay};
  const Validity future{TestTime() + kTestDay, TestTime() + 2 * kTestDay};
  for (const Case& c :
       {Case{Mode::kDontRequest, "none", "none", "none", "none", "none", "none", "none", "none"},
        Case{Mode::kRequestUnverified, "none", "unverified", "unverified", "unverified",
             "certificate_expired", "certificate_not_yet_valid", "unverified", "refused"},
        Case{Mode::kVerifyIfGiven, "none", "certificate_self_signed", "issuer_unknown", "verified",
             "certificate_expired", "certificate_not_yet_valid", "usage_not_allowed", "refused"},
        Case{Mode::kRequireUnverified, "peer_not_authenticated", "unverified", "unverified",
             "unverified", "certificate_expired", "certificate_not_yet_valid", "unverified",
             "refused"},
        Case{Mode::kRequire, "peer_not_authenticated", "certificate_self_signed", "issuer_unknown",
             "verified", "certificate_expired", "certificate_not_yet_valid", "usage_not_allowed",
             "refused"}}) {
    const auto answer = [&](const std::string& pem) -> std::string {
      const PeerAssessment peer = Assess(pem, {.mode = c.mode});
      EXPECT_EQ(peer.evidence.verified, peer.status.ok() && !peer.evidence.path.empty());
      if (!peer.status.ok()) return CodeOrNone(peer.status);
      if (!peer.evidence.leaf.has_value()) return "none";
      return peer.evidence.verified ? "verified" : "unverified";
    };
    SCOPED_TRACE(NameOf(c.mode));
    EXPECT_EQ(answer(""), c.none);
    EXPECT_EQ(answer(SelfSigned({}).ToPem()), c.self_signed);
    EXPECT_EQ(answer(other.Issue().ToPem()), c.other_ca);
    EXPECT_EQ(answer(Authority().Issue().ToPem()), c.ours);
    EXPECT_EQ(answer(Authority().Issue({.validity = past}).ToPem()), c.expired);
    EXPECT_EQ(answer(Authority().Issue({.validity = future}).ToPem()), c.not_yet);
    EXPECT_EQ(
        answer(Authority().Issue({.extended_key_usage = {std::string(kServerAuthOid)}}).ToPem()),
        c.server_only);
    if (c.garbage == "refused") {
      EXPECT_FALSE(Assess("hello", {.mode = c.mode}).status.ok());
      EXPECT_FALSE(
          Assess("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", {.mode = c.mode})
              .status.ok());
    } else {
      EXPECT_EQ(answer("hello"), c.garbage);
    }
  }
}

TEST(PeerAssessment, FindsItsWayThroughWhatThePeerSentWhateverElseIsThere) {
  const PeerAuthority intermediate = Authority().Intermediate("/CN=issuing");
  const Certificate leaf = intermediate.Issue();
  EXPECT_EQ(CodeOrNone(Assess(leaf.ToPem(), {}).status), "issuer_unknown");
  const std::string junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const PeerAssessment peer = Assess(leaf.ToPem(), {.chain_pem = junk + intermediate.pem() + "\n"});
  EXPECT_TRUE(peer.status.ok()) << peer.status;
  EXPECT_EQ(peer.evidence.path.size(), 3U);
}

TEST(PeerAssessment, HoldsUntilTheFirstCertificateExpires) {
  const Validity validity{TestTime(), TestTime() + Seconds(100)};
  const std::string pem = Authority().Issue({.validity = validity}).ToPem();
  for (const Mode mode : {Mode::kRequire, Mode::kRequestUnverified}) {
    EXPECT_EQ(Assess(pem, {.mode = mode}).valid_until, validity.not_after);
    EXPECT_TRUE(Assess(pem, {.mode = mode, .now = validity.not_after}).status.ok());
    EXPECT_FALSE(Assess(pem, {.mode = mode, .now = validity.not_after + Seconds(1)}).status.ok());
  }
}

TEST(PeerAssessment, TheUseThatIsAskedForCounts) {
  const std::string server_only =
      Authority().Issue({.extended_key_usage = {std::string(kServerAuthOid)}}).ToPem();
  EXPECT_EQ(CodeOrNone(Assess(server_only, {}).status), "usage_not_allowed");
  EXPECT_EQ(CodeOrNone(Assess(server_only, {.usage = Usage::kAny}).status), "");
  EXPECT_EQ(CodeOrNone(Assess(server_only, {.usage = Usage::kServer}).status), "");
}

TEST(PeerAssessment, FailureIsNotRememberedForEver) {
  const Validity future{TestTime() + Seconds(5), TestTime() + kTestDay};
  const PeerAssessment early = Assess(Authority().Issue({.validity = future}).ToPem(), {});
  ASSERT_FALSE(early.status.ok());
  EXPECT_LT(early.valid_until, future.not_before);
  EXPECT_LE(Assess(SelfSigned({}).ToPem(), {}).valid_until, TestTime() + Seconds(60));
}

// Revocation in the mode that verifies and in one that does not.
class PeerAssessmentRevocation : public testing::TestWithParam<Mode> {
 protected:
  std::string Answer(const Certificate& leaf, Asked asked) const {
    asked.mode = GetParam();
    return CodeOrNone(Assess(leaf.ToPem(), asked).status);
  }
};

INSTANTIATE_TEST_SUITE_P(Modes, PeerAssessmentRevocation,
                         testing::Values(Mode::kRequire, Mode::kRequestUnverified));

TEST_P(PeerAssessmentRevocation, ListOfTheIssuerCounts) {
  const Certificate good = Authority().Issue();
  const Certificate bad = Authority().Issue();
  const Crl crl = Authority().Revoke({bad});
  EXPECT_EQ(Answer(bad, {.crls = {crl}}), "certificate_revoked");
  EXPECT_EQ(Answer(good, {.crls = {crl}}), "");
}

TEST_P(PeerAssessmentRevocation, ListOfAnotherIssuerDoesNot) {
  const PeerAuthority other("/CN=other");
  const Certificate leaf = Authority().Issue();
  EXPECT_EQ(Answer(leaf, {.crls = {other.Revoke({leaf})}}), "");
}

TEST_P(PeerAssessmentRevocation, ForgedListOfATrustedNameDoesNot) {
  const PeerAuthority impostor;  // the same name, another key
  const Certificate leaf = Authority().Issue();
  EXPECT_EQ(Answer(leaf, {.crls = {impostor.Revoke({leaf})}}), "");
}

TEST_P(PeerAssessmentRevocation, NewestListDecidesWhatIsCurrent) {
  const Certificate leaf = Authority().Issue();
  const Crl old_list = Authority().Revoke({}, TestTime() - 3 * kTestDay);
  const Crl new_list = Authority().Revoke({leaf}, TestTime() - kTestDay);
  EXPECT_EQ(Answer(leaf, {.crls = {new_list, old_list}}), "certificate_revoked");
  EXPECT_EQ(Answer(leaf, {.crls = {old_list, new_list}}), "certificate_revoked");
}

TEST_P(PeerAssessmentRevocation, ListPastItsTimeIsRefusedAfterTheGrace) {
  const Certificate leaf = Authority().Issue();
  const Crl crl = Authority().Revoke({}, TestTime() - 2 * kTestDay, TestTime() - kTestDay);
  EXPECT_EQ(Answer(leaf, {.crls = {crl}}), "crl_expired");
  EXPECT_EQ(Answer(leaf, {.crls = {crl}, .crl_grace = kTestDay}), "");
  EXPECT_EQ(Answer(leaf, {.crls = {crl}, .crl_grace = kTestDay - Seconds(1)}), "crl_expired");
}

TEST_P(PeerAssessmentRevocation, AnswerHoldsNoLongerThanTheList) {
  const Certificate leaf = Authority().Issue();
  const Crl crl = Authority().Revoke({}, TestTime(), TestTime() + Seconds(50));
  const PeerAssessment peer =
      Assess(leaf.ToPem(), {.mode = GetParam(), .crls = {crl}, .crl_grace = Seconds(5)});
  ASSERT_TRUE(peer.status.ok()) << peer.status;
  EXPECT_EQ(peer.valid_until, TestTime() + Seconds(55));
}

TEST_P(PeerAssessmentRevocation, RequiredFailsClosedWithoutAList) {
  const Certificate leaf = Authority().Issue();
  EXPECT_EQ(Answer(leaf, {.revocation = RevocationCheck::kRequired}), "revocation_unknown");
  EXPECT_EQ(
      Answer(leaf, {.crls = {Authority().Revoke({})}, .revocation = RevocationCheck::kRequired}),
      "");
}

TEST(PeerAssessment, UnverifiedSelfSignedNeedsNoListEvenWhenListsAreRequired) {
  EXPECT_EQ(CodeOrNone(Assess(SelfSigned({}).ToPem(), {.mode = Mode::kRequestUnverified,
                                                       .revocation = RevocationCheck::kRequired})
                           .status),
            "");
}

// Nobody here can check its signature, but all that it can do is refuse.
TEST(PeerAssessment, UnverifiedPeerIsRevokedByAListWhoseCaIsNotTrusted) {
  const PeerAuthority other("/CN=other");
  const Certificate leaf = other.Issue();
  EXPECT_EQ(CodeOrNone(Assess(leaf.ToPem(),
                              {.mode = Mode::kRequestUnverified, .crls = {other.Revoke({leaf})}})
                           .status),
            "certificate_revoked");
}

}  // namespace
}  // namespace troth
