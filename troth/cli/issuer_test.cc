#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "troth/base/strings.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/key_pair_files.h"
#include "troth/cli/cli_testing.h"

namespace troth {
namespace {

using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IssuerCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status made = CreateAuthority(
        data_,
        {.settings = {.trust_domain = "ca.example.org", .public_url = "http://ca.example.org"}},
        clock_);
    ASSERT_TRUE(made.ok()) << made;
  }
  Outcome Run(const std::vector<std::string>& arguments) {
    return cli_testing::Run(arguments, clock_);
  }
  Certificate Issuer() const { return ReadCertificateFile(data_.IssuerCertificate())->front(); }

  ca_testing::TestFolder folder_;
  ca_testing::FakeClock clock_;
  const AuthorityFolder data_{folder_ / "data"};
};

TEST_F(IssuerCommandTest, RenewsWhereTheRootIsAtHand) {
  const Certificate before = Issuer();
  const Outcome done = Run({"issuer", "renew", "--data", data_.path()});
  ASSERT_EQ(done.code, kExitDone) << done.err;
  EXPECT_NE(Issuer().der(), before.der());
  EXPECT_THAT(done.out, HasSubstr(Issuer().subject().ToString()));
}

TEST_F(IssuerCommandTest, SaysTheWayWhenTheRootWasTakenAway) {
  std::filesystem::remove(data_.RootKey());
  const Outcome refused = Run({"issuer", "renew", "--data", data_.path()});
  EXPECT_NE(refused.code, kExitDone);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("file_not_found"), HasSubstr("troth issuer request")));
}

// The printed line is all that the root's machine is told.
TEST_F(IssuerCommandTest, AnIssuerSignedElsewhereIsLikeOneSignedHere) {
  const Certificate before = Issuer();
  const std::string away = folder_ / "away";
  std::filesystem::create_directory(away);
  std::filesystem::rename(data_.RootKey(), away + "/root.key");
  std::filesystem::copy_file(data_.RootCertificate(), away + "/root.pem");

  const Outcome asked = Run({"issuer", "request", "--data", data_.path()});
  ASSERT_EQ(asked.code, kExitDone) << asked.err;
  for (const std::string& file : {data_.NextIssuerRequest(), data_.CrlFile(0)}) {
    EXPECT_THAT(asked.out, HasSubstr(file));
    std::filesystem::copy(file, away);
  }
  const size_t begin = asked.out.find("troth issuer sign");
  ASSERT_NE(begin, std::string::npos) << asked.out;
  std::vector<std::string> line;
  const std::string next = asked.out.substr(begin, asked.out.find('\n', begin) - begin);
  for (const std::string_view word : Split(next, ' ')) {
    const bool is_file = word.ends_with(".pem") || word.ends_with(".key") ||
                         word.ends_with(".csr") || word.ends_with(".crl");
    line.push_back(is_file ? away + "/" + std::string(word) : std::string(word));
  }
  line.erase(line.begin());  // "troth"
  const Outcome signed_it = Run(line);
  ASSERT_EQ(signed_it.code, kExitDone) << signed_it.err;
  const Outcome active =
      Run({"issuer", "activate", away + "/issuer.new.pem", "--data", data_.path()});
  ASSERT_EQ(active.code, kExitDone) << active.err;

  const Certificate after = Issuer();
  EXPECT_NE(after.der(), before.der());
  EXPECT_THAT(after.subject().ToString(), HasSubstr("ca.example.org"));
  EXPECT_THAT(after.crl_distribution_points(), ElementsAre("http://ca.example.org/crl/0"));
}

}  // namespace
}  // namespace troth
