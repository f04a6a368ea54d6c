#include "troth/server/json/record.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

#include "troth/pki/issue_testing.h"

namespace troth::json {
namespace {

using boost::json::object;
using boost::json::value;
using testing::At;

// One object and a line end, and nothing else.
object Parse(const std::string& text) {
  EXPECT_TRUE(text.ends_with("}\n")) << text;
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  return boost::json::parse(text).as_object();
}

std::string TextOf(const object& from, std::string_view name) {
  const value* const found = from.if_contains(boost::json::string_view(name.data(), name.size()));
  return found == nullptr ? "(none)" : std::string(found->as_string());
}

SerialNumber Serial(int number) {
  return *SerialNumber::FromDerContent(std::string(1, static_cast<char>(0x40 + number)));
}

const Certificate& Leaf() {
  static const Certificate leaf =
      testing::Value(Issue(testing::LeafTemplate(testing::MakeKey().public_key()),
                           testing::MakeRoot(KeyType::kP256, "/CN=CA")));
  return leaf;
}

CertificateStatus Issued() {
  return {.record = {.serial = Serial(2),
                     .issuer = 3,
                     .profile = "server",
                     .lineage = Serial(1),
                     .request = Sha256("request"),
                     .token = "5f2c81a09d3e6b77",
                     .issued_at = At("2026-11-21T02:29:09Z"),
                     .not_after = At("2026-12-21T02:29:09Z"),
                     .names = {"db.internal", "with \"quotes\" and \xc3\xa9"},
                     .der = Leaf().der()}};
}

RequestRecord Decided() {
  return {.id = Sha256("request"),
          .state = RequestState::kApproved,
          .profile = "server",
          .name = "db.internal",
          .names = {"db.internal"},
          .key = Sha256("key"),
          .body = "the body",
          .address = "192.0.2.1:4711",
          .created_at = At("2026-11-21T02:29:09Z"),
          .decided_at = At("2026-11-21T02:30:00Z"),
          .decided_by = "admin",
          .decision_note = "ours",
          .certificate = Serial(2),
          .certificate_not_after = At("2026-12-21T02:29:09Z")};
}

IssuedCertificate Given(const std::string& chain = "chain\n") {
  return {.certificate = Leaf(),
          .chain_pem = std::make_shared<const std::string>(chain),
          .root_pem = std::make_shared<const std::string>("root\n")};
}

TEST(CertificateJsonTest, HasTheRecordAndTheCertificate) {
  const object out = Parse(WriteCertificate(Issued()));
  EXPECT_EQ(TextOf(out, "serial"), "42");
  EXPECT_EQ(TextOf(out, "lineage"), "41");
  EXPECT_EQ(out.at("issuer").to_number<int>(), 3);
  EXPECT_EQ(TextOf(out, "profile"), "server");
  EXPECT_EQ(out.at("names").as_array().at(1).as_string(), "with \"quotes\" and \xc3\xa9");
  EXPECT_EQ(TextOf(out, "request"), FormatFingerprint(Sha256("request")));
  EXPECT_EQ(TextOf(out, "token"), "5f2c81a09d3e6b77");
  EXPECT_EQ(TextOf(out, "issued_at"), "2026-11-21T02:29:09Z");
  EXPECT_EQ(TextOf(out, "not_after"), "2026-12-21T02:29:09Z");
  EXPECT_EQ(TextOf(out, "certificate"), Leaf().ToPem());
  EXPECT_FALSE(out.contains("revoked_at"));
}

TEST(CertificateJsonTest, SaysWhenAndWhyItWasRevoked) {
  CertificateStatus revoked = Issued();
  revoked.record.token = "";
  revoked.revocation = RevocationRecord{.serial = Serial(2),
                                        .lineage = Serial(1),
                                        .revoked_at = At("2026-11-22T00:00:00Z"),
                                        .reason = 1};
  const object out = Parse(WriteCertificate(revoked));
  EXPECT_EQ(TextOf(out, "revoked_at"), "2026-11-22T00:00:00Z");
  EXPECT_EQ(TextOf(out, "revocation_reason"), "keyCompromise");
  EXPECT_FALSE(out.contains("token"));
}

TEST(CertificateJsonTest, AListIsWithoutPemAndSaysWhereItGoesOn) {
  const object page = Parse(WriteCertificates({Issued(), Issued()}, "/v1/certificates?before=42"));
  ASSERT_EQ(page.at("certificates").as_array().size(), 2U);
  EXPECT_FALSE(page.at("certificates").as_array()[0].as_object().contains("certificate"));
  EXPECT_EQ(TextOf(page, "next"), "/v1/certificates?before=42");
  const object last = Parse(WriteCertificates({}, ""));
  EXPECT_TRUE(last.at("certificates").as_array().empty());
  EXPECT_FALSE(last.contains("next"));
}

TEST(RequestJsonTest, OperatorsSeeWhoAskedAndWhoElseDoes) {
  const RequestStatus status{.record = Decided(), .same_name_other_key = {Sha256("other")}};
  for (const object& out :
       {Parse(WriteRequest(status)),
        Parse(WriteRequests({status}, "")).at("requests").as_array().at(0).as_object()}) {
    EXPECT_EQ(TextOf(out, "id"), FormatFingerprint(Sha256("request")));
    EXPECT_EQ(TextOf(out, "state"), "approved");
    EXPECT_EQ(TextOf(out, "name"), "db.internal");
    EXPECT_EQ(TextOf(out, "key"), FormatFingerprint(Sha256("key")));
    EXPECT_EQ(TextOf(out, "address"), "192.0.2.1:4711");
    EXPECT_EQ(TextOf(out, "decided_by"), "admin");
    EXPECT_EQ(TextOf(out, "decided_at"), "2026-11-21T02:30:00Z");
    EXPECT_EQ(TextOf(out, "certificate_serial"), "42");
    EXPECT_EQ(TextOf(out, "certificate_not_after"), "2026-12-21T02:29:09Z");
    EXPECT_EQ(out.at("same_name_other_key").as_array().at(0).as_string(),
              FormatFingerprint(Sha256("other")));
  }
}

TEST(RequestJsonTest, OthersSeeWhatBecameOfItAndNotWhoDidIt) {
  IssuedWriter writer;
  const object out = Parse(writer.Write(FetchedRequest{.record = Decided(), .issued = Given()}));
  EXPECT_EQ(TextOf(out, "state"), "approved");
  EXPECT_EQ(TextOf(out, "decision_note"), "ours");
  EXPECT_EQ(TextOf(out, "certificate"), Leaf().ToPem());
  EXPECT_EQ(TextOf(out, "chain"), "chain\n");
  EXPECT_EQ(TextOf(out, "trust_bundle"), "root\n");
  EXPECT_FALSE(out.contains("address"));
  EXPECT_FALSE(out.contains("decided_by"));

  const object waiting = Parse(writer.Write(FetchedRequest{.record = {.name = "x"}}));
  EXPECT_EQ(TextOf(waiting, "state"), "pending");
  EXPECT_FALSE(waiting.contains("certificate"));
  EXPECT_FALSE(waiting.contains("decided_at"));
}

TEST(TokenJsonTest, HasTheSecretOnlyWhenItIsNew) {
  const TokenRecord record{.id = "5f2c81a09d3e6b77",
                           .secret_hash = Sha256("secret"),
                           .profile = "server",
                           .names = {"*.web.internal"},
                           .max_uses = 18446744073709551615U,
                           .uses = 2,
                           .created_at = At("2026-11-21T02:29:09Z"),
                           .expires_at = At("2026-11-21T03:29:09Z"),
                           .created_by = "admin",
                           .revoked_at = At("2026-11-21T02:40:00Z")};
  const object out = Parse(WriteToken(record));
  EXPECT_EQ(TextOf(out, "id"), "5f2c81a09d3e6b77");
  EXPECT_EQ(out.at("names").as_array().at(0).as_string(), "*.web.internal");
  EXPECT_FALSE(out.at("any_name").as_bool());
  EXPECT_EQ(out.at("max_uses").to_number<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(out.at("uses").to_number<int>(), 2);
  EXPECT_EQ(TextOf(out, "expires_at"), "2026-11-21T03:29:09Z");
  EXPECT_EQ(TextOf(out, "revoked_at"), "2026-11-21T02:40:00Z");
  EXPECT_FALSE(out.contains("token"));
  EXPECT_EQ(WriteToken(record).find(FormatFingerprint(Sha256("secret"))), std::string::npos);

  const object made =
      Parse(WriteNewToken({.record = record, .text = Secret(std::string("troth1.abc"))}));
  EXPECT_EQ(TextOf(made, "token"), "troth1.abc");
  EXPECT_EQ(TextOf(made, "id"), "5f2c81a09d3e6b77");

  const object list = Parse(WriteTokens({record, record}));
  EXPECT_EQ(list.at("tokens").as_array().size(), 2U);
}

TEST(IssuedWriterTest, WritesLeafChainAndTrustBundleApart) {
  IssuedWriter writer;
  const object out = Parse(writer.Write(Given()));
  EXPECT_EQ(out.size(), 3U);
  EXPECT_EQ(TextOf(out, "certificate"), Leaf().ToPem());
  EXPECT_EQ(TextOf(out, "chain"), "chain\n");
  EXPECT_EQ(TextOf(out, "trust_bundle"), "root\n");
}

TEST(IssuedWriterTest, FollowsTheIssuer) {
  IssuedWriter writer;
  const IssuedCertificate first = Given("first\n");
  IssuedCertificate second = first;  // a new issuer of the same root
  second.chain_pem = std::make_shared<const std::string>("second\n");
  IssuedCertificate third = first;
  third.root_pem = std::make_shared<const std::string>("third\n");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(TextOf(Parse(writer.Write(first)), "chain"), "first\n");
    EXPECT_EQ(TextOf(Parse(writer.Write(first)), "chain"), "first\n");
    EXPECT_EQ(TextOf(Parse(writer.Write(second)), "chain"), "second\n");
    EXPECT_EQ(TextOf(Parse(writer.Write(first)), "trust_bundle"), "root\n");
    EXPECT_EQ(TextOf(Parse(writer.Write(third)), "trust_bundle"), "third\n");
  }
}

TEST(IssuedWriterTest, AnIssuerWithoutIntermediatesHasAnEmptyChain) {
  IssuedWriter writer;
  EXPECT_EQ(TextOf(Parse(writer.Write(IssuedCertificate{.certificate = Leaf()})), "chain"), "");
}

}  // namespace
}  // namespace troth::json
