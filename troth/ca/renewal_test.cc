#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/ca/authority_testing.h"

namespace troth::ca_testing {
namespace {

constexpr Seconds kDay = std::chrono::hours(24);

class RenewalTest : public AuthorityTest {
 protected:
  RenewalTest() { Start(); }
};

TEST_F(RenewalTest, ANewKeyKeepsNamesProfileAndLineage) {
  const Certificate first = MustEnrol(Applicant({"db.internal", "10.0.0.1"})).certificate;
  clock_.now += 10 * kDay;
  const auto renewed = Renew(first, Applicant({}).request);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  const Certificate& second = renewed->certificate;
  EXPECT_NE(second.public_key(), first.public_key());
  EXPECT_EQ(second.subject(), first.subject());
  EXPECT_EQ(second.alternative_names(), first.alternative_names());
  EXPECT_GT(second.validity().not_after, first.validity().not_after);
  EXPECT_EQ(Stored(second)->lineage, first.serial_number());
  EXPECT_EQ(Stored(second)->profile, "default");

  const Certificate third = Renew(second, Applicant({}).request)->certificate;
  EXPECT_EQ(Stored(third)->lineage, first.serial_number());
  EXPECT_EQ(Ledger("renew").size(), 2U);
  EXPECT_EQ(authority_->Statistics().renewed, 2U);
}

TEST_F(RenewalTest, ARequestAsksForTheSameNamesOrNone) {
  const Applicant db({"db.internal", "10.0.0.1"});
  const Certificate first = MustEnrol(db).certificate;
  struct Case {
    const char* name;
    std::string request;
    std::optional<Reason> reason;
  };
  const std::vector<Case> cases = {
      {"the same request", db.request, {}},
      {"the same names, another order and case",
       CertificateRequest::Create(
           db.key, *DistinguishedName::FromCommonName("db.internal"),
           {*AlternativeName::Parse("10.0.0.1"), *AlternativeName::Parse("DB.internal")})
           ->ToPem(),
       {}},
      {"only the common name",
       CertificateRequest::Create(db.key, *DistinguishedName::FromCommonName("db.internal"), {})
           ->ToPem(),
       {}},
      {"one name less", Applicant({"db.internal"}).request, Reason::kNameNotPermitted},
      {"one name more", Applicant({"db.internal", "10.0.0.1", "web.internal"}).request,
       Reason::kNameNotPermitted},
      {"another common name",
       CertificateRequest::Create(db.key, *DistinguishedName::FromCommonName("web.internal"), {})
           ->ToPem(),
       Reason::kNameNotPermitted},
      {"no request", "hello", Reason::kRequestMalformed},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ReasonOf(Renew(first, c.request).status()), c.reason) << c.name;
  }
}

TEST_F(RenewalTest, OnlyACertificateOfThisStoreIsRenewed) {
  const Certificate own = MustEnrol(Applicant({"db.internal"})).certificate;
  // The issuer's own signature is not enough: its record decides.
  const auto keys = OpenAuthority(folder_, nullptr, clock_.now);
  ASSERT_TRUE(keys.ok());
  const auto forge = [&](const SerialNumber& serial) {
    return *Issue({.serial = serial,
                   .subject = own.subject(),
                   .validity = own.validity(),
                   .public_key = own.public_key(),
                   .alternative_names = own.alternative_names()},
                  keys->issuer);
  };
  const Applicant next({});
  EXPECT_EQ(ReasonOf(Renew(forge(SerialNumber::Generate(clock_.now)), next.request).status()),
            Reason::kCertificateUnknown);
  EXPECT_EQ(ReasonOf(Renew(forge(own.serial_number()), next.request).status()),
            Reason::kCertificateUnknown);
  EXPECT_EQ(ReasonOf(authority_->CheckIssued(forge(own.serial_number()))),
            Reason::kCertificateUnknown);
  EXPECT_TRUE(authority_->CheckIssued(own).ok());
}

TEST_F(RenewalTest, AnExpiredCertificateIsNotRenewed) {
  const Certificate first = MustEnrol(Applicant({"db.internal"})).certificate;
  clock_.now = first.validity().not_after + Seconds(1);
  EXPECT_EQ(ReasonOf(Renew(first, Applicant({}).request).status()), Reason::kCertificateExpired);
  EXPECT_EQ(ReasonOf(authority_->CheckIssued(first)), Reason::kCertificateExpired);
}

TEST_F(RenewalTest, ARevokedIdentityIsNotRenewedByAnyOfItsCertificates) {
  const Certificate first = MustEnrol(Applicant({"db.internal"})).certificate;
  const Certificate second = Renew(first, Applicant({}).request)->certificate;
  ASSERT_TRUE(admin_->Revoke({.which = second.serial_number().ToHex()}).ok());
  for (const Certificate& each : {first, second}) {
    EXPECT_EQ(ReasonOf(Renew(each, Applicant({}).request).status()), Reason::kCertificateRevoked);
    EXPECT_EQ(ReasonOf(authority_->CheckIssued(each)), Reason::kCertificateRevoked);
  }
  Restart();
  EXPECT_EQ(ReasonOf(Renew(first, Applicant({}).request).status()), Reason::kCertificateRevoked);
}

TEST_F(RenewalTest, ARevokedKeyIsNotCertifiedAgain) {
  Applicant db({"db.internal"});
  const Certificate first = MustEnrol(db).certificate;
  ASSERT_TRUE(admin_->Revoke({.which = first.serial_number().ToHex()}).ok());
  EXPECT_EQ(ReasonOf(Enrol(AnyToken(), db.request).status()), Reason::kCertificateRevoked);
  const Applicant elsewhere({"other.internal"}, std::move(db.key));
  EXPECT_EQ(ReasonOf(Enrol(AnyToken(), elsewhere.request).status()), Reason::kCertificateRevoked);
  EXPECT_EQ(ReasonOf(Submit(elsewhere.request).status()), Reason::kCertificateRevoked);
  EXPECT_TRUE(Enrol(AnyToken(), Applicant({"db.internal"}).request).ok()) << "with a new key";
}

TEST_F(RenewalTest, TheAuthoritysOwnCertificatesAreForItselfOnly) {
  const auto key = PrivateKey::Generate(KeyType::kP256);
  const auto own = authority_->IssueOwn(
      key->public_key(),
      {*AlternativeName::Parse("ca.example.org"), *AlternativeName::Parse("127.0.0.1")}, 7 * kDay);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(own->certificate.alternative_names().size(), 2U);
  EXPECT_TRUE(authority_->CheckIssued(own->certificate).ok());
  EXPECT_EQ(ReasonOf(Renew(own->certificate, Applicant({}).request).status()),
            Reason::kNameNotPermitted);
}

TEST_F(RenewalTest, AProfileThatAllowsTheNamesNoMoreRenewsNoMore) {
  const Certificate first = MustEnrol(Applicant({"db.internal"})).certificate;
  profiles_ = *Profiles::FromToml("[profiles.default]\nnames = { dns = [\"*.example.org\"] }\n",
                                  Profiles::BuiltIn());
  Restart();
  EXPECT_EQ(ReasonOf(Renew(first, Applicant({}).request).status()), Reason::kNameNotPermitted);
}

TEST_F(RenewalTest, RejectingAnApprovedRequestEndsItsRenewals) {
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  ASSERT_TRUE(admin_->Approve("db.internal", {}).ok());
  const Certificate first = authority_->Fetch(db.id())->issued->certificate;
  const auto second = Renew(first, Applicant({}).request);
  ASSERT_TRUE(second.ok()) << second.status();
  const auto third = Renew(second->certificate, db.request);
  ASSERT_TRUE(third.ok()) << third.status();

  ASSERT_TRUE(admin_->Reject("db.internal", "no more").ok());
  for (const Certificate& each : {first, second->certificate, third->certificate}) {
    EXPECT_EQ(ReasonOf(Renew(each, Applicant({}).request).status()), Reason::kRequestRejected);
    EXPECT_TRUE(authority_->CheckIssued(each).ok()) << "it is not revoked";
  }
}

TEST_F(RenewalTest, ARejectionThatComesBetweenCounts) {
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  ASSERT_TRUE(admin_->Approve("db.internal", {}).ok());
  const Certificate first = authority_->Fetch(db.id())->issued->certificate;
  HoldingStore& store = StartHolding();
  store.hold = true;
  std::promise<absl::StatusOr<IssuedCertificate>> renewed;
  authority_->Renew(first, Applicant({}).request, {}, caller_,
                    [&](auto issued) { renewed.set_value(std::move(issued)); });
  store.hold = false;
  ASSERT_TRUE(admin_->Reject("db.internal", "no more").ok());
  store.Release();
  EXPECT_EQ(ReasonOf(renewed.get_future().get().status()), Reason::kRequestRejected);
}

TEST_F(RenewalTest, ARequestThatGotNothingEndsNobodysRenewals) {
  const Applicant db({"db.internal"});
  const Certificate first = MustEnrol(db).certificate;
  // Who has seen the request sends it again, without a token.
  ASSERT_TRUE(Submit(db.request).ok());
  EXPECT_TRUE(Renew(first, db.request).ok());
  ASSERT_TRUE(admin_->Reject("db.internal", "who is this?").ok());
  EXPECT_TRUE(Renew(first, db.request).ok());
}

TEST_F(RenewalTest, ARequestThatWaitsAnewDoesNotEndRenewals) {
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  ASSERT_TRUE(admin_->Approve("db.internal", kDay).ok());
  const Certificate first = authority_->Fetch(db.id())->issued->certificate;
  const Certificate second = Renew(first, Applicant({}).request)->certificate;
  clock_.now += 2 * kDay;
  ASSERT_EQ(Submit(db.request)->record.state, RequestState::kPending);
  EXPECT_TRUE(Renew(second, Applicant({}).request).ok());
}

}  // namespace
}  // namespace troth::ca_testing
