#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "troth/ca/authority_folder.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/key_pair_files.h"
#include "troth/cli/cli_testing.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A CA of certstrap's with two leaves, one of them revoked.
class CaImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Made({"ca", "--depot-path", out_, "init", "--cn", "ca", "--curve", "P-256", "--path-length",
          "1", "--passphrase", ""});
    for (const char* name : {"kept", "lost"}) {
      Made({"ca", "--depot-path", out_, "request-cert", "--cn", name, "--curve", "P-256",
            "--passphrase", ""});
      Made({"ca", "--depot-path", out_, "sign", name, "--CA", "ca"});
    }
    Made({"ca", "--depot-path", out_, "revoke", "--CN", "lost", "--CA", "ca"});
  }

  Outcome Run(const std::vector<std::string>& arguments) {
    return cli_testing::Run(arguments, clock_);
  }
  void Made(const std::vector<std::string>& arguments) {
    const Outcome outcome = Run(arguments);
    ASSERT_EQ(outcome.code, kExitDone) << outcome.err;
  }
  Outcome Import(const std::vector<std::string>& more, const std::string& data = "") {
    std::vector<std::string> arguments = {"ca",
                                          "import",
                                          "--data",
                                          data.empty() ? data_ : data,
                                          "--certificate",
                                          out_ + "/ca.crt",
                                          "--private-key",
                                          out_ + "/ca.key",
                                          "--passphrase",
                                          ""};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  SerialNumber SerialOf(const std::string& name) {
    return ReadCertificateFile(out_ + "/" + name + ".crt")->front().serial_number();
  }

  ca_testing::TestFolder folder_;
  ca_testing::FakeClock clock_;
  const std::string out_ = folder_ / "out", data_ = folder_ / "data";
};

TEST_F(CaImportTest, ACertstrapCaComesWithWhatItIssuedAndRevoked) {
  const Outcome done = Import({"--issued", out_, "--crl", out_ + "/ca.crl"});
  ASSERT_EQ(done.code, kExitDone) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("with an issuer below it"), HasSubstr("certificates: 2"),
                              HasSubstr("revoked:      1"), HasSubstr("troth serve --data")));
  EXPECT_THAT(done.err, IsEmpty());

  const AuthorityFolder folder(data_);
  EXPECT_EQ(ca_testing::Content(folder.RootCertificate()), ca_testing::Content(out_ + "/ca.crt"));
  const auto store = OpenSqliteStore({.path = folder.Database()});
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)
                  ->Read([&](StoreReader& reader) {
                    EXPECT_TRUE((*reader.FindCertificate(SerialOf("kept"))).has_value());
                    EXPECT_TRUE((*reader.FindCertificate(SerialOf("lost"))).has_value());
                    EXPECT_FALSE((*reader.FindRevocation(SerialOf("kept"))).has_value());
                    EXPECT_TRUE((*reader.FindRevocation(SerialOf("lost"))).has_value());
                    return absl::OkStatus();
                  })
                  .ok());
}

// Two tiers: clients of the CA ask for its own list, which only its key signs.
TEST_F(CaImportTest, WhatIsRevokedBeforeAndAfterIsOnTheRootsList) {
  ASSERT_EQ(Import({"--issued", out_, "--crl", out_ + "/ca.crl"}).code, kExitDone);
  const AuthorityFolder folder(data_);
  const Certificate root = ReadCertificateFile(folder.RootCertificate())->front();
  const auto is_listed = [&](const std::string& name) {
    const auto list = ReadCrl(folder.CrlFile(0), root);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() && list->Find(SerialOf(name)) != nullptr;
  };
  EXPECT_TRUE(is_listed("lost"));
  EXPECT_FALSE(is_listed("kept"));

  {
    const auto store = OpenSqliteStore({.path = folder.Database()});
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)
                    ->WriteAndWait([&](StoreTransaction& transaction) {
                      return transaction.AddRevocation({.serial = SerialOf("kept"),
                                                        .lineage = SerialOf("kept"),
                                                        .revoked_at = clock_.Now(),
                                                        .not_after = clock_.Now() + Seconds(3600)});
                    })
                    .ok());
  }
  // With the root elsewhere it is handed over ...
  const Outcome asked = Run({"issuer", "request", "--data", data_});
  ASSERT_EQ(asked.code, kExitDone) << asked.err;
  EXPECT_THAT(asked.out, HasSubstr("--revoked issuer.next.revoked"));
  const std::vector<std::string> sign = {"issuer",
                                         "sign",
                                         folder.NextIssuerRequest(),
                                         "--root-certificate",
                                         folder.RootCertificate(),
                                         "--root-key",
                                         folder.RootKey(),
                                         "--out",
                                         folder_ / "new.pem",
                                         "--revoked",
                                         folder.NextIssuerRevoked()};
  Made(sign);
  EXPECT_EQ(Run({"issuer", "activate", folder_ / "new.pem", "--data", data_}).code, kExitUsage)
      << "without --crl";
  std::filesystem::remove(folder_ / "new.pem");
  std::vector<std::string> whole = sign;
  whole.insert(whole.end(), {"--crl", folder.CrlFile(0)});
  Made(whole);
  Made({"issuer", "activate", folder_ / "new.pem", "--data", data_});
  EXPECT_TRUE(is_listed("lost") && is_listed("kept"));

  // ... and where it is at hand, it is looked up.
  std::filesystem::remove(folder.CrlFile(0));
  Made({"issuer", "renew", "--data", data_});
  EXPECT_TRUE(is_listed("lost") && is_listed("kept"));
}

TEST_F(CaImportTest, ASecondRunFindsEverythingThere) {
  ASSERT_EQ(Import({"--issued", out_, "--crl", out_ + "/ca.crl"}).code, kExitDone);
  const Outcome again = Import({"--issued", out_ + "/kept.crt", "--json"});
  ASSERT_EQ(again.code, kExitDone) << again.err;
  EXPECT_THAT(again.out, AllOf(HasSubstr("\"certificates\": 0"), HasSubstr("\"known\": 1"),
                               HasSubstr("\"left_out\": 0")));
}

TEST_F(CaImportTest, WhatIsLeftOutIsSaid) {
  Made({"ca", "--depot-path", out_, "init", "--cn", "other", "--curve", "P-256", "--passphrase",
        ""});
  ASSERT_TRUE(WriteFile(out_ + "/broken.pem", "hello", {}).ok());
  const Outcome done = Import({"--issued", out_});
  EXPECT_EQ(done.code, kExitDone);
  EXPECT_THAT(done.out, HasSubstr("left out:     2"));
  EXPECT_THAT(done.err, AllOf(HasSubstr("issuer_unknown"), HasSubstr("broken.pem")));
}

TEST_F(CaImportTest, RefusesWhatCannotBeDone) {
  // Caramel's clients know nothing of issuers.
  EXPECT_EQ(Import({"--caramel-database", "caramel.sqlite"}).code, kExitUsage);
  EXPECT_EQ(Import({"--trust-domain", "not a domain"}).code, kExitUsage);
  EXPECT_NE(Import({"--one-tier", "--caramel-database", folder_ / "missing"}).code, kExitDone);
  EXPECT_NE(Import({"--crl", out_ + "/ca.crt"}, folder_ / "third").code, kExitDone);
}

TEST_F(CaImportTest, WaitsForNobodyWhoHoldsTheFolder) {
  ASSERT_EQ(Import({"--one-tier"}).code, kExitDone);
  const auto lock = FolderLock::Acquire(data_, Seconds(0));
  ASSERT_TRUE(lock.ok());
  const Outcome refused = Import({"--one-tier"});
  EXPECT_NE(refused.code, kExitDone);
  EXPECT_THAT(refused.err, HasSubstr("file_locked"));
}

}  // namespace
}  // namespace troth
