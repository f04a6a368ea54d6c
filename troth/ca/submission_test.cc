#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "troth/base/reason.h"
#include "troth/ca/authority_testing.h"
#include "troth/ca/requests_internal.h"

namespace troth::ca_testing {
namespace {

constexpr Seconds kDay = std::chrono::hours(24);
constexpr char kUuid[] = "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d";

class SubmissionTest : public AuthorityTest {
 protected:
  void UseCaramel(bool sign_unseen_uuids) {
    settings_.one_tier = true;
    profiles_ = Profiles::CaramelBuiltIn(sign_unseen_uuids);
    Start();
  }
};

TEST_F(SubmissionTest, ARequestWaitsUntilItIsApproved) {
  Start();
  const Applicant db({"db.internal"});
  const auto submitted = Submit(db.request);
  ASSERT_TRUE(submitted.ok()) << submitted.status();
  EXPECT_EQ(submitted->record.state, RequestState::kPending);
  EXPECT_EQ(submitted->record.id, db.id());
  EXPECT_EQ(submitted->record.body, db.request);
  EXPECT_EQ(submitted->record.name, "db.internal");
  EXPECT_EQ(submitted->record.address, "192.0.2.1");
  EXPECT_FALSE(submitted->issued.has_value());
  EXPECT_EQ(authority_->Statistics().pending, 1U);

  const auto approved = admin_->Approve("db.internal", kDay);
  ASSERT_TRUE(approved.ok()) << approved.status();
  const auto fetched = authority_->Fetch(db.id());
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->record.state, RequestState::kApproved);
  EXPECT_EQ(fetched->record.decided_by, "admin");
  ASSERT_TRUE(fetched->issued.has_value());
  EXPECT_EQ(fetched->issued->certificate.der(), approved->record.der);
  EXPECT_EQ(fetched->issued->certificate.validity().not_after, clock_.now + kDay);
  EXPECT_EQ(fetched->issued_at, clock_.now);
}

TEST_F(SubmissionTest, TheSameRequestAgainAnswersTheSameRecord) {
  Start();
  const Applicant db({"db.internal"});
  const auto first = Submit(db.request);
  clock_.now += kDay;
  const auto again = Submit(db.request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->record.created_at, first->record.created_at);
  EXPECT_EQ(Ledger("submit").size(), 1U);
  ASSERT_TRUE(admin_->Approve("db.internal", {}).ok());
  EXPECT_TRUE(Submit(db.request)->issued.has_value());
}

TEST_F(SubmissionTest, ARejectedRequestStaysRejected) {
  Start();
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  ASSERT_TRUE(admin_->Reject("db.internal", "who are you?").ok());
  const auto again = Submit(db.request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->record.state, RequestState::kRejected);
  EXPECT_EQ(again->record.decision_note, "who are you?");
  EXPECT_EQ(ReasonOf(admin_->Approve("db.internal", {}).status()), Reason::kRequestState);
}

TEST_F(SubmissionTest, ARejectedRequestGetsItsOldCertificateNoMore) {
  Start();
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  ASSERT_TRUE(admin_->Approve("db.internal", {}).ok());
  ASSERT_TRUE(admin_->Reject("db.internal", "").ok());
  EXPECT_FALSE(authority_->Fetch(db.id())->issued.has_value());
}

TEST_F(SubmissionTest, ExpiredAndRevokedCertificatesAreNotFetched) {
  Start();
  for (const bool revoke : {false, true}) {
    const Applicant db({revoke ? "a.internal" : "b.internal"});
    ASSERT_TRUE(Submit(db.request).ok());
    const auto approved = admin_->Approve(FormatFingerprint(db.id()), kDay);
    ASSERT_TRUE(approved.ok()) << approved.status();
    if (revoke) {
      ASSERT_TRUE(admin_->Revoke({.which = approved->record.serial.ToHex()}).ok());
    } else {
      clock_.now += kDay + Seconds(1);
    }
    const auto fetched = authority_->Fetch(db.id());
    ASSERT_TRUE(fetched.ok());
    EXPECT_FALSE(fetched->issued.has_value());
  }
}

TEST_F(SubmissionTest, WhatIsNoRequestOrNotAllowedIsRefused) {
  Start();
  struct Case {
    const char* name;
    std::string request, profile;
    Reason reason;
  };
  const std::vector<Case> cases = {
      {"no request", "hello", "", Reason::kRequestMalformed},
      {"the authority's own name", Applicant({"ca.example.org"}).request, "",
       Reason::kNameNotPermitted},
      {"no such profile", Applicant({"db.internal"}).request, "nonsense", Reason::kUsageError},
      {"an admin's certificate", Applicant({"db.internal"}).request, "admin",
       Reason::kTokenInvalid},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ReasonOf(Submit(c.request, c.profile).status()), c.reason) << c.name;
  }
  EXPECT_EQ(ReasonOf(authority_->Fetch(Sha256("nothing")).status()), Reason::kRequestUnknown);
}

TEST_F(SubmissionTest, AProfileForTokensTakesNoRequestWithoutOne) {
  profiles_ = *Profiles::FromToml("[profiles.default]\napproval = \"token\"\n", profiles_);
  Start();
  EXPECT_EQ(ReasonOf(Submit(Applicant({"db.internal"}).request).status()), Reason::kTokenInvalid);
}

TEST_F(SubmissionTest, WaitingRequestsAreCappedPerAddressAndInAll) {
  profiles_ = *Profiles::FromToml(
      "[profiles.default]\nmax_pending = 3\nmax_pending_per_address = 2\n", profiles_);
  Start();
  const auto submit = [&](std::string address, std::string name) {
    caller_.address = std::move(address);
    return ReasonOf(Submit(Applicant({std::move(name)}).request).status());
  };
  EXPECT_EQ(submit("192.0.2.1:1", "a.internal"), std::nullopt);
  EXPECT_EQ(submit("192.0.2.1:2", "b.internal"), std::nullopt);
  EXPECT_EQ(submit("192.0.2.1:3", "c.internal"), Reason::kTooManyRequests);
  EXPECT_EQ(submit("192.0.2.2:1", "d.internal"), std::nullopt);
  EXPECT_EQ(submit("192.0.2.3:1", "e.internal"), Reason::kTooManyRequests);
  ASSERT_TRUE(admin_->Approve("a.internal", {}).ok());
  EXPECT_EQ(submit("192.0.2.3:1", "e.internal"), std::nullopt);
}

TEST_F(SubmissionTest, RequestsForOneProfileTakeNoRoomOfAnother) {
  profiles_ = *Profiles::FromToml(
      "[profiles.server]\nmax_pending = 2\nmax_pending_per_address = 1\n", profiles_);
  Start();
  const auto submit = [&](std::string address, std::string name, std::string_view profile) {
    caller_.address = std::move(address);
    return ReasonOf(Submit(Applicant({std::move(name)}).request, profile).status());
  };
  for (const char* name : {"a.internal", "b.internal", "c.internal"}) {
    EXPECT_EQ(submit("192.0.2.1:1", name, "default"), std::nullopt);
  }
  EXPECT_EQ(submit("192.0.2.1:1", "d.internal", "server"), std::nullopt);
  EXPECT_EQ(submit("192.0.2.1:1", "e.internal", "server"), Reason::kTooManyRequests);
  EXPECT_EQ(submit("192.0.2.2:1", "f.internal", "server"), std::nullopt);
  EXPECT_EQ(submit("192.0.2.3:1", "g.internal", "server"), Reason::kTooManyRequests);
  EXPECT_EQ(submit("192.0.2.3:1", "h.internal", "default"), std::nullopt);
}

TEST_F(SubmissionTest, AnAddressIsLimitedWithoutItsPortAndAsANetwork) {
  for (const auto& [address, limited] : std::vector<std::pair<std::string, std::string>>{
           {"192.0.2.1:4711", "192.0.2.1"},
           {"192.0.2.1", "192.0.2.1"},
           {"[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"},
           {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
           {"unix", "unix"},
           {"", ""},
           {"[", ""}}) {
    EXPECT_EQ(LimitedAddress(address), limited) << address;
  }
}

TEST_F(SubmissionTest, NobodyDecidesAndTheRequestExpiresUntilItIsSentAgain) {
  Start();
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  clock_.now += 30 * kDay - Seconds(1);
  KeepHouse();
  EXPECT_EQ(authority_->Fetch(db.id())->record.state, RequestState::kPending);
  clock_.now += Seconds(61);
  KeepHouse();
  EXPECT_EQ(authority_->Fetch(db.id())->record.state, RequestState::kExpired);
  EXPECT_EQ(ReasonOf(admin_->Approve("db.internal", {}).status()), Reason::kRequestState);
  EXPECT_EQ(Ledger("expire").size(), 1U);

  EXPECT_EQ(Submit(db.request)->record.state, RequestState::kPending);
  EXPECT_EQ(authority_->Fetch(db.id())->record.created_at, clock_.now);
}

// A machine that was off when its certificate ended has nothing to renew with.
TEST_F(SubmissionTest, WhoseCertificateHasEndedWaitsAgainWhenItIsSentAgain) {
  Start();
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  const auto first = admin_->Approve("db.internal", {});
  ASSERT_TRUE(first.ok()) << first.status();
  clock_.now = first->record.not_after;
  EXPECT_EQ(Submit(db.request)->record.state, RequestState::kApproved);
  clock_.now += Seconds(1);
  EXPECT_EQ(Submit(db.request)->record.state, RequestState::kPending);
  EXPECT_EQ(Submit(db.request)->record.state, RequestState::kPending);
  ASSERT_TRUE(admin_->Approve("db.internal", {}).ok());
  EXPECT_TRUE(authority_->Fetch(db.id())->issued.has_value());
}

TEST_F(SubmissionTest, WhoseCertificateWasRevokedDoesNotWaitAgain) {
  Start();
  const Applicant db({"db.internal"});
  ASSERT_TRUE(Submit(db.request).ok());
  const auto issued = admin_->Approve("db.internal", {});
  ASSERT_TRUE(issued.ok()) << issued.status();
  ASSERT_TRUE(admin_->Revoke({.which = "db.internal"}).ok());
  clock_.now = issued->record.not_after + Seconds(1);
  EXPECT_EQ(ReasonOf(Submit(db.request).status()), Reason::kCertificateRevoked);
}

TEST_F(SubmissionTest, AnUnseenUuidIsSignedAtOnceWhenItMayBe) {
  UseCaramel(/*sign_unseen_uuids=*/true);
  const auto issued = Submit(Applicant({kUuid}).request);
  ASSERT_TRUE(issued.ok()) << issued.status();
  ASSERT_TRUE(issued->issued.has_value());
  EXPECT_EQ(issued->record.state, RequestState::kApproved);
  EXPECT_EQ(issued->record.decided_by, "profile caramel");
  EXPECT_TRUE(issued->issued->chain_pem->empty()) << "one tier: the root signs";
  EXPECT_EQ(Submit(Applicant({"machine.example.org"}).request)->record.state,
            RequestState::kPending);
}

TEST_F(SubmissionTest, AUuidWaitsUnlessToldOtherwise) {
  UseCaramel(/*sign_unseen_uuids=*/false);
  EXPECT_EQ(Submit(Applicant({kUuid}).request)->record.state, RequestState::kPending);
}

TEST_F(SubmissionTest, AUuidThatWasEverSeenWaits) {
  UseCaramel(true);
  ASSERT_TRUE(Submit(Applicant({kUuid}).request)->issued.has_value());
  const auto other = Submit(Applicant({kUuid}).request);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->record.state, RequestState::kPending);
  EXPECT_FALSE(other->issued.has_value());
  // Whatever became of it.
  ASSERT_TRUE(admin_->Reject(FormatFingerprint(other->record.id), "").ok());
  EXPECT_EQ(Submit(Applicant({kUuid}).request)->record.state, RequestState::kPending);
}

TEST_F(SubmissionTest, OfManyThatAskForOneUuidAtOnceOneGetsIt) {
  UseCaramel(true);
  std::vector<Applicant> applicants;
  for (int i = 0; i < 8; ++i) applicants.emplace_back(std::vector<std::string>{kUuid});
  std::atomic<int> issued = 0;
  std::atomic<int> waiting = 0;
  std::vector<std::thread> threads;
  for (const Applicant& applicant : applicants) {
    threads.emplace_back([&] {
      const auto answer = Submit(applicant.request);
      if (!answer.ok()) return;
      ++(answer->issued.has_value() ? issued : waiting);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(issued, 1);
  EXPECT_EQ(waiting, 7);
  EXPECT_EQ(Ledger("issue").size(), 1U);
  EXPECT_EQ(Ledger("submit").size(), 7U);
}

}  // namespace
}  // namespace troth::ca_testing
