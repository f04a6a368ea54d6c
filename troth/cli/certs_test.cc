#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "troth/ca/ca_testing.h"
#include "troth/ca/key_pair_files.h"
#include "troth/cli/cli_testing.h"

namespace troth {
namespace {

using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class CertsCommandTest : public ::testing::Test {
 protected:
  // `troth certs generate --out <tree> ARGUMENTS...`
  Outcome Generate(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"certs", "generate", "--out", tree_});
    return cli_testing::Run(arguments, clock_);
  }
  size_t CountIn(const std::string& name) {
    return ReadCertificateFile(tree_ + "/" + name)->size();
  }

  ca_testing::TestFolder folder_;
  ca_testing::FakeClock clock_;
  std::string tree_ = folder_ / "certs";
};

TEST_F(CertsCommandTest, SaysWhatWasMadeWhereForHowLongAndHowToCheckIt) {
  const Outcome made = Generate({"--key-type", "p256", "--san", "bridge.example.com,10.0.0.7"});
  EXPECT_EQ(made.code, kExitDone) << made.err;
  EXPECT_THAT(made.err, IsEmpty());
  EXPECT_THAT(
      made.out,
      AllOf(
          HasSubstr("ca          " + tree_ + "/ca/ca.pem"),
          HasSubstr("P-256, until 2027-11-21 (365 days)"),
          HasSubstr(
              "localhost, *.docker.internal, 127.0.0.1, 172.17.0.1, bridge.example.com, 10.0.0.7"),
          HasSubstr("  troth verify " + tree_ + "/server/server.pem --trust-bundle " + tree_ +
                    "/ca/ca.pem --usage server --name localhost\n"),
          HasSubstr("  openssl verify -x509_strict -CAfile " + tree_ + "/ca/ca.pem ")));
}

TEST_F(CertsCommandTest, RefusesAWholeTreeAndSaysWhatToDo) {
  Generate({"--key-type", "p256"});
  const Outcome again = Generate();
  EXPECT_EQ(again.code, 73);
  EXPECT_THAT(again.err, AllOf(HasSubstr("[file_exists]\n  fix: for new keys"),
                               HasSubstr("--renew all"), HasSubstr("--renew NAME")));
}

TEST_F(CertsCommandTest, RenewsRollsOverAndDropsTheOld) {
  Generate({"--key-type", "p256"});
  Outcome done = Generate({"--renew", "aggregator"});
  EXPECT_EQ(done.code, kExitDone) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("Renewed"), HasSubstr("--drop-old")));
  EXPECT_EQ(CountIn("aggregator/aggregator.pem"), 2U);
  EXPECT_EQ(CountIn("client/client.pem"), 1U);

  done = Generate({"--roll-ca"});
  EXPECT_EQ(done.code, kExitDone) << done.err;
  EXPECT_THAT(done.out, HasSubstr("troth certs generate --out " + tree_ + " --renew all"));
  EXPECT_EQ(CountIn("client/ca.pem"), 2U);

  EXPECT_EQ(Generate({"--drop-old"}).code, 65) << "leaves still need the old CA";
  EXPECT_EQ(Generate({"--renew", "all"}).code, kExitDone);
  done = Generate({"--drop-old"});
  EXPECT_EQ(done.code, kExitDone) << done.err;
  EXPECT_EQ(CountIn("client/ca.pem"), 1U);
  EXPECT_EQ(CountIn("aggregator/aggregator.pem"), 1U);
  EXPECT_THAT(Generate({"--drop-old"}).out, HasSubstr("Nothing old is left"));
}

TEST_F(CertsCommandTest, WarnsWhenTheCaEndsBeforeTheLifetimeAskedFor) {
  Generate({"--key-type", "p256"});
  EXPECT_THAT(Generate({"--renew", "client"}).err, IsEmpty());
  clock_.now += std::chrono::hours(24 * 300);
  EXPECT_THAT(Generate({"--renew", "client"}).err, HasSubstr("--roll-ca"));
}

TEST_F(CertsCommandTest, JsonHoldsTheSame) {
  const Outcome made = Generate({"--key-type", "p256", "--json"});
  EXPECT_EQ(made.code, kExitDone) << made.err;
  EXPECT_THAT(made.out, AllOf(HasSubstr(R"("ok": true)"), HasSubstr(R"("name": "aggregator")"),
                              HasSubstr(R"("not_after": "2027-11-21T02:29:09Z")"),
                              HasSubstr(R"("check": ["troth verify )"), Not(HasSubstr("PRIVATE"))));
  const Outcome again = Generate({"--json"});
  EXPECT_EQ(again.code, 73);
  EXPECT_THAT(again.out, HasSubstr(R"("reason": "file_exists")"));
}

TEST_F(CertsCommandTest, APassphraseFromAFileEncryptsAndOpensTheCaKey) {
  ASSERT_TRUE(WriteFile(folder_ / "pass", "tea pot\r\n", {.mode = 0600}).ok());
  EXPECT_EQ(Generate({"--key-type", "p256", "--passphrase-file", folder_ / "pass"}).code,
            kExitDone);
  EXPECT_THAT(ca_testing::Content(tree_ + "/ca/ca.key"), HasSubstr("ENCRYPTED"));
  EXPECT_EQ(Generate({"--renew", "client", "--passphrase", "tea pot"}).code, kExitDone);
  EXPECT_EQ(Generate({"--renew", "client", "--passphrase", "coffee"}).code, 77);
}

TEST_F(CertsCommandTest, WrongUsageEndsWith64AndMakesNothing) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--key-type", "rsa1024"},
                                             {"--days", "0"},
                                             {"--days", "soon"},
                                             {"--san", "a b"},
                                             {"--renew", "bob"},
                                             {"--renew", "ca"},
                                             {"--renew", "all", "--roll-ca"},
                                             {"--roll-ca", "--drop-old"},
                                             {"--passphrase", "a", "--passphrase-file", "b"},
                                             {"extra"}}) {
    EXPECT_EQ(Generate(arguments).code, kExitUsage) << ::testing::PrintToString(arguments);
  }
  EXPECT_FALSE(std::filesystem::exists(tree_));
}

TEST_F(CertsCommandTest, HelpHasWorkedExamples) {
  const Outcome help = Generate({"--help"});
  EXPECT_EQ(help.code, kExitDone);
  EXPECT_THAT(help.out, HasSubstr("\nExamples:\n  troth certs generate"));
}

}  // namespace
}  // namespace troth
