#include "troth/rpc/server_check.h"

#include <gtest/gtest.h>

#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::Must;
using testing::TestAuthority;

class ServerCheck : public ::testing::Test {
 protected:
  std::string Check(const KeyPair& server, const ExpectedServer& expected,
                    std::string_view target = "db.internal", const std::vector<Crl>& crls = {},
                    Seconds later = Seconds(0)) const {
    const absl::Status status = CheckServer(
        {.leaf_pem = server.certificate.ToPem(), .chain_pem = server.chain_pem, .target = target},
        expected, trust_, crls, Clock::System().Now() + later);
    return testing::CodeOfAnswer(status);
  }

  TestAuthority ours_{"ours"};
  TestAuthority other_{"other"};
  TrustBundle trust_ = Must(TrustBundle::FromPem(ours_.Pem()));
};

TEST_F(ServerCheck, WantsTheHostOfTheTarget) {
  const KeyPair server = ours_.Issue(
      {.common_name = "s",
       .names = {"db.internal", "*.pool.internal", "10.0.0.7", "::1", "spiffe://example/db"}});
  const struct {
    std::string_view target;
    std::string_view answer;
  } rows[] = {
      {"db.internal", "ok"},
      {"DB.internal", "ok"},
      {"db.internal.", "ok"},
      {"a.pool.internal", "ok"},
      {"10.0.0.7", "ok"},
      {"[::1]", "ok"},
      {"::1", "ok"},
      {"a.b.pool.internal", "name_mismatch"},
      {"10.0.0.8", "name_mismatch"},
      {"other.internal", "name_mismatch"},
      {"s", "name_mismatch"},
      {"", "name_mismatch"},
      // Texts that name a URI or an address of mail elsewhere are no hosts.
      {"spiffe://example/db", "name_mismatch"},
      {"uri:spiffe://example/db", "name_mismatch"},
      {"*.pool.internal", "name_mismatch"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Check(server, ExpectedServer(), row.target), row.answer) << row.target;
  }
}

TEST_F(ServerCheck, WantsTheNameThatTheClientSaysWhateverTheTargetIs) {
  const KeyPair server = ours_.Issue({.common_name = "s", .names = {"db.internal", "10.0.0.7"}});
  EXPECT_EQ(Check(server, ExpectDnsName("db.internal"), "127.0.0.1"), "ok");
  EXPECT_EQ(Check(server, ExpectDnsName("10.0.0.7"), "127.0.0.1"), "ok");
  EXPECT_EQ(Check(server, ExpectDnsName("web.internal"), "db.internal"), "name_mismatch");
}

TEST_F(ServerCheck, WantsTheSpiffeIdAndNoDnsName) {
  const KeyPair server = ours_.Issue({.common_name = "s", .names = {"spiffe://example/db"}});
  EXPECT_EQ(Check(server, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://example/db")))), "ok");
  EXPECT_EQ(Check(server, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://example/dbx")))),
            "name_mismatch");
  EXPECT_EQ(Check(server, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://other/db")))),
            "name_mismatch");
}

TEST_F(ServerCheck, TwoUriNamesAreNoSpiffeId) {
  const KeyPair server =
      ours_.Issue({.common_name = "s", .names = {"spiffe://example/db", "spiffe://example/web"}});
  EXPECT_EQ(Check(server, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://example/db")))),
            "name_mismatch");
}

TEST_F(ServerCheck, ANameDoesNotReplaceTheChain) {
  const KeyPair foreign =
      other_.Issue({.common_name = "s", .names = {"db.internal", "spiffe://example/db"}});
  EXPECT_EQ(Check(foreign, ExpectDnsName("db.internal")), "issuer_unknown");
  EXPECT_EQ(Check(foreign, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://example/db")))),
            "issuer_unknown");
  EXPECT_EQ(Check(testing::SelfSigned({.common_name = "s", .names = {"db.internal"}}),
                  ExpectDnsName("db.internal")),
            "certificate_self_signed");
}

TEST_F(ServerCheck, APinIsTheExactLeafAlsoASelfSignedOne) {
  const KeyPair self = testing::SelfSigned({.common_name = "s"});
  const KeyPair same_name = testing::SelfSigned({.common_name = "s"});
  const Sha256Digest pin = self.certificate.fingerprint();
  EXPECT_EQ(Check(self, ExpectPinned({pin})), "ok");
  EXPECT_EQ(Check(self, ExpectPinned({same_name.certificate.fingerprint(), pin})), "ok");
  EXPECT_EQ(Check(same_name, ExpectPinned({pin})), "peer_not_pinned");
  EXPECT_EQ(Check(self, ExpectPinned({})), "peer_not_pinned");
  // The authority's fingerprint pins no server of it.
  const KeyPair server = ours_.Issue({.common_name = "s", .names = {"db.internal"}});
  EXPECT_EQ(Check(server, ExpectPinned({ours_.signer().certificate().fingerprint()})),
            "peer_not_pinned");
}

TEST_F(ServerCheck, TimeCountsForPinsToo) {
  const KeyPair self = testing::SelfSigned({.common_name = "s", .lifetime = testing::hours(2)});
  const ExpectedServer pinned = ExpectPinned({self.certificate.fingerprint()});
  EXPECT_EQ(Check(self, pinned, "", {}, testing::hours(3)), "certificate_expired");
  EXPECT_EQ(Check(self, pinned, "", {}, -testing::hours(3)), "certificate_not_yet_valid");
  const KeyPair server =
      ours_.Issue({.common_name = "s", .names = {"db.internal"}, .lifetime = testing::hours(2)});
  EXPECT_EQ(Check(server, ExpectedServer(), "db.internal", {}, testing::hours(3)),
            "certificate_expired");
}

TEST_F(ServerCheck, FindsItsWayThroughIntermediates) {
  const TestAuthority issuer("issuer", ours_);
  KeyPair server = issuer.Issue({.common_name = "s", .names = {"db.internal"}});
  EXPECT_EQ(Check(server, ExpectedServer()), "ok");
  server.chain_pem = server.certificate.ToPem();
  EXPECT_EQ(Check(server, ExpectedServer()), "issuer_unknown");
}

TEST_F(ServerCheck, HeedsRevocationLists) {
  const KeyPair server = ours_.Issue({.common_name = "s", .names = {"db.internal"}});
  const Time now = Clock::System().Now();
  const Crl lists = Must(
      IssueCrl({.this_update = now - testing::hours(1),
                .next_update = now + testing::hours(1),
                .entries = {{.serial = server.certificate.serial_number(), .revoked_at = now}}},
               ours_.signer()));
  EXPECT_EQ(Check(server, ExpectedServer(), "db.internal", {lists}), "certificate_revoked");
}

TEST_F(ServerCheck, RefusesWhatIsNoCertificate) {
  const auto check = [&](std::string_view leaf, std::string_view chain) {
    return testing::CodeOfAnswer(
        CheckServer({.leaf_pem = leaf, .chain_pem = chain, .target = "db.internal"},
                    ExpectedServer(), trust_, {}, Clock::System().Now()));
  };
  const KeyPair server = ours_.Issue({.common_name = "s", .names = {"db.internal"}});
  EXPECT_EQ(check("", ""), "certificate_missing");
  EXPECT_NE(check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ""), "ok");
  EXPECT_NE(check(server.certificate.ToPem(), "-----BEGIN CERTIFICATE-----\nAAAA\n"), "ok");
}

TEST_F(ServerCheck, RefusesAPinnedServerThatAListNames) {
  const KeyPair server = ours_.Issue({.common_name = "s", .names = {"db.internal"}});
  const ExpectedServer pinned = ExpectPinned({server.certificate.fingerprint()});
  const Time now = Clock::System().Now();
  const auto list = [&](std::vector<RevokedEntry> entries) {
    return std::vector<Crl>{Must(IssueCrl(
        {.this_update = now, .next_update = now + Seconds(60), .entries = std::move(entries)},
        ours_.signer()))};
  };
  EXPECT_EQ(Check(server, pinned, "db.internal", list({})), "ok");
  EXPECT_EQ(Check(server, pinned, "db.internal",
                  list({{.serial = server.certificate.serial_number(), .revoked_at = now}})),
            "certificate_revoked");
}

}  // namespace
}  // namespace troth
