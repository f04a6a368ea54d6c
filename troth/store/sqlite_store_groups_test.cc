// How pieces of work come together in one transaction.
#include <gtest/gtest.h>
#include <sched.h>

#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "troth/ca/ca_testing.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

class SqliteStoreGroupsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = OpenSqliteStore({.path = folder_ / "store.db"});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  const ca_testing::TestFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(SqliteStoreGroupsTest, WhatCameWhileOneWasWrittenIsOneGroup) {
  constexpr size_t kPieces = 20;
  std::promise<void> begun, go_on;
  std::vector<std::promise<absl::Status>> ended(1 + kPieces);
  const auto end = [&ended](size_t number) {
    return [&ended, number](absl::Status status) { ended[number].set_value(std::move(status)); };
  };
  store_->Write(
      [&](StoreTransaction& /*transaction*/) {
        begun.set_value();
        go_on.get_future().wait();
        return absl::OkStatus();
      },
      end(0));
  begun.get_future().wait();
  for (size_t number = 1; number <= kPieces; ++number) {
    store_->Write([](StoreTransaction& /*transaction*/) { return absl::OkStatus(); }, end(number));
  }
  go_on.set_value();
  for (std::promise<absl::Status>& piece : ended) {
    const absl::Status status = piece.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  const StoreStatistics statistics = store_->Statistics();
  EXPECT_EQ(statistics.writes, 1 + kPieces);
  EXPECT_EQ(statistics.groups, 2U);
}

// Or it would commit each piece alone, on the core of whoever makes the next one.
TEST_F(SqliteStoreGroupsTest, TheThreadThatCommitsInterruptsNobody) {
  int policy = -1;
  const absl::Status done = store_->WriteAndWait([&](StoreTransaction& /*transaction*/) {
    policy = sched_getscheduler(0);
    return absl::OkStatus();
  });
  ASSERT_TRUE(done.ok()) << done;
  EXPECT_EQ(policy, SCHED_BATCH);
}

}  // namespace
}  // namespace troth
