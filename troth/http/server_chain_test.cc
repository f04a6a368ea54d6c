#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/http/http_testing.h"
#include "troth/http/server_chain_internal.h"

namespace troth {
namespace {

using testing::ThePki;

TEST(NameOfHostTest, IsAnAddressOrADnsName) {
  EXPECT_EQ(NameOfHost("ca.example")->kind, AlternativeName::Kind::kDns);
  EXPECT_EQ(NameOfHost("ca.example.")->value, "ca.example");
  EXPECT_EQ(NameOfHost("127.0.0.1")->value, std::string("\x7f\0\0\1", 4));
  std::string loopback(16, '\0');
  loopback.back() = 1;
  EXPECT_EQ(NameOfHost("[::1]")->value, loopback);
  EXPECT_EQ(NameOfHost("::1")->kind, AlternativeName::Kind::kIp);
  for (const std::string_view host : {"", "a b", "*.example", "a/b", "[::1", "user@host"}) {
    EXPECT_EQ(testing::CodeOfResult(NameOfHost(host)), "usage_error") << host;
  }
}

struct Case {
  std::string what;
  std::vector<Certificate> shown;
  HttpTrust trust;
  std::string code;
  std::string host = "localhost";
};

TEST(ServerChainTest, IsBelievedAsTheTrustSays) {
  const Certificate leaf = ThePki().Issue("localhost").certificate;
  const Certificate issuer = ThePki().issuer.certificate();
  const Certificate root = ThePki().root.certificate();
  const Certificate expired = ThePki()
                                  .Issue("localhost", {testing::Now() - std::chrono::hours(3),
                                                       testing::Now() - std::chrono::hours(1)})
                                  .certificate;
  const TestAuthority other("other", testing::ValidForYears());
  const HttpTrust bundle = {.bundle = ThePki().bundle()};
  const HttpTrust other_bundle = {.bundle = TrustBundle::FromCertificates({other.certificate()})};
  const HttpTrust fingerprint = {.root_fingerprint = root.fingerprint()};
  const HttpTrust other_fingerprint = {.root_fingerprint = other.certificate().fingerprint()};

  for (const Case& row : {
           Case{"by bundle", {leaf, issuer}, bundle, "ok"},
           Case{"by bundle with the root", {leaf, issuer, root}, bundle, "ok"},
           Case{"in any order", {leaf, root, issuer}, bundle, "ok"},
           Case{"by fingerprint", {leaf, issuer, root}, fingerprint, "ok"},
           Case{"nothing", {}, bundle, "certificate_missing"},
           Case{"without the issuer", {leaf}, bundle, "issuer_unknown"},
           Case{"another bundle", {leaf, issuer, root}, other_bundle, "issuer_unknown"},
           Case{"without the root", {leaf, issuer}, fingerprint, "issuer_unknown"},
           Case{"another fingerprint", {leaf, issuer, root}, other_fingerprint, "issuer_unknown"},
           Case{"by fingerprint in any order", {leaf, root, issuer}, fingerprint, "ok"},
           // The right root beside a chain of another authority.
           Case{"a root for show with a chain",
                {other.IssueLeaf({.validity = testing::ValidNow()}).certificate, root,
                 other.certificate()},
                fingerprint,
                "issuer_unknown"},
           Case{"a root for show",
                {other.IssueLeaf({.validity = testing::ValidNow()}).certificate, root},
                fingerprint,
                "issuer_unknown"},
           Case{"expired", {expired, issuer}, bundle, "certificate_expired"},
           Case{"expired", {expired, issuer, root}, fingerprint, "certificate_expired"},
           Case{"name", {leaf, issuer}, bundle, "name_mismatch", "ca.example"},
           Case{"name", {leaf, issuer, root}, fingerprint, "name_mismatch", "127.0.0.1"},
       }) {
    const absl::Status status =
        CheckServerChain(row.shown, row.trust, *NameOfHost(row.host), testing::Now());
    EXPECT_EQ(status.ok() ? "ok" : CodeOf(status), row.code) << row.what << ": " << status;
  }
}

}  // namespace
}  // namespace troth
