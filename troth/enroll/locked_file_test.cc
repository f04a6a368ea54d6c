#include "troth/enroll/locked_file.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <optional>
#include <string>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/identity/identity_testing.h"

namespace troth {
namespace {

class LockedFileTest : public ::testing::Test {
 protected:
  std::optional<Reason> ReasonOfLocking() const {
    return ReasonOf(LockedFile::Acquire(path_, {}).status());
  }
  static struct stat InfoOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info;
  }

  TestFolder folder_;
  std::string path_ = folder_ / "device.pem";
};

TEST_F(LockedFileTest, OneHoldsItAtATime) {
  {
    const auto lock = LockedFile::Acquire(path_, {});
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_EQ(ReasonOfLocking(), Reason::kFileLocked);
  }
  EXPECT_EQ(ReasonOfLocking(), std::nullopt);
}

TEST_F(LockedFileTest, TheLockIsOneThatOtherProgramsSee) {
  RewriteFile(path_, "x");
  {
    const auto lock = LockedFile::Acquire(path_, {});
    EXPECT_NE(std::system(("flock -n '" + path_ + "' true").c_str()), 0);
  }
  EXPECT_EQ(std::system(("flock -n '" + path_ + "' true").c_str()), 0);

  const int other = open(path_.c_str(), O_RDONLY);
  ASSERT_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(ReasonOfLocking(), Reason::kFileLocked);
  close(other);
}

TEST_F(LockedFileTest, StaysLockedWhenItIsReplaced) {
  auto lock = LockedFile::Acquire(path_, {});
  for (const std::string content : {"one", "two"}) {
    ASSERT_TRUE(lock->Replace(content, std::nullopt).ok());
    EXPECT_EQ(*ReadFile(path_), content);
    EXPECT_EQ(ReasonOfLocking(), Reason::kFileLocked);
  }
  ASSERT_TRUE(lock->Clear().ok());
  EXPECT_EQ(ReasonOfLocking(), Reason::kFileLocked);
}

TEST_F(LockedFileTest, WhatWasMadeOnlyToLockItGoesAgain) {
  { EXPECT_TRUE(LockedFile::Acquire(path_, {}).ok()); }
  EXPECT_FALSE(FileExists(path_));
  {
    auto lock = LockedFile::Acquire(path_, {});
    ASSERT_TRUE(lock->Replace("key", std::nullopt).ok());
  }
  EXPECT_EQ(*ReadFile(path_), "key");
  {
    auto lock = LockedFile::Acquire(path_, {});
    ASSERT_TRUE(lock->Clear().ok());
  }
  EXPECT_FALSE(FileExists(path_));
}

TEST_F(LockedFileTest, ModeAndTimesAreAsAskedForWhateverTheUmask) {
  const mode_t before = umask(077);
  auto lock = LockedFile::Acquire(path_, {.mode = 0640});
  ASSERT_TRUE(lock->Replace("key", ParseTime("2020-01-02T03:04:05Z")).ok());
  umask(before);
  EXPECT_EQ(InfoOf(path_).st_mode & 07777, 0640u);
  EXPECT_EQ(InfoOf(path_).st_mtime, ParseTime("2020-01-02T03:04:05Z")->time_since_epoch().count());
}

TEST_F(LockedFileTest, BelongsToItsOwnerFromTheFirstMoment) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  auto lock = LockedFile::Acquire(path_, {.owner = *FileOwner::Parse("nobody:12345")});
  ASSERT_TRUE(lock->Replace("key", std::nullopt).ok());
  EXPECT_EQ(InfoOf(path_).st_uid, *FileOwner::Parse("nobody")->user);
  EXPECT_EQ(InfoOf(path_).st_gid, 12345u);
  ASSERT_TRUE(WriteOwnedFile(folder_ / "crt", "x", {.mode = 0644, .owner = {.user = 7}}, {}).ok());
  EXPECT_EQ(InfoOf(folder_ / "crt").st_uid, 7u);
}

TEST_F(LockedFileTest, WhatIsNoFileIsNotLocked) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(ReasonOfLocking(), Reason::kFileNotRegular);
  EXPECT_EQ(ReasonOf(LockedFile::Acquire(folder_.path(), {}).status()), Reason::kFileNotRegular);
  EXPECT_EQ(ReasonOf(LockedFile::Acquire(folder_ / "no/such", {}).status()),
            Reason::kFileUnreadable);
}

TEST_F(LockedFileTest, OwnersAreNamesOrNumbers) {
  EXPECT_EQ(FileOwner::Parse("root")->user, 0u);
  EXPECT_EQ(FileOwner::Parse("root")->group, std::nullopt);
  EXPECT_EQ(FileOwner::Parse(":root")->group, 0u);
  EXPECT_EQ(FileOwner::Parse("4711:4712")->user, 4711u);
  EXPECT_EQ(FileOwner::Parse("4711:4712")->group, 4712u);
  for (const std::string text : {"", ":", "no-such-user-here", "root:no-such-group", "-1", "1x"}) {
    EXPECT_EQ(ReasonOf(FileOwner::Parse(text).status()), Reason::kUsageError) << text;
  }
}

// Many processes fight for the file, and each replaces it while it has it: nobody ever sees
// another's half-done work.
TEST_F(LockedFileTest, OfManyProcessesOneWorksAtATime) {
  const std::string marker = folder_ / "at-work";
  constexpr int kProcesses = 8;
  for (int i = 0; i < kProcesses; ++i) {
    if (fork() != 0) continue;
    int done = 0;
    for (int attempts = 0; done < 20 && attempts < 1'000'000; ++attempts) {
      auto lock = LockedFile::Acquire(path_, {});
      if (!lock.ok()) continue;
      const int at_work = open(marker.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
      if (at_work < 0) _exit(1);  // somebody else is in here
      if (!lock->Replace(std::to_string(i), std::nullopt).ok()) _exit(2);
      close(at_work);
      unlink(marker.c_str());
      ++done;
    }
    _exit(done == 20 ? 0 : 3);
  }
  for (int i = 0; i < kProcesses; ++i) {
    int status = 0;
    wait(&status);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

}  // namespace
}  // namespace troth
