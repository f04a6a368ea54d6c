#include "troth/ca/authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/authority_testing.h"
#include "troth/ca/ledger.h"

namespace troth::ca_testing {
namespace {

using testing::HasSubstr;

constexpr Seconds kDay = std::chrono::hours(24);
constexpr Seconds kYear = std::chrono::hours(24 * 365);

class AuthorityOpeningTest : public AuthorityTest {
 protected:
  AuthorityOpeningTest() { Start(); }
  void Close() {
    admin_.reset();
    authority_.reset();
  }
};

TEST_F(AuthorityOpeningTest, AStoreOfAnotherAuthorityIsRefused) {
  Close();
  folder_ = AuthorityFolder(root_ / "other");
  AuthoritySpec spec;
  spec.settings = settings_;
  ASSERT_TRUE(CreateAuthority(folder_, spec, clock_).ok());
  EXPECT_EQ(ReasonOf(Open()), Reason::kKeyMismatch);
}

TEST_F(AuthorityOpeningTest, AnIssuerThatHasEndedDoesNotOpen) {
  Close();
  clock_.now += kYear + kDay;
  EXPECT_EQ(ReasonOf(Open()), Reason::kCertificateExpired);
}

TEST_F(AuthorityOpeningTest, AStoreThatCannotBeWrittenDoesNotOpen) {
  Close();
  store_->FailWrites(true);
  EXPECT_EQ(ReasonOf(Open()), Reason::kStoreFailed);
}

TEST_F(AuthorityOpeningTest, TheSignedHeadIsWrittenAtTheEndAndVouchesForTheLedger) {
  MustEnrol(Applicant({"db.internal"}));
  const Certificate issuer = authority_->issuer();
  LedgerHead head = *admin_->ReadLedger(1, [](const LedgerEntry&) { return false; });
  Close();
  const auto kept = SignedHead::FromText(Content(folder_.LedgerHead()));
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_TRUE(kept->Verify().ok());
  EXPECT_EQ(kept->signer_der, issuer.der());
  EXPECT_EQ(kept->head.sequence, head.sequence);
  EXPECT_EQ(kept->head.hash, head.hash);
  EXPECT_TRUE(Open().ok());
}

TEST_F(AuthorityOpeningTest, TheSignedHeadIsWrittenAMinuteAfterAChange) {
  MustEnrol(Applicant({"db.internal"}));
  KeepHouse();
  EXPECT_FALSE(FileExists(folder_.LedgerHead()));
  clock_.now += Seconds(60);
  KeepHouse();
  const std::string first = Content(folder_.LedgerHead());
  clock_.now += Seconds(60);
  KeepHouse();
  EXPECT_EQ(Content(folder_.LedgerHead()), first) << "nothing happened";
  MustEnrol(Applicant({"web.internal"}));
  clock_.now += Seconds(60);
  KeepHouse();
  EXPECT_NE(Content(folder_.LedgerHead()), first);
}

TEST_F(AuthorityOpeningTest, ALedgerThatBecameShorterOrAnotherIsNoticed) {
  MustEnrol(Applicant({"db.internal"}));
  Close();
  const std::string kept = Content(folder_.LedgerHead());
  const auto last = SignedHead::FromText(kept);
  ASSERT_TRUE(last.ok());
  const Signer issuer = std::move(OpenAuthority(folder_, nullptr, clock_.now)->issuer);
  const auto head_of = [&](const LedgerHead& head, const Signer& signer) {
    return SignHead(head, signer, clock_.now)->ToText();
  };
  const Applicant stranger({});
  const auto self_signed = [&] {
    const auto key = PrivateKey::Generate(KeyType::kP256);
    CertificateTemplate what{
        .serial = SerialNumber::Generate(clock_.now),
        .subject = authority_ == nullptr ? issuer.certificate().subject() : DistinguishedName(),
        .validity = {clock_.now, clock_.now + kDay},
        .public_key = key->public_key()};
    what.basic_constraints = BasicConstraints{.is_ca = true};
    const auto certificate = IssueSelfSigned(what, *key);
    return *Signer::Create(*certificate, *PrivateKey::FromPem(key->ToPem().Reveal()));
  };
  struct Case {
    const char* name;
    std::string text;
  };
  LedgerHead longer = last->head;
  longer.sequence += 1;
  LedgerHead other = last->head;
  other.hash[0] ^= 1;
  std::string forged = kept;
  forged[forged.find("sequence") + 10] ^= 1;
  const std::vector<Case> cases = {
      {"shorter than the head", head_of(longer, issuer)},
      {"another entry", head_of(other, issuer)},
      {"a stranger's head", head_of(last->head, self_signed())},
      {"no head", "hello\n"},
      {"a changed head", forged},
  };
  for (const Case& c : cases) {
    ASSERT_TRUE(WriteFile(folder_.LedgerHead(), c.text, {.overwrite = Overwrite::kReplace}).ok());
    EXPECT_EQ(ReasonOf(Open()), Reason::kLedgerBroken) << c.name;
    Close();
  }
  ASSERT_TRUE(WriteFile(folder_.LedgerHead(), kept, {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_TRUE(Open().ok());
}

TEST_F(AuthorityOpeningTest, ANewIssuerIsTakenOverWhileItRuns) {
  const Certificate before = MustEnrol(Applicant({"old.internal"})).certificate;
  const Certificate first_issuer = authority_->issuer();
  clock_.now += kDay;
  ASSERT_TRUE(RenewIssuer(folder_, kYear, nullptr, {}, clock_).ok());
  KeepHouse();
  EXPECT_NE(authority_->issuer(), first_issuer);
  EXPECT_THAT(authority_->IssuerNumbers(), testing::ElementsAre(2U, 1U, 0U));
  const IssuedCertificate after = MustEnrol(Applicant({"new.internal"}));
  EXPECT_EQ(after.certificate.issuer(), authority_->issuer().subject());
  EXPECT_EQ(*after.chain_pem, authority_->issuer().ToPem());
  EXPECT_THAT(after.certificate.crl_distribution_points(),
              testing::ElementsAre("http://ca.example.org:8080/crl/2"));

  // What the old one signed can still be revoked, and fetched with its own chain.
  ASSERT_TRUE(admin_->Revoke({.which = "old.internal"}).ok());
  const auto list = *authority_->CurrentCrl(1);
  EXPECT_NE(list->Find(before.serial_number()), nullptr);
  EXPECT_TRUE(list->VerifySignature(first_issuer.public_key()).ok());
  EXPECT_TRUE((*authority_->CurrentCrl(2))->entries().empty());
  Restart();
  EXPECT_THAT(authority_->IssuerNumbers(), testing::ElementsAre(2U, 1U, 0U));
  EXPECT_NE((*authority_->CurrentCrl(1))->Find(before.serial_number()), nullptr);
  EXPECT_EQ(Ledger("issuer").size(), 3U);
}

TEST_F(AuthorityOpeningTest, AnIssuerThatHasEndedHasNoListAnyMore) {
  clock_.now += kDay;
  ASSERT_TRUE(RenewIssuer(folder_, 2 * kYear, nullptr, {}, clock_).ok());
  KeepHouse();
  const auto first = authority_->IssuerOf(1);
  ASSERT_TRUE(first.ok()) << first.status();
  clock_.now = first->validity().not_after;
  EXPECT_TRUE(authority_->CurrentCrl(1).ok());
  clock_.now += Seconds(1);
  EXPECT_EQ(ReasonOf(authority_->CurrentCrl(1).status()), Reason::kFileNotFound);
  EXPECT_TRUE(authority_->CurrentCrl(2).ok());
  EXPECT_TRUE(authority_->CurrentCrl(0).ok());
}

TEST_F(AuthorityOpeningTest, AnIssuerThatCannotBeTakenOverIsSaidOnceAndTakenWhenItCan) {
  std::vector<std::string> log;
  SetLogSink([&](const LogEntry& entry) { log.push_back(entry.message); });
  const auto said = [&](const char* what) { return std::ranges::count(log, what); };
  clock_.now += kDay;
  ASSERT_TRUE(RenewIssuer(folder_, kYear, nullptr, {}, clock_).ok());
  const std::string whole = Content(folder_.IssuerCertificate());
  ASSERT_TRUE(
      WriteFile(folder_.IssuerCertificate(), "damaged", {.overwrite = Overwrite::kReplace}).ok());
  for (int i = 0; i < 5; ++i) KeepHouse();
  EXPECT_EQ(said("issuers not read again"), 1);
  EXPECT_EQ(said("issuer"), 0);

  // Its list cannot be written at first: it is taken over once all the same.
  ASSERT_EQ(mkdir(folder_.CrlFile(2).c_str(), 0755), 0);
  ASSERT_TRUE(
      WriteFile(folder_.IssuerCertificate(), whole, {.overwrite = Overwrite::kReplace}).ok());
  for (int i = 0; i < 3; ++i) KeepHouse();
  EXPECT_EQ(said("issuer"), 1);
  EXPECT_THAT(authority_->IssuerNumbers(), testing::ElementsAre(2U, 1U, 0U));
  EXPECT_FALSE(authority_->CurrentCrl(2).ok());
  ASSERT_EQ(rmdir(folder_.CrlFile(2).c_str()), 0);
  for (int i = 0; i < 1000 && !authority_->CurrentCrl(2).ok(); ++i) {
    KeepHouse();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(authority_->CurrentCrl(2).ok());
  EXPECT_EQ(said("revocation list not renewed"), 1);
  EXPECT_EQ(said("issuer"), 1);
  SetLogSink([](const LogEntry&) {}, LogLevel::kError);
}

TEST_F(AuthorityOpeningTest, AnIssuersNameIsNoLeafs) {
  const std::string name = *authority_->issuer().subject().common_name();
  const auto key = PrivateKey::Generate(KeyType::kP256);
  const auto request =
      CertificateRequest::Create(*key, *DistinguishedName::FromCommonName(name), {});
  EXPECT_EQ(ReasonOf(Enrol(AnyToken(), request->ToPem()).status()), Reason::kNameNotPermitted);
}

TEST_F(AuthorityOpeningTest, WithoutTheRootsKeyItsListStays) {
  Close();
  ASSERT_EQ(unlink(folder_.RootKey().c_str()), 0);
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(authority_->CurrentCrl(0).ok());
  Close();
  unlink(folder_.CrlFile(0).c_str());
  std::string log;
  SetLogSink([&](const LogEntry& entry) { log += entry.message + "\n"; });
  ASSERT_TRUE(Open().ok());
  SetLogSink([](const LogEntry&) {}, LogLevel::kError);
  EXPECT_EQ(ReasonOf(authority_->CurrentCrl(0).status()), Reason::kFileNotFound);
  EXPECT_THAT(log, HasSubstr("the root has no revocation list"));
}

TEST_F(AuthorityOpeningTest, AnEndThatComesNearIsSaidOnceADay) {
  std::string log;
  SetLogSink([&](const LogEntry& entry) { log += entry.message + "\n"; }, LogLevel::kWarning);
  const auto warned = [&] {
    log.clear();
    KeepHouse();
    return log.find("the issuer ends on") != std::string::npos;
  };
  clock_.now += std::chrono::hours(24);
  EXPECT_FALSE(warned()) << "a year is left";
  clock_.now = authority_->issuer().validity().not_after - std::chrono::hours(24 * 5);
  EXPECT_TRUE(warned());
  clock_.now += std::chrono::hours(23);
  EXPECT_FALSE(warned());
  clock_.now += std::chrono::hours(1);
  EXPECT_TRUE(warned());
  SetLogSink([](const LogEntry&) {}, LogLevel::kError);
}

TEST_F(AuthorityOpeningTest, EventsComeInTheOrderOfTheLedgerOnceTheyAreOnDisk) {
  std::mutex mutex;
  std::vector<AuthorityEvent> events;
  auto subscription = authority_->Subscribe([&](const AuthorityEvent& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
  });
  MustEnrol(Applicant({"db.internal"}));
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  store_->FailWrites(true);
  EXPECT_FALSE(admin_->CreateToken({.any_name = true}).ok());
  store_->FailWrites(false);
  subscription.reset();
  MustEnrol(Applicant({"web.internal"}));

  ASSERT_EQ(events.size(), 3U);
  std::vector<std::string> actions;
  for (const AuthorityEvent& event : events) {
    actions.push_back(event.note.action);
    EXPECT_EQ(Ledger()[event.sequence - 1].subject, event.note.subject);
  }
  EXPECT_THAT(actions, testing::ElementsAre("create-token", "issue", "revoke"));
}

TEST_F(AuthorityOpeningTest, StatisticsCountWhatHappened) {
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  ASSERT_TRUE(Renew(db, Applicant({}).request).ok());
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  authority_->CountRefusal(Reason::kBodyTooLarge);
  const AuthorityStatistics statistics = authority_->Statistics();
  EXPECT_EQ(statistics.issued, 1U);
  EXPECT_EQ(statistics.renewed, 1U);
  EXPECT_EQ(statistics.revoked, 2U);
  EXPECT_EQ(statistics.refused.at("body_too_large"), 1U);
  EXPECT_EQ(statistics.issuer_expires, authority_->issuer().validity().not_after);
  EXPECT_EQ(statistics.root_expires, authority_->root().validity().not_after);
  std::uint64_t measured = 0;
  for (const std::uint64_t count : statistics.latency.counts) measured += count;
  EXPECT_EQ(measured, 2U);
  EXPECT_GT(statistics.latency.sum_seconds, 0);
}

TEST_F(AuthorityOpeningTest, AnEndedIssuerIsNotHealthy) {
  EXPECT_TRUE(authority_->Health().ok());
  clock_.now += kYear + kDay;
  EXPECT_EQ(ReasonOf(authority_->Health()), Reason::kCertificateExpired);
}

TEST_F(AuthorityOpeningTest, ItsThreadKeepsHouse) {
  Close();
  auto opened = Authority::Open(
      {.folder = folder_, .settings = settings_, .profiles = profiles_, .clock = &clock_},
      std::make_unique<SharedStore>(store_));
  ASSERT_TRUE(opened.ok()) << opened.status();
  const Certificate before = (*opened)->issuer();
  ASSERT_TRUE(RenewIssuer(folder_, kYear, nullptr, {}, clock_).ok());
  for (int i = 0; i < 1000 && (*opened)->issuer() == before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_NE((*opened)->issuer(), before);
}

}  // namespace
}  // namespace troth::ca_testing
