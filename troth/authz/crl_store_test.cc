#include "troth/authz/crl_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "troth/authz/authz_testing.h"

namespace troth {
namespace {

class CrlStoreTest : public testing::Test {
 protected:
  // Which of the certificates `a_` and `b_` some list in force revokes: "", "a", "b" or "ab".
  std::string Revoked(const CrlStore& store) const {
    const auto lists = [&](const Certificate& certificate) {
      for (const Crl& crl : *store.lists()) {
        if (crl.Find(certificate.serial_number()) != nullptr) return true;
      }
      return false;
    };
    return std::string(lists(a_) ? "a" : "") + (lists(b_) ? "b" : "");
  }

  TestFolder folder_;
  PeerAuthority authority_;
  PeerAuthority other_{"/CN=other"};
  Certificate a_ = authority_.Issue();
  Certificate b_ = other_.Issue();
};

TEST_F(CrlStoreTest, ReadsPemDerAndSeveralIssuersInOneFile) {
  RewriteFile(folder_ / "a.der", authority_.Revoke({a_}).der());
  RewriteFile(folder_ / "both.pem", authority_.Revoke({a_}).ToPem() + other_.Revoke({b_}).ToPem());
  CrlStore der({folder_ / "a.der"});
  EXPECT_TRUE(der.Load().ok());
  EXPECT_EQ(Revoked(der), "a");
  CrlStore both({folder_ / "both.pem"});
  EXPECT_TRUE(both.Load().ok());
  EXPECT_EQ(Revoked(both), "ab");
  EXPECT_EQ(both.lists()->size(), 2U);
}

TEST_F(CrlStoreTest, ReadsAFolderButNotWhatEditorsAndMountsLeaveThere) {
  ASSERT_TRUE(MakeFolder(folder_ / "crls/sub").ok());
  RewriteFile(folder_ / "crls/a.pem", authority_.Revoke({a_}).ToPem());
  RewriteFile(folder_ / "crls/b.pem", other_.Revoke({b_}).ToPem());
  RewriteFile(folder_ / "crls/b-again.pem", "");
  std::filesystem::remove(folder_ / "crls/b-again.pem");
  std::filesystem::create_symlink("b.pem", folder_ / "crls/b-again.pem");
  RewriteFile(folder_ / "crls/.hidden", "junk");
  RewriteFile(folder_ / "crls/a.pem~", "junk");
  RewriteFile(folder_ / "crls/sub/c.pem", "junk");
  CrlStore store({folder_ / "crls"});
  EXPECT_TRUE(store.Load().ok());
  EXPECT_EQ(Revoked(store), "ab");
  EXPECT_EQ(store.lists()->size(), 2U) << "the same list twice is one";
}

TEST_F(CrlStoreTest, UnchangedFilesGiveTheSameLists) {
  RewriteFile(folder_ / "a.pem", authority_.Revoke({a_}).ToPem());
  CrlStore store({folder_ / "a.pem"});
  ASSERT_TRUE(store.Load().ok());
  const CrlStore::Lists before = store.lists();
  ASSERT_TRUE(store.Load().ok());
  EXPECT_EQ(store.lists(), before);
  RewriteFile(folder_ / "a.pem", "# a comment\n" + before->front().ToPem());
  ASSERT_TRUE(store.Load().ok());
  EXPECT_EQ(store.lists(), before) << "the content is the same";
}

TEST_F(CrlStoreTest, BrokenFileKeepsItsLastGoodListAndTheOthersGoOn) {
  RewriteFile(folder_ / "a.pem", authority_.Revoke({a_}).ToPem());
  RewriteFile(folder_ / "b.pem", other_.Revoke({}).ToPem());
  CrlStore store({folder_ / "a.pem", folder_ / "b.pem"});
  ASSERT_TRUE(store.Load().ok());
  RewriteFile(folder_ / "a.pem", authority_.Revoke({}).ToPem().substr(0, 100));
  RewriteFile(folder_ / "b.pem", other_.Revoke({b_}).ToPem());
  const absl::Status status = store.Load();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("a.pem"), std::string::npos);
  EXPECT_EQ(Revoked(store), "ab");
  EXPECT_FALSE(store.Load().ok()) << "it is still broken";
  RewriteFile(folder_ / "a.pem", authority_.Revoke({}).ToPem());
  EXPECT_TRUE(store.Load().ok());
  EXPECT_EQ(Revoked(store), "b");
}

TEST_F(CrlStoreTest, NamedFileThatIsGoneStaysInForce) {
  RewriteFile(folder_ / "a.pem", authority_.Revoke({a_}).ToPem());
  CrlStore store({folder_ / "a.pem"});
  ASSERT_TRUE(store.Load().ok());
  std::filesystem::remove(folder_ / "a.pem");
  EXPECT_EQ(ReasonOf(store.Load()), Reason::kFileNotFound);
  EXPECT_EQ(Revoked(store), "a");
}

TEST_F(CrlStoreTest, FileThatIsGoneFromAFolderIsWithdrawn) {
  ASSERT_TRUE(MakeFolder(folder_ / "crls").ok());
  RewriteFile(folder_ / "crls/a.pem", authority_.Revoke({a_}).ToPem());
  RewriteFile(folder_ / "crls/b.pem", other_.Revoke({b_}).ToPem());
  CrlStore store({folder_ / "crls"});
  ASSERT_TRUE(store.Load().ok());
  std::filesystem::remove(folder_ / "crls/a.pem");
  EXPECT_TRUE(store.Load().ok());
  EXPECT_EQ(Revoked(store), "b");
}

TEST_F(CrlStoreTest, FolderThatIsGoneStaysInForce) {
  ASSERT_TRUE(MakeFolder(folder_ / "crls").ok());
  RewriteFile(folder_ / "crls/a.pem", authority_.Revoke({a_}).ToPem());
  CrlStore store({folder_ / "crls"});
  ASSERT_TRUE(store.Load().ok());
  std::filesystem::remove_all(folder_ / "crls");
  EXPECT_FALSE(store.Load().ok());
  EXPECT_EQ(Revoked(store), "a");
}

TEST_F(CrlStoreTest, FileThatNeverWasGoodIsAnError) {
  CrlStore missing({folder_ / "none.pem"});
  EXPECT_EQ(ReasonOf(missing.Load()), Reason::kFileNotFound);
  RewriteFile(folder_ / "cert.pem", authority_.pem());
  CrlStore certificate({folder_ / "cert.pem"});
  EXPECT_FALSE(certificate.Load().ok());
  EXPECT_TRUE(certificate.lists()->empty());
}

}  // namespace
}  // namespace troth
