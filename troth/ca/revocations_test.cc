#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "troth/base/reason.h"
#include "troth/ca/authority_testing.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/record_import.h"
#include "troth/ca/revoked_list.h"

namespace troth::ca_testing {
namespace {

constexpr Seconds kDay = std::chrono::hours(24);

std::uint64_t NumberOf(const Crl& list) {
  std::uint64_t number = 0;
  for (const char octet : list.number().value_or("")) {
    number = number << 8 | static_cast<unsigned char>(octet);
  }
  return number;
}

class RevocationsTest : public AuthorityTest {
 protected:
  RevocationsTest() { Start(); }
  std::shared_ptr<const Crl> List(std::uint32_t issuer = 1) {
    const auto list = authority_->CurrentCrl(issuer);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.value_or(nullptr);
  }
  bool IsListed(const Certificate& certificate) {
    return List()->Find(certificate.serial_number()) != nullptr;
  }
};

TEST_F(RevocationsTest, ThereIsAnEmptyListFromTheStart) {
  EXPECT_TRUE(List()->entries().empty());
  EXPECT_EQ(List()->next_update(), clock_.now + crl_lifetime_);
  EXPECT_TRUE(List(0)->entries().empty());
  EXPECT_EQ(ReasonOf(authority_->CurrentCrl(2).status()), Reason::kFileNotFound);
  EXPECT_THAT(authority_->IssuerNumbers(), testing::ElementsAre(1U, 0U));
}

TEST_F(RevocationsTest, WhenTheCallReturnsTheListIsInForceInMemoryAndInItsFile) {
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  const auto revoked = admin_->Revoke({.which = "db.internal", .reason = 1});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  ASSERT_EQ(revoked->size(), 1U);
  EXPECT_EQ((*revoked)[0].revocation->reason, 1);
  EXPECT_TRUE(IsListed(db));
  const auto file = ReadCrl(folder_.CrlFile(1), authority_->issuer());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->der(), List()->der());
  EXPECT_EQ(file->Find(db.serial_number())->reason, 1);
}

TEST_F(RevocationsTest, AnIdentityIsRevokedWithAllOfItsCertificates) {
  const Certificate first = MustEnrol(Applicant({"db.internal"})).certificate;
  const Certificate second = Renew(first, Applicant({}).request)->certificate;
  const Certificate third = Renew(second, Applicant({}).request)->certificate;
  const Certificate other = MustEnrol(Applicant({"db.internal"})).certificate;
  const auto revoked = admin_->Revoke({.which = second.serial_number().ToHex()});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->size(), 3U);
  for (const Certificate& each : {first, second, third}) EXPECT_TRUE(IsListed(each));
  EXPECT_FALSE(IsListed(other));
}

TEST_F(RevocationsTest, ANameOfSeveralIdentitiesIsRevokedOnlyWhenAllAreMeant) {
  const Certificate one = MustEnrol(Applicant({"db.internal"})).certificate;
  const Certificate two = MustEnrol(Applicant({"db.internal"})).certificate;
  EXPECT_EQ(ReasonOf(admin_->Revoke({.which = "db.internal"}).status()), Reason::kRequestAmbiguous);
  EXPECT_FALSE(IsListed(one));
  const auto all = admin_->Revoke({.which = "db.internal", .all = true});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->size(), 2U);
  EXPECT_TRUE(IsListed(one) && IsListed(two));
}

TEST_F(RevocationsTest, ANameIsItselfAndNoPattern) {
  const Certificate wildcard = MustEnrol(Applicant({"*.web.internal"})).certificate;
  const Certificate one = MustEnrol(Applicant({"one.web.internal"})).certificate;
  const auto revoked = admin_->Revoke({.which = "*.web.internal", .all = true});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->size(), 1U);
  EXPECT_TRUE(IsListed(wildcard));
  EXPECT_FALSE(IsListed(one));
}

TEST_F(RevocationsTest, WhatCannotBeRevokedIsRefused) {
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  EXPECT_EQ(ReasonOf(admin_->Revoke({.which = "nobody"}).status()), Reason::kCertificateUnknown);
  EXPECT_EQ(ReasonOf(admin_->Revoke({.which = "1234"}).status()), Reason::kCertificateUnknown);
  for (const int reason : {-1, 7, 8, 11}) {
    EXPECT_EQ(ReasonOf(admin_->Revoke({.which = "db.internal", .reason = reason}).status()),
              Reason::kUsageError)
        << reason;
  }
  clock_.now = db.validity().not_after + Seconds(1);
  EXPECT_EQ(ReasonOf(admin_->Revoke({.which = "db.internal"}).status()),
            Reason::kCertificateUnknown);
  EXPECT_TRUE(admin_->Revoke({.which = db.serial_number().ToHex()}).ok()) << "by its serial";
}

TEST_F(RevocationsTest, ASecondRevocationKeepsTheFirst) {
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  const RevokeSpec spec{.which = db.serial_number().ToHex(), .reason = 1};
  const auto first = admin_->Revoke(spec);
  clock_.now += kDay;
  const auto second = admin_->Revoke({.which = spec.which, .reason = 4});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)[0].revocation->reason, 1);
  EXPECT_EQ((*second)[0].revocation->revoked_at, (*first)[0].revocation->revoked_at);
  EXPECT_EQ(Ledger("revoke").size(), 1U);
}

TEST_F(RevocationsTest, NothingIsRevokedThatTheStoreDidNotKeep) {
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  store_->FailWrites(true);
  EXPECT_EQ(ReasonOf(admin_->Revoke({.which = "db.internal"}).status()), Reason::kStoreFailed);
  store_->FailWrites(false);
  EXPECT_TRUE(authority_->CheckIssued(db).ok());
  EXPECT_TRUE(Renew(db, Applicant({}).request).ok());
}

// Whoever renews at the very moment: what was issued is revoked with the rest, or refused.
TEST_F(RevocationsTest, ARenewalThatRacesWithTheRevocationDoesNotEscape) {
  for (int round = 0; round < 10; ++round) {
    const std::string name = "r" + std::to_string(round) + ".internal";
    const Certificate first = MustEnrol(Applicant({name})).certificate;
    std::vector<Applicant> next;
    for (int i = 0; i < 6; ++i) next.emplace_back(std::vector<std::string>());
    std::atomic<bool> go = false;
    std::vector<absl::StatusOr<IssuedCertificate>> answers(6, absl::UnknownError("none"));
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        while (!go) std::this_thread::yield();
        for (size_t i = t; i < 6; i += 3) answers[i] = Renew(first, next[i].request);
      });
    }
    go = true;
    const auto revoked = admin_->Revoke({.which = first.serial_number().ToHex()});
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(revoked.ok()) << revoked.status();
    for (const auto& answer : answers) {
      if (answer.ok()) {
        EXPECT_TRUE(IsListed(answer->certificate));
      } else {
        EXPECT_EQ(ReasonOf(answer.status()), Reason::kCertificateRevoked);
      }
    }
  }
}

TEST_F(RevocationsTest, ARenewalThatIsSignedAndNotStoredYetIsRefused) {
  const Certificate first = MustEnrol(Applicant({"db.internal"})).certificate;
  const Applicant same_key({"other.internal"});
  const Certificate other = MustEnrol(same_key).certificate;
  const std::string token = AnyToken();
  HoldingStore& store = StartHolding();
  store.hold = true;
  std::promise<absl::StatusOr<IssuedCertificate>> renewed;
  std::promise<absl::StatusOr<IssuedCertificate>> enrolled;
  authority_->Renew(first, Applicant({}).request, {}, caller_,
                    [&](auto issued) { renewed.set_value(std::move(issued)); });
  authority_->EnrolWithToken(token, same_key.request, {}, caller_,
                             [&](auto issued) { enrolled.set_value(std::move(issued)); });
  store.hold = false;
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  ASSERT_TRUE(admin_->Revoke({.which = "other.internal"}).ok());
  store.Release();
  EXPECT_EQ(ReasonOf(renewed.get_future().get().status()), Reason::kCertificateRevoked);
  EXPECT_EQ(ReasonOf(enrolled.get_future().get().status()), Reason::kCertificateRevoked);
}

TEST_F(RevocationsTest, ListsAreMadeAFewTimesASecondAtMost) {
  constexpr int kTimes = 4;
  const std::string token = AnyToken(kTimes);
  std::vector<std::string> serials;
  for (int i = 0; i < kTimes; ++i) {
    serials.push_back(Enrol(token, Applicant({"n" + std::to_string(i) + ".internal"}).request)
                          ->certificate.serial_number()
                          .ToHex());
  }
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& serial : serials) ASSERT_TRUE(admin_->Revoke({.which = serial}).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - start, (kTimes - 1) * CrlKeeper::kGap);
}

TEST_F(RevocationsTest, ManyRevocationsAtOnceShareLists) {
  std::vector<std::string> serials;
  const std::string token = AnyToken(40);
  for (int i = 0; i < 40; ++i) {
    serials.push_back(Enrol(token, Applicant({"n" + std::to_string(i) + ".internal"}).request)
                          ->certificate.serial_number()
                          .ToHex());
  }
  const std::uint64_t before = NumberOf(*List());
  std::atomic<int> absent = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < serials.size(); i += 8) {
        const auto revoked = admin_->Revoke({.which = serials[i]});
        if (!revoked.ok() || List()->Find((*revoked)[0].record.serial) == nullptr) ++absent;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(absent, 0);
  EXPECT_LE(NumberOf(*List()) - before, 20U) << "lists for 40 revocations";
}

TEST_F(RevocationsTest, ANewListIsMadeAtHalfTheOldOnesLife) {
  const std::string first = List()->der();
  clock_.now += crl_lifetime_ / 2 - Seconds(1);
  KeepHouse();
  EXPECT_EQ(List()->der(), first);
  clock_.now += Seconds(1);
  KeepHouse();
  for (int i = 0; i < 500 && List()->der() == first; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(List()->next_update(), clock_.now + crl_lifetime_);
}

TEST_F(RevocationsTest, NumbersNeverFallNotEvenWithAnOlderStore) {
  clock_.now += kDay;
  const std::uint64_t first = NumberOf(*List());
  MustEnrol(Applicant({"db.internal"}));
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  const std::uint64_t second = NumberOf(*List());
  EXPECT_GT(second, first);
  Restart();
  const std::uint64_t third = NumberOf(*List());
  EXPECT_GT(third, second);
  clock_.now -= kDay / 2;
  Restart();
  EXPECT_GT(NumberOf(*List()), third) << "a clock that was set back";
  clock_.now += kDay;
  // A store from a backup, which knows nothing of the last lists.
  admin_.reset();
  authority_.reset();
  unlink(folder_.LedgerHead().c_str());
  store_ = std::make_shared<MemoryStore>(clock_);
  Restart();
  EXPECT_GT(NumberOf(*List()), third);
}

TEST_F(RevocationsTest, AnEntryLeavesTheListAfterItsCertificateHasEnded) {
  const Certificate db = Enrol(AnyToken(), Applicant({"db.internal"}).request, kDay)->certificate;
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  clock_.now = db.validity().not_after + crl_lifetime_;
  Restart();
  EXPECT_TRUE(IsListed(db)) << "RFC 5280 section 3.3: on one more list";
  clock_.now += Seconds(1);
  Restart();
  EXPECT_FALSE(IsListed(db));
  EXPECT_EQ(ReasonOf(authority_->CheckIssued(db)), Reason::kCertificateRevoked);
}

// As after a start in a bad moment, or without a battery.
TEST_F(RevocationsTest, AClockThatWasAheadLeavesNoListInTheFutureAndNoEntryBehind) {
  const Certificate db = Enrol(AnyToken(), Applicant({"db.internal"}).request, kDay)->certificate;
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  const auto keep_until = [&](const auto& condition) {
    for (int i = 0; i < 500 && !condition(); ++i) {
      KeepHouse();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return condition();
  };
  clock_.now += 30 * kDay;
  ASSERT_TRUE(keep_until([&] { return List()->this_update() > clock_.now - kDay; }));
  EXPECT_FALSE(IsListed(db));
  const std::uint64_t ahead = NumberOf(*List());
  clock_.now -= 30 * kDay;
  EXPECT_TRUE(keep_until([&] { return List()->this_update() <= clock_.now; }));
  EXPECT_EQ(List()->next_update(), clock_.now + crl_lifetime_);
  EXPECT_TRUE(IsListed(db));
  EXPECT_GT(NumberOf(*List()), ahead);
}

TEST_F(RevocationsTest, AnIssuerThatHasEndedNeedsNoListAnyMore) {
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  const std::string before = List()->der();
  std::vector<std::string> errors;
  SetLogSink([&](const LogEntry& entry) { errors.push_back(entry.message); }, LogLevel::kError);
  clock_.now = authority_->issuer().validity().not_after + kDay;
  for (int i = 0; i < 3; ++i) KeepHouse();
  const auto revoked = admin_->Revoke({.which = db.serial_number().ToHex()});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->front().warning, "");
  const auto file = ReadCrl(folder_.CrlFile(1), authority_->issuer());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->der(), before);
  EXPECT_EQ(ReasonOf(authority_->CurrentCrl(1).status()), Reason::kFileNotFound);
  EXPECT_THAT(errors, testing::IsEmpty());
  SetLogSink([](const LogEntry&) {}, LogLevel::kError);
}

TEST_F(RevocationsTest, AListThatCannotBeMadeIsSaidOnceAndMadeWhenItCan) {
  std::vector<std::string> errors;
  SetLogSink(
      [&](const LogEntry& entry) {
        if (entry.message == "revocation list not renewed") errors.push_back(entry.message);
      },
      LogLevel::kError);
  const std::string first = List()->der();
  clock_.now += crl_lifetime_ / 2;
  store_->FailWrites(true);
  const auto end = std::chrono::steady_clock::now() + 4 * CrlKeeper::kGap;
  while (std::chrono::steady_clock::now() < end) {
    KeepHouse();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  store_->FailWrites(false);
  for (int i = 0; i < 1000 && List()->der() == first; ++i) {
    KeepHouse();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_NE(List()->der(), first);
  EXPECT_EQ(errors.size(), 1U);
  SetLogSink([](const LogEntry&) {}, LogLevel::kError);
}

// What the root itself signed, as after an import, is on no list before the root signs one.
TEST_F(RevocationsTest, WhatNoListCanSayYetIsSaidToTheOperator) {
  const Signer root = *Signer::Create(authority_->root(), *ReadKeyFile(folder_.RootKey(), nullptr));
  const auto key = PrivateKey::Generate(KeyType::kP256);
  const Certificate old = *Issue({.serial = SerialNumber::Generate(clock_.now),
                                  .subject = *DistinguishedName::FromCommonName("old.internal"),
                                  .validity = {clock_.now, clock_.now + kDay},
                                  .public_key = key->public_key()},
                                 root);
  RecordImport records(*store_, authority_->root(), "default", clock_.now);
  ASSERT_TRUE(records.AddCertificate(old.ToPem(), "old").ok());
  ASSERT_TRUE(records.Finish().ok());
  MustEnrol(Applicant({"db.internal"}));
  EXPECT_EQ(admin_->Revoke({.which = "db.internal"})->front().warning, "");
  const auto revoked = admin_->Revoke({.which = "old.internal"});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_THAT(revoked->front().warning, testing::HasSubstr("troth issuer renew"));
  EXPECT_EQ(List(0)->Find(old.serial_number()), nullptr);

  // What the operator is told to do, which is all that is left to do.
  const auto entries = RevokedOf(*store_, 0, clock_.now);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_TRUE(RenewIssuer(folder_, 365 * kDay, nullptr, *entries, clock_).ok());
  KeepHouse();
  EXPECT_NE(List(0)->Find(old.serial_number()), nullptr);
  EXPECT_EQ(admin_->Revoke({.which = old.serial_number().ToHex()})->front().warning, "");
}

TEST_F(RevocationsTest, AnIssuerWhoseKeyIsGoneIsSaidToTheOperator) {
  MustEnrol(Applicant({"db.internal"}));
  const std::string key = folder_.OlderIssuerKey(authority_->issuer().public_key());
  ASSERT_TRUE(RenewIssuer(folder_, 365 * kDay, nullptr, {}, clock_).ok());
  ASSERT_EQ(unlink(key.c_str()), 0);
  Restart();
  const auto revoked = admin_->Revoke({.which = "db.internal"});
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_THAT(revoked->front().warning, testing::HasSubstr(key));
}

TEST_F(RevocationsTest, OneTierHasOneListNumberZero) {
  admin_.reset();
  authority_.reset();
  store_ = std::make_shared<MemoryStore>(clock_);
  folder_ = AuthorityFolder(root_ / "one-tier");
  settings_.one_tier = true;
  Start();
  EXPECT_THAT(authority_->IssuerNumbers(), testing::ElementsAre(0U));
  const Certificate db = MustEnrol(Applicant({"db.internal"})).certificate;
  EXPECT_EQ(Stored(db)->issuer, 0U);
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  EXPECT_NE(List(0)->Find(db.serial_number()), nullptr);
  EXPECT_EQ(List(0)->next_update(), clock_.now + crl_lifetime_);
}

}  // namespace
}  // namespace troth::ca_testing
