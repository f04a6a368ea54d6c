#include "troth/authz/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "troth/authz/authz_testing.h"

namespace troth {
namespace {

using testing::HasSubstr;

const PeerAuthority& Authority() {
  static const PeerAuthority& authority = *new PeerAuthority("/O=Troth/CN=ca");
  return authority;
}

bool HasRole(const std::string& table, const PeerEvidence& peer, const std::string& folder = ".") {
  const auto policy = PolicyOf("[roles]\nr = " + table, folder);
  return policy != nullptr && policy->RolesOf(peer).Has(Policy::kFirstOwnRole);
}

struct Case {
  std::string table;
  bool verified, unverified;
};

class RoleOfNames : public testing::TestWithParam<Case> {};

TEST_P(RoleOfNames, NeedsEveryKeyOfATableAndAVerifiedPeer) {
  const Certificate leaf = Authority().Issue(
      {.subject = "/C=US/O=Clementine/OU=Operator/OU=Night/CN=prometheus",
       .names = {"dns:a.monitoring.internal", "dns:b.example", "ip:10.1.2.3", "email:bob@a.example",
                 "uri:spiffe://bridge.example/operator/1"}});
  EXPECT_EQ(HasRole(GetParam().table, Verified(leaf, Authority())), GetParam().verified);
  EXPECT_EQ(HasRole(GetParam().table, Unverified(leaf)), GetParam().unverified);
  EXPECT_FALSE(HasRole(GetParam().table, {}));
}

INSTANTIATE_TEST_SUITE_P(
    All, RoleOfNames,
    testing::Values(
        Case{R"({ spiffe_id = "spiffe://bridge.example/operator/*" })", true, false},
        Case{R"({ spiffe_id = "spiffe://bridge.example/verifier/*" })", false, false},
        Case{R"({ dns = "*.monitoring.internal", common_name = "prometheus" })", true, false},
        Case{R"({ dns = "*.monitoring.internal", common_name = "grafana" })", false, false},
        Case{R"([{ dns = "x.example" }, { common_name = "prometheus" }])", true, false},
        Case{R"({ dns = ["x.example", "b.example"] })", true, false},
        Case{R"({ ip = "10.0.0.0/8" })", true, false},
        Case{R"({ ip = "11.0.0.0/8" })", false, false},
        Case{R"({ email = "*@a.example" })", true, false},
        Case{R"({ organization = "Clementine" })", true, false},
        Case{R"({ organizational_unit = "Night" })", true, false},
        Case{R"({ organizational_unit = "Day" })", false, false},
        Case{R"({ common_name = "b.example" })", false, false},
        // A name in one place is not a name in another.
        Case{R"({ dns = "prometheus" })", false, false}));

TEST(Role, SpiffeIdOfACertificateWithTwoUrisIsNone) {
  const Certificate leaf =
      Authority().Issue({.names = {"uri:spiffe://a.example/x", "uri:https://a.example/"}});
  EXPECT_FALSE(HasRole(R"({ spiffe_id = "spiffe://a.example/x" })", Verified(leaf, Authority())));
}

TEST(Role, PinComparesTheExactCertificateVerifiedOrNot) {
  TestFolder folder;
  const Certificate mine = Authority().Issue();
  const Certificate same_names = Authority().Issue();
  RewriteFile(folder / "pin.pem", mine.ToPem());
  for (const std::string& table :
       {std::string(R"({ certificate = "pin.pem" })"),
        "{ fingerprint = \"sha256:" + FormatFingerprint(mine.fingerprint()) + "\" }"}) {
    EXPECT_TRUE(HasRole(table, Unverified(mine), folder.path())) << table;
    EXPECT_TRUE(HasRole(table, Verified(mine, Authority()), folder.path())) << table;
    EXPECT_FALSE(HasRole(table, Unverified(same_names), folder.path())) << table;
    EXPECT_FALSE(HasRole(table, Verified(same_names, Authority()), folder.path())) << table;
  }
}

TEST(Role, PinFileWithTwoCertificatesPinsBoth) {
  TestFolder folder;
  const Certificate old_leaf = Authority().Issue();
  const Certificate new_leaf = Authority().Issue();
  RewriteFile(folder / "pin.pem", new_leaf.ToPem() + old_leaf.ToPem());
  EXPECT_TRUE(HasRole(R"({ certificate = "pin.pem" })", Unverified(old_leaf), folder.path()));
  EXPECT_TRUE(HasRole(R"({ certificate = "pin.pem" })", Unverified(new_leaf), folder.path()));
}

TEST(Role, PinBesideANameNeedsAVerifiedPeer) {
  TestFolder folder;
  const Certificate leaf = Authority().Issue({.names = {"dns:a.example"}});
  RewriteFile(folder / "pin.pem", leaf.ToPem());
  const std::string table = R"({ certificate = "pin.pem", dns = "a.example" })";
  EXPECT_TRUE(HasRole(table, Verified(leaf, Authority()), folder.path()));
  EXPECT_FALSE(HasRole(table, Unverified(leaf), folder.path()));
}

TEST(Role, OnlyTheLeafCountsNeverAnotherCertificateOfTheChain) {
  TestFolder folder;
  const Certificate pinned = Authority().Issue({.names = {"dns:pinned.example"}});
  const Certificate other = Authority().Issue();
  RewriteFile(folder / "pin.pem", pinned.ToPem());
  PeerEvidence peer = Verified(other, Authority());
  peer.path.insert(peer.path.begin() + 1, pinned);
  EXPECT_FALSE(HasRole(R"({ certificate = "pin.pem" })", peer, folder.path()));
  EXPECT_FALSE(HasRole(R"({ dns = "pinned.example" })", peer));
}

TEST(Role, ACaCertificateNeverPins) {
  TestFolder folder;
  RewriteFile(folder / "ca.pem", Authority().pem());
  const auto policy =
      Policy::FromText("[roles]\nr = { certificate = \"ca.pem\" }", "p.toml", folder.path());
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(ReasonOf(policy.status()), Reason::kPolicyInvalid);
  EXPECT_THAT(std::string(policy.status().message()), HasSubstr("p.toml:2: "));
  // A fingerprint does not tell what it is of, until somebody shows that certificate.
  const std::string table =
      "{ fingerprint = \"" + FormatFingerprint(Authority().certificate().fingerprint()) + "\" }";
  EXPECT_FALSE(HasRole(table, Unverified(Authority().certificate())));
}

TEST(Role, IssuerMustLieOnTheVerifiedPath) {
  TestFolder folder;
  const PeerAuthority intermediate = Authority().Intermediate("/CN=issuing");
  const PeerAuthority other("/CN=other");
  // The same name, another key.
  const PeerAuthority impostor("/O=Troth/CN=ca");
  RewriteFile(folder / "root.pem", Authority().pem());
  RewriteFile(folder / "intermediate.pem", intermediate.pem());
  RewriteFile(folder / "other.pem", other.pem());
  RewriteFile(folder / "impostor.pem", impostor.pem());
  const Certificate leaf = intermediate.Issue({.names = {"dns:a.example"}});
  const PeerEvidence peer{.leaf = leaf,
                          .verified = true,
                          .path = {leaf, intermediate.certificate(), Authority().certificate()}};
  const auto has = [&](const std::string& issuer) {
    return HasRole("{ dns = \"a.example\", issuer = \"" + issuer + "\" }", peer, folder.path());
  };
  EXPECT_TRUE(has("root.pem"));
  EXPECT_TRUE(has("intermediate.pem"));
  EXPECT_FALSE(has("other.pem"));
  EXPECT_FALSE(has("impostor.pem"));
  EXPECT_FALSE(HasRole(R"({ issuer = "root.pem" })", Unverified(leaf), folder.path()));
  EXPECT_TRUE(HasRole(R"({ issuer = "root.pem" })", peer, folder.path()));
  // Nobody issues itself: a CA that calls is not one of its own peers.
  EXPECT_FALSE(HasRole(R"({ issuer = "intermediate.pem" })",
                       Verified(intermediate.certificate(), Authority()), folder.path()));
}

struct BadFile {
  std::string table;
  Reason reason;
};

TEST(Role, BadFilesAreNamedByAbsolutePathAndLine) {
  TestFolder folder;
  RewriteFile(folder / "text.pem", "hello");
  RewriteFile(folder / "leaf.pem", Authority().Issue().ToPem());
  for (const BadFile& bad : {BadFile{R"({ certificate = "missing.pem" })", Reason::kFileNotFound},
                             BadFile{R"({ certificate = "." })", Reason::kFileNotRegular},
                             BadFile{R"({ certificate = "" })", Reason::kPolicyInvalid},
                             BadFile{R"({ certificate = "text.pem" })", Reason::kFileWrongFormat},
                             BadFile{R"({ issuer = "leaf.pem" })", Reason::kPolicyInvalid},
                             BadFile{R"({ fingerprint = "abcd" })", Reason::kPolicyInvalid},
                             BadFile{R"({ ip = "10.0.0.1/8" })", Reason::kPolicyInvalid}}) {
    const auto policy = Policy::FromText("[roles]\nr = " + bad.table, "p.toml", folder.path());
    ASSERT_FALSE(policy.ok()) << bad.table;
    EXPECT_EQ(ReasonOf(policy.status()), bad.reason) << policy.status();
    EXPECT_THAT(std::string(policy.status().message()), HasSubstr("p.toml:2: role \"r\""));
    if (bad.table.find(".pem") != std::string::npos) {
      EXPECT_THAT(std::string(policy.status().message()), HasSubstr(folder.path())) << bad.table;
    }
  }
}

TEST(Role, BuiltInRoles) {
  const auto policy = PolicyOf("");
  const Certificate leaf = Authority().Issue();
  const auto names = [&](const PeerEvidence& peer) {
    return policy->NamesOf(policy->RolesOf(peer));
  };
  EXPECT_THAT(names({}), testing::ElementsAre("anyone"));
  EXPECT_THAT(names(Unverified(leaf)), testing::ElementsAre("anyone"));
  EXPECT_THAT(names(Verified(leaf, Authority())), testing::ElementsAre("anyone", "authenticated"));
}

}  // namespace
}  // namespace troth
