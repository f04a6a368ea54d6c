// A process that is killed while it writes.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "troth/ca/ca_testing.h"
#include "troth/store/durability_testing.h"

namespace troth::store_testing {
namespace {

using ca_testing::TestFolder;

constexpr std::uint64_t kMost = 2000;

// Writes pieces from `first` on with several in flight, and tells the pipe of each that is
// acknowledged, until it is killed.
[[noreturn]] void WriteUntilKilled(const SqliteStoreOptions& options, std::uint64_t first,
                                   int pipe) {
  auto store = OpenSqliteStore(options);
  if (!store.ok()) _exit(1);
  std::atomic<std::uint64_t> in_flight = 0;
  for (std::uint64_t number = first; number <= kMost; ++number) {
    while (in_flight > 6) std::this_thread::yield();
    ++in_flight;
    (*store)->Write(PieceOf(number), [&in_flight, number, pipe](const absl::Status& status) {
      if (!status.ok() || write(pipe, &number, sizeof(number)) != sizeof(number)) _exit(2);
      --in_flight;
    });
  }
  for (;;) pause();
}

TEST(SqliteStoreKillTest, WhatWasAcknowledgedSurvives) {
  const TestFolder folder;
  const SqliteStoreOptions options{
      .path = folder / "store.db", .index_batch = 16, .check_point_pages = 64};
  for (std::uint64_t number = 1; number <= kMost; ++number) IssuedCertificate(number);
  std::uint64_t there = 0;
  for (int round = 0; round < 12 && there < kMost / 2; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteUntilKilled(options, there + 1, ends[1]);
    close(ends[1]);
    // Not a moment by the clock but after so many answers: each round ends elsewhere in the work.
    std::uint64_t acknowledged = there, number = 0;
    for (int answers = 0; answers < 5 + round * 7; ++answers) {
      ASSERT_EQ(read(ends[0], &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
      acknowledged = number;
    }
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    while (read(ends[0], &number, sizeof(number)) == static_cast<ssize_t>(sizeof(number))) {
      acknowledged = number;
    }
    close(ends[0]);

    auto store = OpenSqliteStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    const std::set<std::uint64_t> pieces = PiecesIn(**store, std::min(kMost, acknowledged + 300));
    ASSERT_GE(pieces.size(), acknowledged);
    ASSERT_EQ(*pieces.rbegin(), pieces.size());
    there = pieces.size();
    store->reset();
    ExpectNoFaults(options.path);
  }
  EXPECT_GT(there, 12U);
}

}  // namespace
}  // namespace troth::store_testing
