#include "troth/ca/folder_lock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"

namespace troth {
namespace {

using ca_testing::TestFolder;
TEST(FolderLockTest, KeepsOutASecondHolderUntilTheFirstLetsGo) {
  const TestFolder folder;
  std::optional<FolderLock> first = *FolderLock::Acquire(folder.path());
  EXPECT_EQ(ReasonOf(FolderLock::Acquire(folder.path(), Seconds(0)).status()), Reason::kFileLocked);
  first.reset();
  EXPECT_TRUE(FolderLock::Acquire(folder.path(), Seconds(0)).ok());
}

TEST(FolderLockTest, WaitsForTheOther) {
  const TestFolder folder;
  std::optional<FolderLock> first = *FolderLock::Acquire(folder.path());
  bool acquired = false;
  std::thread waiter([&] { acquired = FolderLock::Acquire(folder.path()).ok(); });
  first.reset();
  waiter.join();
  EXPECT_TRUE(acquired);
}

TEST(FolderLockTest, MovesWithItsObject) {
  const TestFolder folder;
  FolderLock first = *FolderLock::Acquire(folder.path());
  const FolderLock second = std::move(first);
  EXPECT_EQ(ReasonOf(FolderLock::Acquire(folder.path(), Seconds(0)).status()), Reason::kFileLocked);
}

TEST(FolderLockTest, LeavesNoFileBehind) {
  const TestFolder folder;
  { const FolderLock lock = *FolderLock::Acquire(folder.path()); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(FolderLockTest, NamesAMissingFolder) {
  EXPECT_EQ(ReasonOf(FolderLock::Acquire("/nonexistent/folder").status()), Reason::kFileNotFound);
}

}  // namespace
}  // namespace troth
