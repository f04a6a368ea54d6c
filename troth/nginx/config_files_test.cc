#include "troth/nginx/config_files.h"

#include <gtest/gtest.h>

#include "troth/identity/identity_testing.h"
#include "troth/pki/crl.h"

namespace troth {
namespace {

// A list of `authority`, current at TestTime().
std::string ListOf(const TestAuthority& authority) {
  const Signer signer =
      *Signer::Create(authority.certificate(), *PrivateKey::FromPem(PemOf(authority.key())));
  return IssueCrl(
             {.this_update = TestTime() - Seconds(60), .next_update = TestTime() + Seconds(3600)},
             signer)
      ->ToPem();
}

class NginxFiles : public ::testing::Test {
 protected:
  NginxFiles() {
    const Leaf leaf = authority_.IssueLeaf({.common_name = "db.example"});
    RewriteFile(server_.certificate, leaf.certificate_pem);
    RewriteFile(server_.private_key, leaf.key_pem);
  }
  // With the lists of the CAs in `lists`.
  std::optional<Reason> Check(const std::string& bundle, const std::string& lists) {
    RewriteFile(server_.trust_bundle, bundle);
    RewriteFile(server_.crl, lists);
    return ReasonOf(CheckNginxFiles(server_, TestTime()).status());
  }

  TestFolder folder_;
  TestAuthority authority_;
  NginxServer server_{.listen = "443",
                      .server_names = {"db.example"},
                      .certificate = folder_ / "server.pem",
                      .private_key = folder_ / "server.key",
                      .trust_bundle = folder_ / "ca.pem",
                      .crl = folder_ / "crls.pem",
                      .upstream = "unix:/run/db.sock"};
};

TEST_F(NginxFiles, EveryAuthorityNeedsAListUntilItHasExpired) {
  const std::string list = ListOf(authority_);
  EXPECT_EQ(Check(authority_.pem(), list), std::nullopt);
  const Time begin = TestTime() - std::chrono::hours(24);
  const TestAuthority lasting("lasting", Validity{begin, TestTime()});
  EXPECT_EQ(Check(authority_.pem() + lasting.pem(), list), Reason::kRevocationUnknown);
  EXPECT_EQ(Check(authority_.pem() + lasting.pem(), list + ListOf(lasting)), std::nullopt);
  const TestAuthority ended("ended", Validity{begin, TestTime() - Seconds(1)});
  EXPECT_EQ(Check(authority_.pem() + ended.pem(), list), std::nullopt);
}

}  // namespace
}  // namespace troth
