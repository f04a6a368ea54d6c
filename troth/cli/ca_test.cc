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
using ::testing::StartsWith;

class CaCommandTest : public ::testing::Test {
 protected:
  // `troth ca -depot-path <out> ARGUMENTS...`
  Outcome Ca(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ca", "-depot-path", out_});
    return cli_testing::Run(arguments, clock_);
  }
  void MakeAuthority() {
    ASSERT_EQ(Ca({"init", "--cn", "ca", "--curve", "P-256", "--passphrase", ""}).code, kExitDone);
  }
  void MakeLeaf(const std::string& name) {
    ASSERT_EQ(Ca({"request-cert", "--cn", name, "--curve", "P-256", "--passphrase", ""}).code,
              kExitDone);
    const Outcome signed_it = Ca({"sign", name, "--CA", "ca"});
    ASSERT_EQ(signed_it.code, kExitDone) << signed_it.err;
  }
  Certificate Read(const std::string& file) {
    return ReadCertificateFile(out_ + "/" + file)->front();
  }

  ca_testing::TestFolder folder_;
  ca_testing::FakeClock clock_;
  std::string out_ = folder_ / "out";
};

TEST_F(CaCommandTest, PrintsWhatCertstrapPrints) {
  EXPECT_THAT(
      Ca({"init", "--common-name", "umd.fluidfs.com", "--key-bits", "2048", "--passphrase", ""})
          .out,
      StartsWith("Created " + out_ + "/umd.fluidfs.com.key\nCreated " + out_ +
                 "/umd.fluidfs.com.crt\nCreated " + out_ + "/umd.fluidfs.com.crl\n"));
  EXPECT_EQ(Ca({"request-cert", "-ip", "192.168.1.18", "--passphrase", ""}).out,
            "Created " + out_ + "/192.168.1.18.key\nCreated " + out_ + "/192.168.1.18.csr\n");
  EXPECT_THAT(Ca({"sign", "192.168.1.18", "--CA", "umd.fluidfs.com"}).out,
              StartsWith("Created " + out_ + "/192.168.1.18.crt from " + out_ +
                         "/192.168.1.18.csr signed by " + out_ + "/umd.fluidfs.com.key\n"));
  EXPECT_THAT(Ca({"init", "--cn", "x", "--curve", "Ed25519", "--passphrase", "secret"}).out,
              StartsWith("Created " + out_ + "/x.key (encrypted by passphrase)\n"));
}

TEST_F(CaCommandTest, SubjectNamesKeysAndLifetimesComeFromTheOptions) {
  Outcome done =
      Ca({"init", "-o",        "Example",  "--ou",          "Lab",  "-c",           "SE",
          "--st", "Uppland",   "-l",       "Uppsala",       "--cn", "Root",         "--key-type",
          "p384", "--expires", "10 years", "--path-length", "2",    "--passphrase", ""});
  ASSERT_EQ(done.code, kExitDone) << done.err;
  const Certificate root = Read("Root.crt");
  EXPECT_EQ(root.subject().ToString(), "C=SE, ST=Uppland, L=Uppsala, O=Example, OU=Lab, CN=Root");
  EXPECT_EQ(root.public_key().Describe(), "P-384");
  EXPECT_EQ(FormatTime(root.validity().not_after), "2036-11-21T02:29:09Z");
  EXPECT_EQ(root.basic_constraints()->path_length, 2);

  ASSERT_EQ(
      Ca({"init", "--cn", "Deep", "--exclude-path-length", "--curve", "P-256", "--passphrase", ""})
          .code,
      kExitDone);
  EXPECT_EQ(Read("Deep.crt").basic_constraints()->path_length, std::nullopt);

  done = Ca({"request-cert", "--domain", "db.example.com,db", "--ip", "10.0.0.7,::1", "--uri",
             "spiffe://example.com/db", "--curve", "P-256", "--passphrase", "", "--stdout"});
  ASSERT_EQ(done.code, kExitDone) << done.err;
  EXPECT_THAT(done.out, HasSubstr("-----BEGIN CERTIFICATE REQUEST-----\n"));
  done = Ca({"sign", "db.example.com", "--CA", "Root", "--expires", "90 days", "--stdout"});
  ASSERT_EQ(done.code, kExitDone) << done.err;
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("for db.example.com, db, 10.0.0.7, ::1, spiffe://example.com/db"),
                    HasSubstr("-----BEGIN CERTIFICATE-----\n")));
  EXPECT_EQ(Read("db.example.com.crt").subject().ToString(), "CN=db.example.com");
}

TEST_F(CaCommandTest, SigningOverACaIsRefused) {
  MakeAuthority();
  MakeLeaf("other");
  ASSERT_EQ(Ca({"request-cert", "--cn", "attestor1", "--curve", "P-256", "--passphrase", ""}).code,
            kExitDone);
  std::filesystem::copy_file(out_ + "/ca.crt", folder_ / "ca.cer");
  for (const std::string& target : {folder_ / "ca.cer", out_ + "/ca.crt", out_ + "/ca.key"}) {
    const std::string before = ca_testing::Content(target);
    const Outcome refused = Ca({"sign", "attestor1", "--CA", "ca", "--out", target});
    EXPECT_EQ(refused.code, 73);
    EXPECT_THAT(refused.err, HasSubstr("[file_exists]"));
    EXPECT_EQ(ca_testing::Content(target), before);
  }
}

TEST_F(CaCommandTest, RevokesListsAndMakesCrls) {
  MakeAuthority();
  MakeLeaf("good");
  MakeLeaf("bad");
  Outcome done = Ca({"revoke", "--CN", "bad", "--CA", "ca", "--reason", "keyCompromise"});
  EXPECT_EQ(done.code, kExitDone) << done.err;
  EXPECT_THAT(done.out, StartsWith("Revoked " + out_ + "/bad.crt"));
  done = Ca({"revoke", "--CN", "bad", "--CA", "ca"});
  EXPECT_EQ(done.code, kExitDone);
  EXPECT_THAT(done.out, HasSubstr("has been revoked since 2026-11-21T02:29:09Z"));
  EXPECT_THAT(Ca({"crl", "--CA", "ca", "--expires", "30 days"}).out,
              HasSubstr("1 revoked, until 2026-12-21 (30 days)"));

  const std::string list = Ca({"list"}).out;
  EXPECT_THAT(list, AllOf(HasSubstr("\nbad   revoked "), HasSubstr("\nca    valid "),
                          HasSubstr("\ngood  valid ")));
  EXPECT_THAT(Ca({"list", "--json"}).out,
              AllOf(HasSubstr(R"("name": "bad", "state": "revoked", "authority": "ca")"),
                    HasSubstr(R"("revoked_at": "2026-11-21T02:29:09Z")")));
}

TEST_F(CaCommandTest, WithoutATerminalAnEncryptedKeyNeedsAPassphraseOption) {
  ASSERT_EQ(Ca({"init", "--cn", "ca", "--curve", "P-256", "--passphrase", "secret"}).code,
            kExitDone);
  ASSERT_EQ(Ca({"request-cert", "--cn", "db", "--curve", "P-256", "--passphrase", ""}).code,
            kExitDone);
  EXPECT_EQ(Ca({"sign", "db", "--CA", "ca", "--passphrase", "wrong"}).code, 77);
  ASSERT_EQ(setenv("TROTH_PASSPHRASE", "secret", 1), 0);
  const Outcome done = Ca({"sign", "db", "--CA", "ca"});
  unsetenv("TROTH_PASSPHRASE");
  EXPECT_EQ(done.code, kExitDone) << done.err;
}

TEST_F(CaCommandTest, WrongUsageEndsWith64AndMakesNothing) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"init"},
           {"init", "--cn", "x", "--curve", "P-224"},
           {"init", "--cn", "x", "--key-bits", "1024"},
           {"init", "--cn", "x", "--curve", "P-256", "--key-bits", "2048"},
           {"init", "--cn", "x", "--path-length", "1", "--exclude-path-length"},
           {"init", "--cn", "x", "--expires", "soon", "--passphrase", ""},
           {"init", "--cn", "../x", "--passphrase", ""},
           {"request-cert"},
           {"request-cert", "--ip", "10.0.0.256"},
           {"request-cert", "--uri", "nothing"},
           {"sign", "--CA", "ca"},
           {"sign", "x"},
           {"sign", "x", "--CA", "ca", "--path-length", "1"},
           {"revoke", "--CN", "x"},
           {"revoke", "--CN", "x", "--CA", "ca", "--reason", "mood"},
           {"crl"},
           {"nothing"}}) {
    EXPECT_EQ(Ca(arguments).code, kExitUsage) << ::testing::PrintToString(arguments);
  }
  EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(CaCommandTest, EveryHelpHasWorkedExamples) {
  for (const char* command : {"init", "request-cert", "sign", "revoke", "crl", "list"}) {
    const Outcome help = Ca({command, "--help"});
    EXPECT_EQ(help.code, kExitDone);
    EXPECT_THAT(help.out, HasSubstr("\n  troth ca " + std::string(command))) << command;
    EXPECT_THAT(help.err, IsEmpty());
  }
}

}  // namespace
}  // namespace troth
