#include "troth/authz/watched_crls.h"

#include <gtest/gtest.h>

#include <thread>

#include "troth/authz/authz_testing.h"

namespace troth {
namespace {

class WatchedLists : public testing::Test {
 protected:
  // Whether the lists come to revoke `certificate`, or cease to.
  static bool Eventually(const WatchedCrls& crls, const Certificate& certificate, bool revoked) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (Revokes(crls, certificate) != revoked) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  static bool Revokes(const WatchedCrls& crls, const Certificate& certificate) {
    const auto lists = crls.Current();
    if (!lists.ok()) return false;
    for (const Crl& crl : **lists) {
      if (crl.Find(certificate.serial_number()) != nullptr) return true;
    }
    return false;
  }

  TestFolder folder_;
  const std::string file_ = folder_ / "ca.crl";
  const PeerAuthority authority_;
  const Certificate peer_ = authority_.Issue();
  LogCapture quiet_;
};

TEST_F(WatchedLists, WithoutPathsAreEmpty) {
  const WatchedCrls crls({});
  ASSERT_TRUE(crls.Current().ok());
  EXPECT_TRUE((*crls.Current())->empty());
}

TEST_F(WatchedLists, FollowTheirFile) {
  RewriteFile(file_, authority_.Revoke({}).ToPem());
  const WatchedCrls crls({file_}, std::chrono::milliseconds(20));
  ASSERT_TRUE(crls.Current().ok());
  EXPECT_FALSE(Revokes(crls, peer_));
  RewriteFile(file_, authority_.Revoke({peer_}).ToPem());
  EXPECT_TRUE(Eventually(crls, peer_, true));
}

TEST_F(WatchedLists, AreAnErrorUntilEveryPathWasRead) {
  const WatchedCrls crls({file_}, std::chrono::milliseconds(20));
  EXPECT_EQ(CodeOrNone(crls.Current().status()), "file_not_found");
  RewriteFile(file_, authority_.Revoke({peer_}).ToPem());
  EXPECT_TRUE(Eventually(crls, peer_, true));
}

TEST_F(WatchedLists, KeepTheLastGoodOnesOfAFileThatBreaks) {
  const std::string other = folder_ / "other.crl";
  const Certificate second = authority_.Issue();
  RewriteFile(file_, authority_.Revoke({peer_}).ToPem());
  RewriteFile(other, authority_.Revoke({}).ToPem());
  const WatchedCrls crls({file_, other}, std::chrono::milliseconds(20));
  RewriteFile(file_, "not a list");
  // The other file shows that the first was read again.
  RewriteFile(other, authority_.Revoke({second}).ToPem());
  EXPECT_TRUE(Eventually(crls, second, true));
  EXPECT_TRUE(Revokes(crls, peer_));
}

}  // namespace
}  // namespace troth
