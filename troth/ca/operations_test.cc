#include "troth/ca/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/base/reason.h"
#include "troth/ca/authority_testing.h"
#include "troth/ca/ledger.h"

namespace troth::ca_testing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Seconds kDay = std::chrono::hours(24);

class OperationsTest : public AuthorityTest {
 protected:
  OperationsTest() { Start(); }
};

TEST_F(OperationsTest, TheSummarySaysWhatTheAuthorityIs) {
  const auto summary = admin_->Summary();
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->root_fingerprint, FormatFingerprint(authority_->root().fingerprint()));
  EXPECT_EQ(summary->root_pem, authority_->root().ToPem());
  EXPECT_EQ(summary->issuer_pem, authority_->issuer().ToPem());
  EXPECT_EQ(summary->trust_domain, "ca.example.org");
  EXPECT_THAT(summary->profiles, testing::Contains("default"));
}

TEST_F(OperationsTest, ARequestIsFoundByIdItsBeginningOrItsName) {
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  ASSERT_TRUE(Submit(Applicant({"web.internal"}).request).ok());
  const std::string id = FormatFingerprint(db.id());
  for (const std::string& which :
       {id, id.substr(0, 8), id.substr(0, 20), "SHA256:" + id, std::string("db.internal")}) {
    const auto shown = admin_->ShowRequest(which);
    ASSERT_TRUE(shown.ok()) << which << ": " << shown.status();
    EXPECT_EQ(shown->record.id, db.id()) << which;
  }
  for (const std::string& which : {id.substr(0, 7), std::string("db"), std::string(""),
                                   std::string(64, '0'), std::string("00000000")}) {
    EXPECT_EQ(ReasonOf(admin_->ShowRequest(which).status()), Reason::kRequestUnknown) << which;
  }
}

TEST_F(OperationsTest, AnAmbiguousNameIsRefusedWithThoseThatFit) {
  const Applicant one({"db.internal"});
  const Applicant two({"db.internal"});
  ASSERT_TRUE(Submit(one.request).ok());
  ASSERT_TRUE(Submit(two.request).ok());
  for (const absl::Status& status :
       {admin_->ShowRequest("db.internal").status(), admin_->Approve("db.internal", {}).status(),
        admin_->Reject("db.internal", "").status()}) {
    EXPECT_EQ(ReasonOf(status), Reason::kRequestAmbiguous);
    EXPECT_THAT(std::string(status.message()), HasSubstr(FormatFingerprint(one.id())));
    EXPECT_THAT(std::string(status.message()), HasSubstr(FormatFingerprint(two.id())));
  }
  EXPECT_TRUE(admin_->Approve(FormatFingerprint(one.id()), {}).ok());
}

TEST_F(OperationsTest, AnotherKeyForTheSameNameIsShown) {
  const Applicant one({"db.internal"});
  const Applicant two({"db.internal"});
  ASSERT_TRUE(Submit(one.request).ok());
  EXPECT_TRUE(admin_->ShowRequest("db.internal")->same_name_other_key.empty());
  ASSERT_TRUE(Submit(two.request).ok());
  EXPECT_THAT(admin_->ShowRequest(FormatFingerprint(one.id()))->same_name_other_key,
              ElementsAre(two.id()));
  const auto list = admin_->ListRequests({.state = RequestState::kPending});
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2U);
  EXPECT_THAT((*list)[1].same_name_other_key, ElementsAre(one.id()));
}

TEST_F(OperationsTest, WhatAnOperatorDoesIsInTheLedgerWithWhoDidIt) {
  const auto alice = authority_->AsOperator("alice");
  const Applicant one({"one.internal"});
  const Applicant two({"two.internal"});
  ASSERT_TRUE(Submit(one.request).ok());
  ASSERT_TRUE(Submit(two.request).ok());
  const auto approved = alice->Approve("one.internal", {});
  ASSERT_TRUE(approved.ok());
  ASSERT_TRUE(alice->Reject("two.internal", "not today\n").ok());
  const auto token = alice->CreateToken({.any_name = true});
  ASSERT_TRUE(token.ok());
  ASSERT_TRUE(alice->RevokeToken(token->record.id).ok());
  ASSERT_TRUE(alice->Revoke({.which = "one.internal", .reason = 1}).ok());
  ASSERT_FALSE(alice->Approve("nobody", {}).ok());

  struct Case {
    std::string action, subject, detail;
  };
  const std::vector<Case> cases = {
      {"approve", approved->record.serial.ToHex(), "one.internal"},
      {"reject", FormatFingerprint(two.id()), "not today"},
      {"create-token", token->record.id, "uses=1"},
      {"revoke-token", token->record.id, ""},
      {"revoke", approved->record.serial.ToHex(), "keyCompromise"},
      {"refuse", "nobody", "request_unknown"},
  };
  for (const Case& c : cases) {
    const std::vector<LedgerNote> notes = Ledger(c.action);
    ASSERT_EQ(notes.size(), 1U) << c.action;
    EXPECT_EQ(notes[0].actor, "alice") << c.action;
    EXPECT_EQ(notes[0].subject, c.subject) << c.action;
    EXPECT_THAT(notes[0].detail, HasSubstr(c.detail)) << c.action;
    EXPECT_EQ(notes[0].detail.find('\n'), std::string::npos) << c.action;
  }
}

TEST_F(OperationsTest, TheLedgerIsReadWithItsHashesAndHead) {
  MustEnrol(Applicant({"db.internal"}));
  LedgerVerifier verifier;
  const auto head = admin_->ReadLedger(1, [&](const LedgerEntry& entry) {
    EXPECT_TRUE(verifier.Add(entry).ok());
    return true;
  });
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_TRUE(verifier.Finish(*head).ok());
  EXPECT_GT(head->sequence, 2U);
}

TEST_F(OperationsTest, CertificatesAreListedAndShownWithWhatHappenedToThem) {
  const Certificate one = MustEnrol(Applicant({"db.internal"})).certificate;
  const Certificate two = MustEnrol(Applicant({"db.internal"})).certificate;
  ASSERT_TRUE(admin_->Revoke({.which = one.serial_number().ToHex(), .reason = 4}).ok());
  const auto list = admin_->ListCertificates({.name = "db.internal"});
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].record.serial, two.serial_number());
  EXPECT_FALSE((*list)[0].revocation.has_value());
  EXPECT_EQ((*list)[1].revocation->reason, 4);
  EXPECT_EQ(admin_->ShowCertificate("db.internal")->record.serial, two.serial_number());
  EXPECT_EQ(admin_->ShowCertificate(one.serial_number().ToHex())->revocation->reason, 4);
  EXPECT_EQ(ReasonOf(admin_->ShowCertificate("nobody").status()), Reason::kCertificateUnknown);
}

TEST_F(OperationsTest, TokensAreListedAndRefusedWhenTheyMakeNoSense) {
  EXPECT_EQ(ReasonOf(admin_->CreateToken({}).status()), Reason::kUsageError);
  EXPECT_EQ(ReasonOf(admin_->RevokeToken("0123456789abcdef").status()), Reason::kTokenInvalid);
  const auto token = admin_->CreateToken({.names = {"db.internal"}});
  ASSERT_TRUE(token.ok());
  const auto list = admin_->ListTokens();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 1U);
  EXPECT_EQ((*list)[0].created_by, "admin");
  const auto revoked = admin_->RevokeToken(token->record.id);
  EXPECT_EQ(revoked->revoked_at, clock_.now);
  clock_.now += Seconds(5);
  EXPECT_EQ(admin_->RevokeToken(token->record.id)->revoked_at, revoked->revoked_at);
}

class RefreshTest : public OperationsTest {
 protected:
  Certificate Approved(const std::string& name, Seconds lifetime) {
    const Applicant applicant({name});
    EXPECT_TRUE(Submit(applicant.request).ok());
    const auto approved = admin_->Approve(FormatFingerprint(applicant.id()), lifetime);
    EXPECT_TRUE(approved.ok()) << approved.status();
    ids_[name] = applicant.id();
    return *Certificate::FromDer(approved->record.der);
  }
  std::string Serial(const std::string& name) {
    const auto fetched = authority_->Fetch(ids_[name]);
    return fetched->issued.has_value() ? fetched->issued->certificate.serial_number().ToHex()
                                       : "none";
  }
  std::map<std::string, Sha256Digest> ids_;
};

TEST_F(RefreshTest, EveryApprovedRequestIsSignedAnewAndNoOther) {
  const Certificate one = Approved("one.internal", 2 * kDay);
  Approved("ended.internal", Seconds(60));
  const Certificate revoked = Approved("revoked.internal", 2 * kDay);
  const Certificate longer = Approved("longer.internal", 60 * kDay);
  const Certificate rejected = Approved("rejected.internal", 2 * kDay);
  ASSERT_TRUE(Submit(Applicant({"waiting.internal"}).request).ok());
  ASSERT_TRUE(admin_->Revoke({.which = "revoked.internal"}).ok());
  ASSERT_TRUE(admin_->Reject("rejected.internal", "").ok());
  clock_.now += Seconds(61);

  std::vector<RefreshProgress> seen;
  const auto progress =
      admin_->Refresh({.lifetime = 7 * kDay}, [&](const RefreshProgress& p) { seen.push_back(p); });
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ(progress->total, 4U);
  EXPECT_EQ(progress->done, 2U);
  EXPECT_EQ(progress->refused, 2U);
  EXPECT_EQ(seen.front().done, 0U);
  EXPECT_EQ(seen.back().done, 2U);

  EXPECT_NE(Serial("one.internal"), one.serial_number().ToHex());
  EXPECT_NE(Serial("ended.internal"), "none");
  EXPECT_EQ(Serial("revoked.internal"), "none");
  EXPECT_EQ(Serial("longer.internal"), longer.serial_number().ToHex());
  EXPECT_EQ(Serial("rejected.internal"), "none");
  EXPECT_EQ(Stored(authority_->Fetch(ids_["one.internal"])->issued->certificate)->lineage,
            one.serial_number());
  EXPECT_EQ(Ledger("refresh").size(), 2U);
}

TEST_F(RefreshTest, MoreThanAWindowAndAPageAreRefreshed) {
  profiles_ =
      *Profiles::FromToml("[profiles.default]\nmax_pending_per_address = 1000\n", profiles_);
  Restart();
  constexpr std::uint64_t kMany = 230;
  for (std::uint64_t i = 0; i < kMany; ++i) Approved("n" + std::to_string(i) + ".internal", kDay);
  const auto progress = admin_->Refresh({}, nullptr);
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ(progress->done, kMany);
  EXPECT_EQ(Ledger("refresh").size(), kMany);
}

TEST_F(RefreshTest, OneProfileIsRefreshedAlone) {
  Approved("one.internal", kDay);
  EXPECT_EQ(admin_->Refresh({.profile = "server"}, nullptr)->total, 0U);
  EXPECT_EQ(admin_->Refresh({.profile = "default"}, nullptr)->total, 1U);
  EXPECT_EQ(ReasonOf(admin_->Refresh({.profile = "nonsense"}, nullptr).status()),
            Reason::kUsageError);
}

}  // namespace
}  // namespace troth::ca_testing
