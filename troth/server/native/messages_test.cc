#include "troth/server/native/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "troth/ca/ledger.h"
#include "troth/ca/operations_testing.h"

namespace troth::native {
namespace {

using ca_testing::FakeCertificate;
using ca_testing::FakeRequest;
using ca_testing::SerialOf;
using ::testing::ElementsAre;

Time At(const char* text) { return *ParseTime(text); }

// As a message comes out of the wire.
template <typename Message>
Message Sent(const Message& message) {
  Message arrived;
  EXPECT_TRUE(arrived.ParseFromString(message.SerializeAsString()));
  return arrived;
}

std::string CodeOfResult(const auto& result) {
  return result.ok() ? "ok" : std::string(CodeOf(result.status()));
}

TEST(Messages, RequestsArriveWhole) {
  RequestStatus request = FakeRequest("db.internal", "1a2b", RequestState::kRejected);
  request.record.names = {"db.internal", "10.0.0.7"};
  request.record.body = std::string("-----BEGIN\0\xff", 12);
  request.record.decided_at = At("2026-11-21T02:00:00Z");
  request.record.decided_by = "local admin (uid 0)";
  request.record.decision_note = "unknown machine";
  request.record.certificate = SerialOf("41ab");
  request.record.certificate_not_after = At("2026-12-21T02:00:00Z");
  request.same_name_other_key = {Sha256("x"), Sha256("y")};

  const auto arrived = FromMessage(Sent(ToMessage(request)));
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  const RequestRecord& record = arrived->record;
  EXPECT_EQ(record.id, request.record.id);
  EXPECT_EQ(record.state, RequestState::kRejected);
  EXPECT_EQ(record.profile, "default");
  EXPECT_EQ(record.name, "db.internal");
  EXPECT_THAT(record.names, ElementsAre("db.internal", "10.0.0.7"));
  EXPECT_EQ(record.key, request.record.key);
  EXPECT_EQ(record.body, request.record.body);
  EXPECT_EQ(record.address, "192.0.2.1:4711");
  EXPECT_EQ(record.created_at, request.record.created_at);
  EXPECT_EQ(record.decided_at, request.record.decided_at);
  EXPECT_EQ(record.decided_by, "local admin (uid 0)");
  EXPECT_EQ(record.decision_note, "unknown machine");
  EXPECT_EQ(record.certificate, request.record.certificate);
  EXPECT_EQ(record.certificate_not_after, request.record.certificate_not_after);
  EXPECT_EQ(arrived->same_name_other_key, request.same_name_other_key);
}

TEST(Messages, EveryStateArrives) {
  for (const RequestState state : {RequestState::kPending, RequestState::kApproved,
                                   RequestState::kRejected, RequestState::kExpired}) {
    const auto arrived = FromMessage(Sent(ToMessage(FakeRequest("a", "1", state))));
    ASSERT_TRUE(arrived.ok()) << arrived.status();
    EXPECT_EQ(arrived->record.state, state);
    EXPECT_EQ(arrived->record.decided_at, std::nullopt);
    EXPECT_EQ(arrived->record.certificate, std::nullopt);
    EXPECT_EQ(arrived->record.certificate_not_after, std::nullopt);
  }
}

TEST(Messages, CertificatesArriveWhole) {
  CertificateStatus certificate = FakeCertificate("db.internal", "41ab00");
  certificate.record.lineage = SerialOf("4100");
  certificate.record.token = "5f2c81a09d3e6b77";
  auto arrived = FromMessage(Sent(ToMessage(certificate)));
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  EXPECT_EQ(arrived->record.serial, certificate.record.serial);
  EXPECT_EQ(arrived->record.issuer, 1U);
  EXPECT_EQ(arrived->record.profile, "default");
  EXPECT_EQ(arrived->record.lineage, SerialOf("4100"));
  EXPECT_EQ(arrived->record.request, certificate.record.request);
  EXPECT_EQ(arrived->record.token, "5f2c81a09d3e6b77");
  EXPECT_EQ(arrived->record.issued_at, certificate.record.issued_at);
  EXPECT_EQ(arrived->record.not_after, certificate.record.not_after);
  EXPECT_THAT(arrived->record.names, ElementsAre("db.internal"));
  EXPECT_EQ(arrived->record.der, "not a certificate");
  EXPECT_FALSE(arrived->revocation.has_value());

  certificate.revocation = RevocationRecord{.serial = certificate.record.serial,
                                            .issuer = 1,
                                            .lineage = SerialOf("4100"),
                                            .revoked_at = At("2026-11-21T02:00:00Z"),
                                            .reason = 1,
                                            .not_after = certificate.record.not_after};
  certificate.warning = "on no list";
  arrived = FromMessage(Sent(ToMessage(certificate)));
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  EXPECT_EQ(arrived->warning, "on no list");
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  ASSERT_TRUE(arrived->revocation.has_value());
  EXPECT_EQ(arrived->revocation->serial, certificate.record.serial);
  EXPECT_EQ(arrived->revocation->issuer, 1U);
  EXPECT_EQ(arrived->revocation->lineage, SerialOf("4100"));
  EXPECT_EQ(arrived->revocation->revoked_at, certificate.revocation->revoked_at);
  EXPECT_EQ(arrived->revocation->reason, 1);
  EXPECT_EQ(arrived->revocation->not_after, certificate.record.not_after);
}

TEST(Messages, TokensArriveWithoutTheHashOfTheirSecret) {
  const TokenRecord token{.id = "5f2c81a09d3e6b77",
                          .secret_hash = Sha256("secret"),
                          .profile = "server",
                          .names = {"*.web.internal"},
                          .any_name = false,
                          .max_uses = 20,
                          .uses = 3,
                          .created_at = At("2026-11-21T01:00:00Z"),
                          .expires_at = At("2026-11-21T02:00:00Z"),
                          .created_by = "local admin",
                          .revoked_at = At("2026-11-21T01:30:00Z")};
  const TokenRecord arrived = FromMessage(Sent(ToMessage(token)));
  EXPECT_EQ(arrived.id, token.id);
  EXPECT_EQ(arrived.secret_hash, Sha256Digest{});
  EXPECT_EQ(arrived.profile, "server");
  EXPECT_THAT(arrived.names, ElementsAre("*.web.internal"));
  EXPECT_FALSE(arrived.any_name);
  EXPECT_EQ(arrived.max_uses, 20U);
  EXPECT_EQ(arrived.uses, 3U);
  EXPECT_EQ(arrived.created_at, token.created_at);
  EXPECT_EQ(arrived.expires_at, token.expires_at);
  EXPECT_EQ(arrived.created_by, "local admin");
  EXPECT_EQ(arrived.revoked_at, token.revoked_at);
  EXPECT_TRUE(FromMessage(Sent(ToMessage(TokenRecord{.any_name = true}))).any_name);
}

TEST(Messages, QuestionsArriveWhole) {
  const auto requests = FromMessage(Sent(ToMessage(RequestFilter{.state = RequestState::kPending,
                                                                 .profile = "server",
                                                                 .name = "db",
                                                                 .key = Sha256("key"),
                                                                 .address = "192.0.2.1",
                                                                 .after = Sha256("after"),
                                                                 .limit = 7})));
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->state, RequestState::kPending);
  EXPECT_EQ(requests->profile, "server");
  EXPECT_EQ(requests->name, "db");
  EXPECT_EQ(requests->key, Sha256("key"));
  EXPECT_EQ(requests->address, "192.0.2.1");
  EXPECT_EQ(requests->after, Sha256("after"));
  EXPECT_EQ(requests->limit, 7U);

  const auto certificates =
      FromMessage(Sent(ToMessage(CertificateFilter{.name = "*.internal",
                                                   .profile = "server",
                                                   .expires_before = At("2026-12-21T00:00:00Z"),
                                                   .expires_after = At("2026-11-21T00:00:00Z"),
                                                   .only_revoked = true,
                                                   .before = SerialOf("41ab"),
                                                   .limit = 9})));
  ASSERT_TRUE(certificates.ok()) << certificates.status();
  EXPECT_EQ(certificates->name, "*.internal");
  EXPECT_EQ(certificates->profile, "server");
  EXPECT_EQ(certificates->expires_before, At("2026-12-21T00:00:00Z"));
  EXPECT_EQ(certificates->expires_after, At("2026-11-21T00:00:00Z"));
  EXPECT_TRUE(certificates->only_revoked);
  EXPECT_EQ(certificates->before, SerialOf("41ab"));
  EXPECT_EQ(certificates->limit, 9U);

  const TokenSpec token = FromMessage(Sent(ToMessage(TokenSpec{.profile = "server",
                                                               .names = {"a", "b"},
                                                               .any_name = true,
                                                               .max_uses = 5,
                                                               .lifetime = Seconds(90)})));
  EXPECT_EQ(token.profile, "server");
  EXPECT_THAT(token.names, ElementsAre("a", "b"));
  EXPECT_TRUE(token.any_name);
  EXPECT_EQ(token.max_uses, 5U);
  EXPECT_EQ(token.lifetime, Seconds(90));

  const RevokeSpec revoke =
      FromMessage(Sent(ToMessage(RevokeSpec{.which = "db", .reason = 4, .all = true})));
  EXPECT_EQ(revoke.which, "db");
  EXPECT_EQ(revoke.reason, 4);
  EXPECT_TRUE(revoke.all);

  const auto refresh = FromMessage(
      Sent(ToMessage(RefreshSpec{.lifetime = std::chrono::hours(48), .profile = "caramel"})));
  ASSERT_TRUE(refresh.ok()) << refresh.status();
  EXPECT_EQ(refresh->lifetime, std::chrono::hours(48));
  EXPECT_EQ(refresh->profile, "caramel");
}

TEST(Messages, WhatIsNotSaidHasTheDefaults) {
  const auto requests = FromMessage(v1::ListRequestsRequest());
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_EQ(requests->state, std::nullopt);
  EXPECT_EQ(requests->key, std::nullopt);
  EXPECT_EQ(requests->after, std::nullopt);
  EXPECT_EQ(requests->limit, kDefaultPage);
  const auto certificates = FromMessage(v1::ListCertificatesRequest());
  ASSERT_TRUE(certificates.ok()) << certificates.status();
  EXPECT_EQ(certificates->expires_before, std::nullopt);
  EXPECT_EQ(certificates->before, std::nullopt);
  EXPECT_EQ(certificates->limit, kDefaultPage);
  EXPECT_EQ(FromMessage(v1::CreateTokenRequest()).max_uses, 1U);
  EXPECT_EQ(FromMessage(v1::CreateTokenRequest()).lifetime, std::chrono::hours(1));
  EXPECT_EQ(FromMessage(v1::RefreshRequest())->lifetime, std::nullopt);
}

TEST(Messages, NoPageIsLargerThanTheLargest) {
  v1::ListRequestsRequest requests;
  requests.set_limit(std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(FromMessage(requests)->limit, kLargestPage);
  EXPECT_EQ(ToMessage(CertificateFilter{.limit = std::numeric_limits<size_t>::max()}).limit(),
            kLargestPage);
}

TEST(Messages, SummaryProgressAndLedgerArrive) {
  const AuthoritySummary summary =
      FromMessage(Sent(ToMessage(AuthoritySummary{.root_fingerprint = "ab",
                                                  .root_pem = "root",
                                                  .issuer_pem = "issuer",
                                                  .trust_domain = "example.org",
                                                  .profiles = {"default", "admin"},
                                                  .store = {.certificates = 5,
                                                            .revocations = 2,
                                                            .pending_requests = 1,
                                                            .bytes = 4096,
                                                            .expiring_day = 3,
                                                            .expiring_week = 4}})));
  EXPECT_EQ(summary.root_fingerprint, "ab");
  EXPECT_EQ(summary.root_pem, "root");
  EXPECT_EQ(summary.issuer_pem, "issuer");
  EXPECT_EQ(summary.trust_domain, "example.org");
  EXPECT_THAT(summary.profiles, ElementsAre("default", "admin"));
  EXPECT_EQ(summary.store.certificates, 5U);
  EXPECT_EQ(summary.store.revocations, 2U);
  EXPECT_EQ(summary.store.pending_requests, 1U);
  EXPECT_EQ(summary.store.bytes, 4096U);
  EXPECT_EQ(summary.store.expiring_day, 3U);
  EXPECT_EQ(summary.store.expiring_week, 4U);

  const RefreshProgress progress =
      FromMessage(Sent(ToMessage(RefreshProgress{.done = 5, .total = 9, .refused = 1})));
  EXPECT_EQ(progress.done, 5U);
  EXPECT_EQ(progress.total, 9U);
  EXPECT_EQ(progress.refused, 1U);

  const LedgerEntry entry =
      NextEntry({.sequence = 6, .hash = Sha256("before")}, {.at = At("2026-11-21T02:00:00Z"),
                                                            .actor = "local admin",
                                                            .action = "revoke",
                                                            .subject = "41ab",
                                                            .detail = "keyCompromise"});
  const auto arrived = FromMessage(Sent(ToMessage(entry)));
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  EXPECT_EQ(arrived->sequence, 7U);
  EXPECT_EQ(arrived->hash, entry.hash);
  // What arrived is what was hashed: a remote auditor can compute it.
  EXPECT_EQ(NextEntry({.sequence = 6, .hash = Sha256("before")}, arrived->note).hash, entry.hash);
  const auto head = FromMessage(Sent(ToMessage(LedgerHead{.sequence = 7, .hash = entry.hash})));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->sequence, 7U);
  EXPECT_EQ(head->hash, entry.hash);
}

TEST(Messages, WhoFetchesARequestDoesNotLearnWhereItCameFromAndWhoDecided) {
  FetchedRequest fetched{.record = FakeRequest("db", "1a").record};
  fetched.record.decided_by = "spiffe://example.org/troth/admin/alice";
  fetched.record.decision_note = "not now";
  const v1::Submitted message = Sent(ToMessage(fetched));
  EXPECT_EQ(message.request().name(), "db");
  EXPECT_EQ(message.request().decision_note(), "not now");
  EXPECT_EQ(message.request().address(), "");
  EXPECT_EQ(message.request().decided_by(), "");
  EXPECT_EQ(message.request().body(), "");
  EXPECT_FALSE(message.has_issued());
  EXPECT_FALSE(message.revoked());
  fetched.revoked = true;
  EXPECT_TRUE(ToMessage(fetched).revoked());
}

TEST(Messages, AnswersThatCannotBeAreRefused) {
  const v1::Request good = ToMessage(FakeRequest("a", "1"));
  ASSERT_EQ(CodeOfResult(FromMessage(good)), "ok");
  v1::Request wrong = good;
  wrong.set_id("short");
  EXPECT_EQ(CodeOfResult(FromMessage(wrong)), "response_malformed");
  wrong = good;
  wrong.clear_key();
  EXPECT_EQ(CodeOfResult(FromMessage(wrong)), "response_malformed");
  wrong = good;
  wrong.clear_state();
  EXPECT_EQ(CodeOfResult(FromMessage(wrong)), "response_malformed");
  wrong = good;
  wrong.set_state(static_cast<v1::RequestState>(77));
  EXPECT_EQ(CodeOfResult(FromMessage(wrong)), "response_malformed");
  wrong = good;
  wrong.set_certificate_serial(std::string("\0\1", 2));
  EXPECT_EQ(CodeOfResult(FromMessage(wrong)), "response_malformed");
  wrong = good;
  wrong.add_same_name_other_key("x");
  EXPECT_EQ(CodeOfResult(FromMessage(wrong)), "response_malformed");

  v1::Certificate certificate = ToMessage(FakeCertificate("a", "41ab"));
  ASSERT_EQ(CodeOfResult(FromMessage(certificate)), "ok");
  certificate.clear_serial();
  EXPECT_EQ(CodeOfResult(FromMessage(certificate)), "response_malformed");
  certificate = ToMessage(FakeCertificate("a", "41ab"));
  certificate.clear_lineage();
  EXPECT_EQ(CodeOfResult(FromMessage(certificate)), "response_malformed");
  EXPECT_EQ(CodeOfResult(FromMessage(v1::LedgerEntry())), "response_malformed");
  EXPECT_EQ(CodeOfResult(FromMessage(v1::LedgerHead())), "response_malformed");
}

TEST(Messages, QuestionsThatCannotBeAreRefused) {
  v1::ListRequestsRequest requests;
  requests.set_after("x");
  EXPECT_EQ(CodeOfResult(FromMessage(requests)), "usage_error");
  requests = {};
  requests.set_key("x");
  EXPECT_EQ(CodeOfResult(FromMessage(requests)), "usage_error");
  requests = {};
  requests.set_state(static_cast<v1::RequestState>(77));
  EXPECT_EQ(CodeOfResult(FromMessage(requests)), "usage_error");
  v1::ListCertificatesRequest certificates;
  certificates.set_before_serial(std::string(40, 'x'));
  EXPECT_EQ(CodeOfResult(FromMessage(certificates)), "usage_error");
  v1::RefreshRequest refresh;
  refresh.set_lifetime_seconds(-1);
  EXPECT_EQ(CodeOfResult(FromMessage(refresh)), "usage_error");
}

}  // namespace
}  // namespace troth::native
