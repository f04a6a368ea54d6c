#include "troth/ca/certificate_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <thread>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/tree_layout.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {
namespace {

using ca_testing::Content;
using ca_testing::FakeClock;
using ca_testing::ModeOf;
using ca_testing::TestFolder;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr auto kDay = std::chrono::hours(24);

class CertificateTreeTest : public testing::Test {
 protected:
  CertificateTreeTest() {
    options_.folder = folder_ / "certs";
    options_.key_type = KeyType::kP256;
  }

  TreeReport Generate() { return Check(GenerateTree(options_, clock_)); }
  TreeReport Renew(const std::vector<std::string>& leaves) {
    return Check(RenewTree(options_, leaves, clock_));
  }
  TreeReport Roll() { return Check(RollTreeAuthority(options_, clock_)); }
  TreeReport DropOld() { return Check(DropOldFromTree(options_, clock_)); }
  static TreeReport Check(absl::StatusOr<TreeReport> report) {
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *std::move(report) : TreeReport();
  }

  std::string Path(std::string_view name) const { return JoinPath(options_.folder, name); }
  std::vector<Certificate> Certificates(std::string_view name) const {
    absl::StatusOr<std::vector<Certificate>> read = ReadCertificateFile(Path(name));
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *std::move(read) : std::vector<Certificate>();
  }
  Certificate Leaf(std::string_view name) const { return Certificates(name).front(); }
  absl::Status Validate(const Certificate& leaf, std::string_view bundle, Usage usage) const {
    return ValidatePath(leaf, {}, *TrustBundle::FromFile(Path(bundle)),
                        PathOptions{.now = clock_.now, .usage = usage})
        .status;
  }
  // Every leaf fits its key and is valid below the bundle that lies beside it.
  void ExpectWhole() const {
    for (const TreeLeaf& leaf : TreeLeaves()) {
      SCOPED_TRACE(leaf.name);
      const KeyPairPaths paths = LeafPaths(options_.folder, leaf);
      const Certificate certificate = ReadCertificateFile(paths.certificate)->front();
      EXPECT_EQ(ReadKeyFile(paths.key, nullptr)->public_key(), certificate.public_key());
      const std::string bundle = std::string(leaf.name) + "/ca.pem";
      EXPECT_EQ(Content(Path(bundle)), Content(Path("ca/ca.pem")));
      EXPECT_TRUE(Validate(certificate, bundle, Usage::kClient).ok());
      EXPECT_EQ(Validate(certificate, bundle, Usage::kServer).ok(), leaf.name == "server");
    }
  }
  // Everything in the tree, by path.
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.folder)) {
      if (entry.is_regular_file()) files[entry.path().string()] = Content(entry.path().string());
    }
    return files;
  }

  TestFolder folder_;
  FakeClock clock_;
  TreeOptions options_;
};

TEST_F(CertificateTreeTest, MakesTheWholeTreeWithTheDocumentedSubjectsAndNames) {
  const TreeReport report = Generate();
  ASSERT_THAT(report.made, SizeIs(4));
  EXPECT_THAT(report.kept, IsEmpty());
  EXPECT_EQ(report.made[0].name, "ca");
  ExpectWhole();

  const Certificate ca = Leaf("ca/ca.pem");
  EXPECT_EQ(ca.subject().ToString(),
            "C=US, ST=California, L=San Francisco, O=Clementine, OU=CA, CN=clementine-ca");
  EXPECT_TRUE(ca.IsSelfSigned());
  EXPECT_EQ(ca.basic_constraints()->path_length, 0);
  EXPECT_EQ(ca.key_usage(), kKeyCertSign | kCrlSign);

  struct Case {
    const char* file;
    const char* subject_end;
    std::vector<std::string> names;
    std::vector<std::string> usages;
  };
  const std::string client(kClientAuthOid);
  for (const Case& c :
       {Case{"server/server.pem",
             "OU=Server, CN=localhost",
             {"DNS:localhost", "DNS:*.docker.internal", "IP:127.0.0.1", "IP:172.17.0.1"},
             {std::string(kServerAuthOid), client}},
        Case{"client/client.pem",
             "OU=Client, CN=clementine-client",
             {"DNS:clementine-client"},
             {client}},
        Case{"aggregator/aggregator.pem",
             "OU=Aggregator, CN=clementine-aggregator",
             {"DNS:clementine-aggregator"},
             {client}}}) {
    SCOPED_TRACE(c.file);
    const Certificate leaf = Leaf(c.file);
    EXPECT_TRUE(leaf.subject().ToString().ends_with(c.subject_end)) << leaf.subject().ToString();
    std::vector<std::string> names;
    for (const AlternativeName& name : leaf.alternative_names()) names.push_back(name.ToString());
    EXPECT_EQ(names, c.names);
    EXPECT_EQ(leaf.extended_key_usage(), c.usages);
    EXPECT_EQ(leaf.validity().not_before, clock_.now - std::chrono::minutes(5));
    EXPECT_EQ(leaf.validity().not_after, clock_.now + 365 * kDay);
    EXPECT_FALSE(leaf.is_ca());
  }
}

TEST_F(CertificateTreeTest, KeysCanBeReadByTheirOwnerAloneAndStayOutOfVersionControl) {
  Generate();
  for (const auto& [path, content] : Files()) {
    if (path.ends_with(".key")) {
      EXPECT_EQ(ModeOf(path), 0600U) << path;
    }
    if (path.ends_with(".pem")) {
      EXPECT_EQ(ModeOf(path), 0644U) << path;
    }
  }
  EXPECT_THAT(Content(Path(".gitignore")), testing::HasSubstr("\n*.key\n"));
}

TEST_F(CertificateTreeTest, AUsersGitignoreKeepsItsLines) {
  std::filesystem::create_directories(options_.folder);
  ASSERT_TRUE(WriteFile(Path(".gitignore"), "*.csr", {}).ok());
  Generate();
  EXPECT_EQ(Content(Path(".gitignore")), "*.csr\n*.key\n*.key.*\n");
  Renew({"client"});
  EXPECT_EQ(Content(Path(".gitignore")), "*.csr\n*.key\n*.key.*\n");
}

TEST_F(CertificateTreeTest, DefaultsAreTheDocumentsRsaSizes) {
  options_.key_type.reset();
  Generate();
  EXPECT_EQ(Leaf("ca/ca.pem").public_key().Describe(), "RSA 4096");
  EXPECT_EQ(Leaf("server/server.pem").public_key().Describe(), "RSA 2048");
  EXPECT_EQ(Leaf("aggregator/aggregator.pem").public_key().Describe(), "RSA 2048");
  ExpectWhole();
}

TEST_F(CertificateTreeTest, TheServerGetsTheNamesAskedForBesideItsOwn) {
  options_.server_names = {*AlternativeName::Parse("bridge.example.com"),
                           *AlternativeName::Parse("127.0.0.1")};
  Generate();
  EXPECT_THAT(Leaf("server/server.pem").alternative_names(), SizeIs(5));
  EXPECT_THAT(Leaf("client/client.pem").alternative_names(), SizeIs(1));
}

TEST_F(CertificateTreeTest, AWholeTreeIsNotTouchedByGenerating) {
  Generate();
  const auto before = Files();
  EXPECT_EQ(ReasonOf(GenerateTree(options_, clock_).status()), Reason::kFileExists);
  EXPECT_EQ(Files(), before);
}

// A crash may have left any prefix of what Generate writes; and users lose files.
TEST_F(CertificateTreeTest, AHalfMadeTreeIsCompletedAndWhatIsThereKept) {
  Generate();
  const auto whole = Files();
  for (const std::vector<std::string>& lost : std::vector<std::vector<std::string>>{
           {"ca/ca.pem", "server", "client", "aggregator"},
           {"server", "client", "aggregator"},
           {"server/server.pem", "client", "aggregator"},
           {"client/client.pem", "client/client.key", "aggregator"},
           {"aggregator/aggregator.pem"},
           {"aggregator/ca.pem"}}) {
    SCOPED_TRACE(Join(lost, ", "));
    for (const std::string& name : lost) std::filesystem::remove_all(Path(name));
    const auto before = Files();
    Generate();
    const auto after = Files();
    EXPECT_EQ(after.size(), whole.size());
    for (const auto& [path, content] : before) EXPECT_EQ(after.at(path), content) << path;
    ExpectWhole();
  }
}

TEST_F(CertificateTreeTest, WhatDoesNotFitIsNamedAndKept) {
  struct Case {
    const char* what;
    std::vector<std::string> lost;
    std::string_view copied_from;
    std::string_view copied_to;
    Reason reason;
  };
  for (const Case& c :
       {Case{"CA without its key", {"ca/ca.key"}, "", "", Reason::kFileNotFound},
        Case{"leaf without its key", {"client/client.key"}, "", "", Reason::kFileNotFound},
        Case{"key of another CA",
             {"client/client.pem"},
             "server/server.key",
             "ca/ca.key",
             Reason::kKeyMismatch},
        Case{"key of another leaf",
             {"aggregator/aggregator.pem"},
             "server/server.key",
             "client/client.key",
             Reason::kKeyMismatch},
        Case{"leaf for another usage",
             {"aggregator/aggregator.pem"},
             "client",
             "server",
             Reason::kUsageNotAllowed},
        Case{"another ca.pem in a leaf's folder",
             {"aggregator/aggregator.pem"},
             "server/server.pem",
             "client/ca.pem",
             Reason::kFileExists}}) {
    SCOPED_TRACE(c.what);
    std::filesystem::remove_all(options_.folder);
    Generate();
    for (const std::string& name : c.lost) std::filesystem::remove(Path(name));
    if (c.copied_from == "client") {
      for (const char* end : {".pem", ".key"}) {
        std::filesystem::copy_file(Path(std::string("client/client") + end),
                                   Path(std::string("server/server") + end),
                                   std::filesystem::copy_options::overwrite_existing);
      }
    } else if (!c.copied_from.empty()) {
      std::filesystem::copy_file(Path(c.copied_from), Path(c.copied_to),
                                 std::filesystem::copy_options::overwrite_existing);
    }
    const auto before = Files();
    EXPECT_EQ(ReasonOf(GenerateTree(options_, clock_).status()), c.reason);
    for (const auto& [path, content] : before) EXPECT_EQ(Content(path), content) << path;
  }
}

TEST_F(CertificateTreeTest, AKeyOfAnotherTypeThanAskedForIsNotReplaced) {
  Generate();
  std::filesystem::remove(Path("client/client.pem"));
  options_.key_type = KeyType::kP384;
  EXPECT_EQ(ReasonOf(GenerateTree(options_, clock_).status()), Reason::kFileExists);
  options_.key_type.reset();
  EXPECT_THAT(Generate().made, SizeIs(1));
}

TEST_F(CertificateTreeTest, ARenewedPinHoldsTheNewLeafAndThenTheOld) {
  Generate();
  const Certificate old_aggregator = Leaf("aggregator/aggregator.pem");
  const Certificate old_client = Leaf("client/client.pem");
  const Certificate old_server = Leaf("server/server.pem");
  clock_.now += 30 * kDay;

  const TreeReport report = Renew({"server", "aggregator"});
  ASSERT_THAT(report.made, SizeIs(2));
  ExpectWhole();
  const std::vector<Certificate> aggregator = Certificates("aggregator/aggregator.pem");
  ASSERT_THAT(aggregator, SizeIs(2));
  EXPECT_NE(aggregator[0], old_aggregator);
  EXPECT_NE(aggregator[0].public_key(), old_aggregator.public_key());
  EXPECT_EQ(aggregator[0].subject(), old_aggregator.subject());
  EXPECT_EQ(aggregator[0].alternative_names(), old_aggregator.alternative_names());
  EXPECT_EQ(aggregator[1], old_aggregator);
  EXPECT_EQ(report.made[1].older_certificates, 1);
  // Nobody pins the server's.
  EXPECT_THAT(Certificates("server/server.pem"), SizeIs(1));
  EXPECT_NE(Leaf("server/server.pem"), old_server);
  EXPECT_THAT(Certificates("client/client.pem"), ElementsAre(old_client));
}

TEST_F(CertificateTreeTest, OldLeavesGoWhenTheyExpireWhenThereAreManyAndWhenToldTo) {
  options_.authority_days = 3650;
  options_.days = 100;
  Generate();
  for (int i = 0; i < 4; ++i) Renew({"client"});
  EXPECT_THAT(Certificates("client/client.pem"), SizeIs(3)) << "present and at most two before it";

  clock_.now += 50 * kDay;
  Renew({"client"});
  clock_.now += 60 * kDay;
  Renew({"client"});
  EXPECT_THAT(Certificates("client/client.pem"), SizeIs(2)) << "the one of day 50 is unexpired";

  const Certificate present = Leaf("client/client.pem");
  EXPECT_THAT(DropOld().changed, ElementsAre(Path("client/client.pem")));
  EXPECT_THAT(Certificates("client/client.pem"), ElementsAre(present));
  EXPECT_THAT(DropOld().changed, IsEmpty());
}

TEST_F(CertificateTreeTest, ARenewalKeepsTypeAndNamesUnlessToldOtherwise) {
  options_.server_names = {*AlternativeName::Parse("bridge.example.com")};
  Generate();
  options_.key_type.reset();
  options_.server_names.clear();
  Renew({"server"});
  EXPECT_EQ(Leaf("server/server.pem").public_key().Describe(), "P-256");
  EXPECT_THAT(Leaf("server/server.pem").alternative_names(), SizeIs(5));

  options_.key_type = KeyType::kEd25519;
  options_.server_names = {*AlternativeName::Parse("10.1.2.3")};
  Renew({"server"});
  EXPECT_EQ(Leaf("server/server.pem").public_key().Describe(), "Ed25519");
  EXPECT_THAT(Leaf("server/server.pem").alternative_names(), SizeIs(6));
  ExpectWhole();
}

TEST_F(CertificateTreeTest, ALeafNeverOutlivesItsCaAndTheReportSaysSo) {
  Generate();
  clock_.now += 300 * kDay;
  const TreeReport report = Renew({"client"});
  ASSERT_THAT(report.made, SizeIs(1));
  EXPECT_TRUE(report.made[0].ends_with_authority);
  EXPECT_EQ(Leaf("client/client.pem").validity().not_after, Leaf("ca/ca.pem").validity().not_after);

  clock_.now += 100 * kDay;
  EXPECT_EQ(ReasonOf(RenewTree(options_, {"client"}, clock_).status()),
            Reason::kCertificateExpired);
}

TEST_F(CertificateTreeTest, RenewingRefusesWhatIsNotThere) {
  EXPECT_EQ(ReasonOf(RenewTree(options_, {"client"}, clock_).status()), Reason::kFileNotFound);
  EXPECT_FALSE(FileExists(options_.folder)) << "nothing is made";
  Generate();
  EXPECT_EQ(ReasonOf(RenewTree(options_, {"ca"}, clock_).status()), Reason::kUsageError);
  std::filesystem::remove(Path("client/client.pem"));
  EXPECT_EQ(ReasonOf(RenewTree(options_, {"client"}, clock_).status()), Reason::kFileNotFound);
}

TEST_F(CertificateTreeTest, ARollOverKeepsOldLeavesValidUntilTheOldCaIsDropped) {
  Generate();
  const Certificate old_ca = Leaf("ca/ca.pem");
  const Certificate old_server = Leaf("server/server.pem");
  clock_.now += kDay;

  const TreeReport rolled = Roll();
  EXPECT_EQ(rolled.made[0].older_certificates, 1);
  const Certificate new_ca = Leaf("ca/ca.pem");
  EXPECT_THAT(Certificates("client/ca.pem"), ElementsAre(new_ca, old_ca));
  EXPECT_EQ(new_ca.subject(), old_ca.subject());
  EXPECT_NE(new_ca.public_key(), old_ca.public_key());
  EXPECT_EQ(ReadKeyFile(Path("ca/ca.key"), nullptr)->public_key(), new_ca.public_key());
  EXPECT_EQ(Leaf("server/server.pem"), old_server);
  ExpectWhole();

  // Not while a leaf still needs the old one.
  const auto before = Files();
  EXPECT_EQ(ReasonOf(DropOldFromTree(options_, clock_).status()), Reason::kIssuerUnknown);
  EXPECT_EQ(Files(), before);

  Renew({"server", "client", "aggregator"});
  ExpectWhole();
  EXPECT_TRUE(Validate(old_server, "client/ca.pem", Usage::kServer).ok());
  EXPECT_THAT(DropOld().changed,
              UnorderedElementsAre(Path("client/client.pem"), Path("aggregator/aggregator.pem"),
                                   Path("ca/ca.pem"), Path("server/ca.pem"), Path("client/ca.pem"),
                                   Path("aggregator/ca.pem")));
  ExpectWhole();
  EXPECT_THAT(Certificates("client/ca.pem"), ElementsAre(new_ca));
  EXPECT_FALSE(Validate(old_server, "client/ca.pem", Usage::kServer).ok());
}

TEST_F(CertificateTreeTest, TwoRollOversLeaveThreeCas) {
  Generate();
  Roll();
  Roll();
  EXPECT_THAT(Certificates("server/ca.pem"), SizeIs(3));
  ExpectWhole();
  Renew({"client"});
  ExpectWhole();
}

TEST_F(CertificateTreeTest, ALostOrExpiredCaCanBeRolledOver) {
  Generate();
  std::filesystem::remove(Path("ca/ca.key"));
  Roll();
  ExpectWhole();

  clock_.now += 400 * kDay;
  Roll();
  EXPECT_THAT(Certificates("ca/ca.pem"), SizeIs(1)) << "expired ones vouch for nobody";
  Renew({"server", "client", "aggregator"});
  ExpectWhole();
}

TEST_F(CertificateTreeTest, ACrashInARollOverIsCarriedOutByTheNextCommand) {
  Generate();
  const std::string old_bundle = Content(Path("ca/ca.pem"));
  const std::string old_key = Content(Path("ca/ca.key"));
  Roll();
  const std::string new_bundle = Content(Path("ca/ca.pem"));
  const std::string new_key = Content(Path("ca/ca.key"));

  // As it is when only the first copy had been written.
  const WriteOptions replace{.overwrite = Overwrite::kReplace};
  const WriteOptions replace_key{.mode = 0600, .overwrite = Overwrite::kReplace};
  ASSERT_TRUE(WriteFile(Path("ca/ca.key.next"), new_key, replace_key).ok());
  ASSERT_TRUE(WriteFile(Path("ca/ca.pem.next"), new_bundle, replace).ok());
  ASSERT_TRUE(WriteFile(Path("ca/ca.key"), old_key, replace_key).ok());
  for (const char* name : {"ca/ca.pem", "client/ca.pem", "aggregator/ca.pem"}) {
    ASSERT_TRUE(WriteFile(Path(name), old_bundle, replace).ok());
  }
  const TreeReport report = Renew({"client"});
  EXPECT_THAT(report.recovered, ElementsAre(Path("ca/ca.pem")));
  EXPECT_EQ(Content(Path("ca/ca.key")), new_key);
  EXPECT_FALSE(FileExists(Path("ca/ca.key.next")));
  EXPECT_FALSE(FileExists(Path("ca/ca.pem.next")));
  ExpectWhole();
}

TEST_F(CertificateTreeTest, AnEncryptedCaKeyIsOpenedAndStaysEncrypted) {
  const Secret passphrase(std::string("correct horse"));
  options_.passphrase = &passphrase;
  Generate();
  EXPECT_THAT(Content(Path("ca/ca.key")), testing::HasSubstr("ENCRYPTED"));
  EXPECT_THAT(Content(Path("server/server.key")), testing::Not(testing::HasSubstr("ENCRYPTED")));
  Renew({"server"});
  Roll();
  EXPECT_THAT(Content(Path("ca/ca.key")), testing::HasSubstr("ENCRYPTED"));
  Renew({"server"});
  ExpectWhole();

  const auto before = Files();
  options_.passphrase = nullptr;
  EXPECT_EQ(ReasonOf(RenewTree(options_, {"server"}, clock_).status()), Reason::kKeyEncrypted);
  EXPECT_EQ(ReasonOf(RollTreeAuthority(options_, clock_).status()), Reason::kKeyEncrypted);
  const Secret wrong(std::string("wrong"));
  options_.passphrase = &wrong;
  EXPECT_EQ(ReasonOf(RollTreeAuthority(options_, clock_).status()), Reason::kPassphraseWrong);
  EXPECT_EQ(Files(), before);
}

TEST_F(CertificateTreeTest, ConcurrentRunsTakeTurns) {
  Generate();
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(4);
  for (absl::Status& result : results) {
    threads.emplace_back([&] { result = RenewTree(options_, {"aggregator"}, clock_).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  ExpectWhole();
}

TEST_F(CertificateTreeTest, ConcurrentFirstRunsMakeOneTree) {
  absl::Status results[2];
  std::thread first([&] { results[0] = GenerateTree(options_, clock_).status(); });
  std::thread second([&] { results[1] = GenerateTree(options_, clock_).status(); });
  first.join();
  second.join();
  EXPECT_NE(results[0].ok(), results[1].ok());
  EXPECT_EQ(ReasonOf(results[results[0].ok() ? 1 : 0]), Reason::kFileExists);
  ExpectWhole();
}

}  // namespace
}  // namespace troth
