#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/cli/cli_testing.h"
#include "troth/pki/openssl_testing.h"
#include "troth/pki/path_testing.h"

namespace troth {
namespace {

using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Intermediate;
using testing::kDay;
using testing::kNow;
using testing::Leaf;
using testing::Make;
using testing::MakeCrl;
using testing::Root;
using testing::Wanted;

class StoppedClock : public Clock {
 public:
  Time Now() const override { return kNow; }
};

class Verify : public ::testing::Test {
 protected:
  Verify() {
    files_.Write("ca.pem", Make(Root("root")).ToPem());
    files_.Write("middle.pem", Make(Intermediate("middle", "root")).ToPem());
    Wanted leaf = Leaf("root");
    leaf.serial = 77;
    leaf.extended_key_usage = {std::string(kServerAuthOid)};
    files_.Write("leaf.pem", Make(leaf).ToPem());
    files_.Write("leaf.der", Make(leaf).der());
    files_.Write("below.pem", Make(Leaf("middle")).ToPem());
    files_.Write("chain.pem", files_.Read("below.pem") + files_.Read("middle.pem"));
    files_.Write("good.crl", MakeCrl({}).ToPem());
    files_.Write("bad.crl", MakeCrl({.revoked = {{77, 1}}}).ToPem());
    files_.Write("old.crl", MakeCrl({.from = kNow - 3 * kDay, .to = kNow - kDay}).der());
  }

  // `arguments` with FILE:name for a file of the fixture.
  Outcome Run(std::vector<std::string> arguments, bool json = false) {
    for (std::string& argument : arguments) {
      if (argument.starts_with("FILE:")) argument = files_.PathOf(argument.substr(5));
    }
    arguments.insert(arguments.begin(), "verify");
    if (json) arguments.emplace_back("--json");
    return cli_testing::Run(arguments, clock_);
  }

  testing::Workshop files_;
  StoppedClock clock_;
};

TEST_F(Verify, SaysInOneLineThatACertificateIsTrusted) {
  const Outcome outcome = Run({"FILE:leaf.pem", "--trust-bundle", "FILE:ca.pem", "--usage",
                               "server", "--name", "leaf.example.com"});
  EXPECT_EQ(outcome.code, kExitDone) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("CN=leaf <- CN=root"), HasSubstr("as a server"),
                                 HasSubstr("leaf.example.com"), HasSubstr("2026-07-15")));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1);
}

struct Case {
  std::string name;
  std::vector<std::string> arguments;  // after the trust bundle
  std::string reason;                  // empty: trusted
};

TEST_F(Verify, AnswersByExitCodeAndReason) {
  const std::vector<Case> cases = {
      {"DER", {"FILE:leaf.der"}, ""},
      {"chain in one file", {"FILE:chain.pem"}, ""},
      {"intermediates", {"FILE:below.pem", "--intermediates", "FILE:middle.pem"}, ""},
      {"missing intermediate", {"FILE:below.pem"}, "issuer_unknown"},
      {"wrong name", {"FILE:leaf.pem", "--name", "other.example.com"}, "name_mismatch"},
      {"wrong usage", {"FILE:leaf.pem", "--usage", "client"}, "usage_not_allowed"},
      {"later", {"FILE:leaf.pem", "--at", "2026-12-31"}, "certificate_expired"},
      {"earlier", {"FILE:leaf.pem", "--at", "2026-01-01T00:00:00Z"}, "certificate_not_yet_valid"},
      {"no such time", {"FILE:leaf.pem", "--at", "tomorrow"}, "usage_error"},
      {"no such name", {"FILE:leaf.pem", "--name", "a b"}, "usage_error"},
      {"good CRL", {"FILE:leaf.pem", "--crl", "FILE:good.crl"}, ""},
      {"revoked", {"FILE:leaf.pem", "--crl", "FILE:bad.crl"}, "certificate_revoked"},
      {"one of two lists",
       {"FILE:leaf.pem", "--crl", "FILE:good.crl", "--crl", "FILE:bad.crl"},
       "certificate_revoked"},
      {"old CRL", {"FILE:leaf.pem", "--crl", "FILE:old.crl"}, "crl_expired"},
      {"old CRL within its grace",
       {"FILE:leaf.pem", "--crl", "FILE:old.crl", "--crl-grace", "2d"},
       ""},
      {"no such grace",
       {"FILE:leaf.pem", "--crl", "FILE:old.crl", "--crl-grace", "soon"},
       "usage_error"},
      {"required CRL of a middle CA",
       {"FILE:chain.pem", "--crl", "FILE:good.crl", "--require-crl"},
       "revocation_unknown"},
      {"no such file", {"FILE:nothing.pem"}, "file_not_found"},
      {"a CRL for a certificate", {"FILE:good.crl"}, "certificate_missing"},
      {"a certificate for a CRL", {"FILE:leaf.pem", "--crl", "FILE:ca.pem"}, "file_wrong_format"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<std::string> arguments = c.arguments;
    arguments.insert(arguments.end(), {"--trust-bundle", "FILE:ca.pem"});
    const Outcome outcome = Run(arguments);
    if (c.reason.empty()) {
      EXPECT_EQ(outcome.code, kExitDone) << outcome.err;
      continue;
    }
    EXPECT_THAT(outcome.err, HasSubstr("[" + c.reason + "]"));
    EXPECT_EQ(outcome.code, InfoOf(*ReasonFromCode(c.reason)).exit_code);
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(Verify, NeedsCertificateAndTrustBundle) {
  EXPECT_EQ(Run({}).code, kExitUsage);
  EXPECT_EQ(Run({"FILE:leaf.pem"}).code, kExitUsage);
  EXPECT_EQ(Run({"FILE:leaf.pem", "--trust-bundle", "FILE:ca.pem", "--usage", "mail"}).code,
            kExitUsage);
  EXPECT_EQ(Run({"FILE:leaf.pem", "--trust-bundle", "FILE:ca.pem", "--require-crl"}).code,
            kExitUsage);
}

TEST_F(Verify, PrintsWarningsBesideTheResult) {
  const Outcome outcome = Run(
      {"FILE:below.pem", "--intermediates", "FILE:middle.pem", "--trust-bundle", "FILE:ca.pem"});
  EXPECT_EQ(outcome.code, kExitDone);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("warning"), HasSubstr("no extendedKeyUsage")));
}

TEST_F(Verify, PrintsOneJsonObject) {
  const Outcome good = Run({"FILE:leaf.pem", "--trust-bundle", "FILE:ca.pem"}, /*json=*/true);
  EXPECT_EQ(good.code, kExitDone);
  EXPECT_THAT(good.out,
              AllOf(HasSubstr(R"("ok": true)"), HasSubstr(R"("reason": null)"),
                    HasSubstr("CN=root"), HasSubstr(R"("valid_until": "2026-07-15T00:00:00Z")")));
  const Outcome bad = Run({"FILE:below.pem", "--trust-bundle", "FILE:ca.pem"}, /*json=*/true);
  EXPECT_EQ(bad.code, InfoOf(Reason::kIssuerUnknown).exit_code);
  EXPECT_THAT(bad.out, AllOf(HasSubstr(R"("ok": false)"), HasSubstr(R"("issuer_unknown")"),
                             HasSubstr(R"("fix": ")"), HasSubstr(R"("valid_until": null)")));
  EXPECT_EQ(bad.err, "");
  const Outcome unreadable = Run({"FILE:no.pem", "--trust-bundle", "FILE:ca.pem"}, /*json=*/true);
  EXPECT_THAT(unreadable.out, AllOf(HasSubstr(R"("file_not_found")"), HasSubstr(R"("path": [])")));
}

}  // namespace
}  // namespace troth
