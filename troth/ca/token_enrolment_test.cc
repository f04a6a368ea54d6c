#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "troth/base/reason.h"
#include "troth/ca/authority_testing.h"
#include "troth/ca/templates.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth::ca_testing {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Seconds kHour = std::chrono::hours(1);

class TokenEnrolmentTest : public AuthorityTest {
 protected:
  TokenEnrolmentTest() { Start(); }
};

TEST_F(TokenEnrolmentTest, WhatLeavesIsInTheStoreByteForByte) {
  const Applicant db({"db.internal", "10.0.0.1"});
  const IssuedCertificate issued = MustEnrol(db);
  const std::optional<CertificateRecord> record = Stored(issued.certificate);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->der, issued.certificate.der());
  EXPECT_EQ(record->lineage, record->serial);
  EXPECT_EQ(record->request, db.id());
  EXPECT_EQ(record->profile, "default");
  EXPECT_EQ(record->issuer, 1U);
  EXPECT_EQ(record->not_after, issued.certificate.validity().not_after);
  EXPECT_THAT(record->names, ElementsAre("db.internal", "10.0.0.1"));
}

TEST_F(TokenEnrolmentTest, TheCertificateIsGoodForItsChainAndHasTheIssuersAddresses) {
  const IssuedCertificate issued = MustEnrol(Applicant({"db.internal"}));
  const Certificate& leaf = issued.certificate;
  const auto chain = *Certificate::ListFromPem(*issued.chain_pem);
  const auto root = *Certificate::FromPem(*issued.root_pem);
  EXPECT_EQ(chain.size(), 1U);
  const std::vector<Crl> lists = {**authority_->CurrentCrl(1), **authority_->CurrentCrl(0)};
  const PathResult path = ValidatePath(leaf, chain, TrustBundle::FromCertificates({root}),
                                       {.now = clock_.now,
                                        .usage = Usage::kServer,
                                        .crls = &lists,
                                        .revocation = RevocationCheck::kRequired});
  EXPECT_TRUE(path.status.ok()) << path.status;
  EXPECT_EQ(leaf.validity().not_before, clock_.now - kBackdate);
  EXPECT_THAT(leaf.crl_distribution_points(), ElementsAre("http://ca.example.org:8080/crl/1"));
  EXPECT_THAT(leaf.authority_info_access(),
              ElementsAre("caIssuers http://ca.example.org:8080/issuer/1"));
}

TEST_F(TokenEnrolmentTest, ALeafNeverOutlivesItsIssuer) {
  clock_.now = authority_->issuer().validity().not_after - kHour;
  const IssuedCertificate issued = MustEnrol(Applicant({"db.internal"}));
  EXPECT_EQ(issued.certificate.validity().not_after, authority_->issuer().validity().not_after);
}

TEST_F(TokenEnrolmentTest, RefusalsHaveTheirReasonAndUseNothingUp) {
  const Applicant db({"db.internal"});
  const std::string token = Token({.names = {"db.internal"}});
  const std::string other_authoritys =
      "troth1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  struct Case {
    const char* name;
    std::string token, request;
    std::optional<Seconds> lifetime;
    Reason reason;
  };
  const std::vector<Case> cases = {
      {"no token", "", db.request, {}, Reason::kTokenInvalid},
      {"a mistyped token", other_authoritys, db.request, {}, Reason::kTokenInvalid},
      {"another name", token, Applicant({"web.internal"}).request, {}, Reason::kNameNotPermitted},
      {"a name beside the right one",
       token,
       Applicant({"db.internal", "web.internal"}).request,
       {},
       Reason::kNameNotPermitted},
      {"no request", token, "hello", {}, Reason::kRequestMalformed},
      {"too long a life", token, db.request, std::chrono::hours(24 * 365), Reason::kUsageError},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ReasonOf(Enrol(c.token, c.request, c.lifetime).status()), c.reason) << c.name;
  }
  EXPECT_TRUE(Enrol(token, db.request).ok());
}

TEST_F(TokenEnrolmentTest, TheAuthoritysOwnNamesAreIssuedToNobody) {
  for (const std::string name :
       {"ca.example.org", "*.example.org", "spiffe://ca.example.org/troth/admin/eve"}) {
    const std::vector<AlternativeName> names = {*AlternativeName::Parse(name)};
    const auto key = PrivateKey::Generate(KeyType::kP256);
    const auto request = CertificateRequest::Create(*key, DistinguishedName(), names);
    EXPECT_EQ(ReasonOf(Enrol(AnyToken(), request->ToPem()).status()), Reason::kNameNotPermitted)
        << name;
  }
}

TEST_F(TokenEnrolmentTest, ATokenIsUsedNoMoreOftenThanItMay) {
  const std::string token = AnyToken(2);
  EXPECT_TRUE(Enrol(token, Applicant({"a.internal"}).request).ok());
  EXPECT_TRUE(Enrol(token, Applicant({"b.internal"}).request).ok());
  EXPECT_EQ(ReasonOf(Enrol(token, Applicant({"c.internal"}).request).status()),
            Reason::kTokenInvalid);
}

TEST_F(TokenEnrolmentTest, ATokenIsUsedNoMoreOftenThanItMayByManyAtOnce) {
  const std::string token = AnyToken(3);
  std::vector<std::string> requests;
  for (int i = 0; i < 24; ++i) {
    requests.push_back(Applicant({"n" + std::to_string(i) + ".internal"}).request);
  }
  std::atomic<int> issued = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = static_cast<size_t>(t); i < requests.size(); i += 4) {
        const auto answer = Enrol(token, requests[i]);
        if (answer.ok()) ++issued;
        if (ReasonOf(answer.status()) == Reason::kTokenInvalid) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(issued, 3);
  EXPECT_EQ(refused, 21);
  EXPECT_EQ(admin_->ListTokens()->front().uses, 3U);
}

TEST_F(TokenEnrolmentTest, TheSameRequestAgainGetsTheSameCertificateForAnHour) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken();
  const Certificate first = Enrol(token, db.request)->certificate;
  clock_.now += kHour - Seconds(1);
  const auto again = Enrol(token, db.request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->certificate, first);
  EXPECT_FALSE(again->chain_pem->empty());
  clock_.now += Seconds(2);
  EXPECT_EQ(ReasonOf(Enrol(token, db.request).status()), Reason::kTokenInvalid);
}

TEST_F(TokenEnrolmentTest, TheSameRequestAgainUsesNothingUpOfATokenForMany) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken(5);
  const Certificate first = Enrol(token, db.request)->certificate;
  EXPECT_EQ(Enrol(token, db.request)->certificate, first);
  EXPECT_EQ(admin_->ListTokens()->front().uses, 1U);
}

TEST_F(TokenEnrolmentTest, TheSameRequestAgainIsKnownAfterARestart) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken(5);
  const Certificate first = Enrol(token, db.request)->certificate;
  Restart();
  EXPECT_EQ(Enrol(token, db.request)->certificate, first);
  EXPECT_EQ(admin_->ListTokens()->front().uses, 1U);
}

TEST_F(TokenEnrolmentTest, TheSameRequestByManyAtOnceGetsOneCertificate) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken(8);
  std::vector<std::string> serials(8);
  std::vector<std::thread> threads;
  for (std::string& serial : serials) {
    threads.emplace_back([&] {
      const auto issued = Enrol(token, db.request);
      serial = issued.ok() ? issued->certificate.serial_number().ToHex() : "refused";
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(serials, testing::Each(serials.front()));
  EXPECT_EQ(admin_->ListTokens()->front().uses, 1U);
}

TEST_F(TokenEnrolmentTest, TheSameRequestThatOvertakesTheFirstGetsTheCertificateForBoth) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken(8);
  HoldingStore& store = StartHolding();
  store.hold = true;
  std::promise<absl::StatusOr<IssuedCertificate>> first;
  authority_->EnrolWithToken(token, db.request, {}, caller_,
                             [&](auto issued) { first.set_value(std::move(issued)); });
  store.hold = false;
  const auto second = Enrol(token, db.request);
  ASSERT_TRUE(second.ok()) << second.status();
  store.Release();
  EXPECT_EQ(first.get_future().get()->certificate, second->certificate);
  EXPECT_EQ(admin_->ListTokens()->front().uses, 1U);
}

TEST_F(TokenEnrolmentTest, TheSameRequestWithAnotherTokenOrSecretIsAnotherMatter) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken();
  const Certificate first = Enrol(token, db.request)->certificate;
  EXPECT_NE(Enrol(AnyToken(), db.request)->certificate, first);
}

TEST_F(TokenEnrolmentTest, TheSameRequestAgainGetsItsTokensCertificateAfterOthersForIt) {
  const Applicant db({"db.internal"});
  const std::string one = AnyToken();
  const std::string two = AnyToken();
  const Certificate first = Enrol(one, db.request)->certificate;
  const Certificate second = Enrol(two, db.request)->certificate;
  ASSERT_TRUE(Renew(first, db.request).ok());
  for (int restarted = 0; restarted < 2; ++restarted) {
    for (const auto& [token, certificate] : {std::pair(one, first), std::pair(two, second)}) {
      const auto again = Enrol(token, db.request);
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(again->certificate, certificate);
    }
    Restart();
  }
}

TEST_F(TokenEnrolmentTest, ARevokedCertificateIsNotGivenOutAgain) {
  const Applicant db({"db.internal"});
  const std::string token = AnyToken(5);
  const Certificate first = Enrol(token, db.request)->certificate;
  ASSERT_TRUE(admin_->Revoke({.which = first.serial_number().ToHex()}).ok());
  EXPECT_EQ(ReasonOf(Enrol(token, db.request).status()), Reason::kCertificateRevoked);
}

TEST_F(TokenEnrolmentTest, ExpiredAndRevokedTokensAreRefused) {
  const std::string expired = Token({.any_name = true, .lifetime = Seconds(60)});
  const std::string revoked = AnyToken();
  const std::string used = AnyToken(2);
  ASSERT_TRUE(Enrol(used, Applicant({"a.internal"}).request).ok());
  const std::vector<TokenRecord> records = *admin_->ListTokens();
  for (const TokenRecord& record : records) {
    if (record.expires_at > clock_.now + Seconds(60)) {
      ASSERT_TRUE(admin_->RevokeToken(record.id).ok());
    }
  }
  clock_.now += Seconds(61);
  EXPECT_EQ(ReasonOf(Enrol(expired, Applicant({"a.internal"}).request).status()),
            Reason::kTokenExpired);
  EXPECT_EQ(ReasonOf(Enrol(revoked, Applicant({"a.internal"}).request).status()),
            Reason::kTokenInvalid);
  EXPECT_EQ(ReasonOf(Enrol(used, Applicant({"b.internal"}).request).status()),
            Reason::kTokenInvalid);
}

TEST_F(TokenEnrolmentTest, NothingLeavesThatTheStoreDidNotKeep) {
  const std::string token = AnyToken();
  const Applicant db({"db.internal"});
  store_->FailWrites(true);
  EXPECT_EQ(ReasonOf(Enrol(token, db.request).status()), Reason::kStoreFailed);
  EXPECT_EQ(ReasonOf(authority_->Health()), Reason::kStoreFailed);
  store_->FailWrites(false);
  KeepHouse();
  ASSERT_TRUE(store_->WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); }).ok());
  EXPECT_TRUE(authority_->Health().ok()) << authority_->Health();
  EXPECT_TRUE(Enrol(token, db.request).ok());
}

TEST_F(TokenEnrolmentTest, EveryDecisionIsInTheLedger) {
  const Applicant db({"db.internal"});
  const IssuedCertificate issued = MustEnrol(db);
  const std::vector<LedgerNote> notes = Ledger("issue");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0].subject, issued.certificate.serial_number().ToHex());
  EXPECT_THAT(notes[0].actor, testing::StartsWith("token "));
  EXPECT_THAT(notes[0].detail, HasSubstr("db.internal"));
  EXPECT_THAT(notes[0].detail, HasSubstr(FormatFingerprint(db.id())));
  EXPECT_THAT(notes[0].detail, HasSubstr("192.0.2.1:4711"));

  ASSERT_FALSE(Enrol("troth1.nonsense", db.request).ok());
  const std::vector<LedgerNote> refusals = Ledger("refuse");
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].actor, "anonymous");
  EXPECT_THAT(refusals[0].detail, HasSubstr("token_invalid"));
}

TEST_F(TokenEnrolmentTest, StrangersCannotFillTheLedger) {
  for (int i = 0; i < 200; ++i) ASSERT_FALSE(Enrol("troth1.nonsense", "x").ok());
  EXPECT_EQ(Ledger("refuse").size(), RefusalMeter::kAnonymousPerMinute);
  EXPECT_EQ(authority_->Statistics().refused["token_invalid"], 200U);
  clock_.now += Seconds(61);
  KeepHouse();
  const std::vector<LedgerNote> notes = Ledger("refuse");
  ASSERT_EQ(notes.size(), RefusalMeter::kAnonymousPerMinute + 1);
  EXPECT_THAT(notes.back().detail, HasSubstr("170"));
}

TEST_F(TokenEnrolmentTest, NoSecretReachesLogOrLedger) {
  std::string log;
  SetLogSink([&](const LogEntry& entry) { log += FormatLogEntry(entry) + "\n"; });
  const std::string token = AnyToken();
  ASSERT_TRUE(Enrol(token, Applicant({"db.internal"}).request).ok());
  ASSERT_FALSE(Enrol(token, Applicant({"web.internal"}).request).ok());
  ASSERT_FALSE(Enrol(token + "x", Applicant({"web.internal"}).request).ok());
  SetLogSink([](const LogEntry&) {}, LogLevel::kError);
  for (const LedgerNote& note : Ledger()) log += note.actor + note.subject + note.detail + "\n";
  EXPECT_THAT(log, HasSubstr("certificate issued"));
  EXPECT_THAT(log, HasSubstr("token_invalid"));
  EXPECT_THAT(log, testing::Not(HasSubstr(token.substr(token.size() - 20))));
  EXPECT_THAT(log, testing::Not(HasSubstr(token.substr(20, 20))));
}

// A store that says of the first serials that they exist.
class SerialsTaken final : public Store {
 public:
  SerialsTaken(std::shared_ptr<Store> inner, int times) : inner_(std::move(inner)), left_(times) {}
  void Write(Work work, Done done) override {
    if (left_ > 0 && armed) {
      --left_;
      inner_->Write([](StoreTransaction&) { return MakeError(Reason::kSerialExists, "taken"); },
                    std::move(done));
      return;
    }
    inner_->Write(std::move(work), std::move(done));
  }
  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    return inner_->Read(read);
  }
  StoreStatistics Statistics() const override { return inner_->Statistics(); }
  std::atomic<bool> armed = false;

 private:
  const std::shared_ptr<Store> inner_;
  int left_;
};

TEST_F(TokenEnrolmentTest, ATakenSerialIsReplacedAFewTimes) {
  for (const auto& [times, answer] : {std::pair(2, std::optional<Reason>()),
                                      std::pair(3, std::optional(Reason::kSerialExists))}) {
    const std::string token = AnyToken();
    auto store = std::make_unique<SerialsTaken>(store_, times);
    SerialsTaken& taken = *store;
    ASSERT_TRUE(Open(std::move(store)).ok());
    taken.armed = true;
    EXPECT_EQ(ReasonOf(Enrol(token, Applicant({"a.internal"}).request).status()), answer) << times;
    taken.armed = false;
  }
}

}  // namespace
}  // namespace troth::ca_testing
