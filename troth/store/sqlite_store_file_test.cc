// Which files are opened, and how.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/store/durability_testing.h"
#include "troth/store/schema_internal.h"
#include "troth/store/sqlite_internal.h"

namespace troth::store_testing {
namespace {

using ca_testing::Content;
using ca_testing::ModeOf;
using ca_testing::TestFolder;

std::unique_ptr<Store> Open(const SqliteStoreOptions& options) {
  auto store = OpenSqliteStore(options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

void RunSql(const std::string& path, const std::string& sql) {
  auto connection = SqliteConnection::Open(path, SqliteConnection::Access::kWrite, "");
  ASSERT_TRUE(connection.ok()) << connection.status();
  const absl::Status done = (*connection)->Execute(sql);
  ASSERT_TRUE(done.ok()) << done;
}

std::optional<Reason> WhyNot(const SqliteStoreOptions& options) {
  return ReasonOf(OpenSqliteStore(options).status());
}

TEST(SqliteStoreFileTest, OnlyTheOwnerReadsIt) {
  const TestFolder folder;
  const mode_t before = umask(0);
  const auto store = Open({.path = folder / "store.db"});
  ASSERT_TRUE(store->WriteAndWait(PieceOf(1)).ok());
  for (const char* name : {"store.db", "store.db-wal", "store.db-shm"}) {
    EXPECT_EQ(ModeOf(folder / name), 0600U) << name;
  }
  umask(before);
}

TEST(SqliteStoreFileTest, AClosedStoreIsOneFile) {
  const TestFolder folder;
  auto store = Open({.path = folder / "store.db"});
  ASSERT_TRUE(store->WriteAndWait(PieceOf(1)).ok());
  EXPECT_EQ(PiecesIn(*store, 1).size(), 1U);
  store.reset();
  EXPECT_FALSE(FileExists(folder / "store.db-wal"));
}

TEST(SqliteStoreFileTest, WhatIsNotAStoreIsRefusedAndLeftAsItIs) {
  const TestFolder folder;
  std::ofstream(folder / "text") << std::string(5000, 'x');
  RunSql(folder / "other", "CREATE TABLE csr(id INTEGER); INSERT INTO csr VALUES (1)");
  RunSql(folder / "other-id", "PRAGMA application_id = 42");
  RunSql(folder / "newer", "SELECT 1");
  Open({.path = folder / "newer"}).reset();
  RunSql(folder / "newer", "INSERT INTO schema_version VALUES (1000, 0)");
  struct Case {
    std::string name;
    Reason reason;
  };
  for (const Case& it : {Case{"text", Reason::kStoreFailed}, Case{"other", Reason::kStoreFailed},
                         Case{"other-id", Reason::kStoreFailed}, Case{"newer", Reason::kStoreNewer},
                         Case{"missing/store.db", Reason::kStoreFailed}}) {
    const std::string path = folder / it.name;
    const std::string before = FileExists(path) ? Content(path) : "";
    EXPECT_EQ(WhyNot({.path = path}), it.reason) << it.name;
    EXPECT_EQ(WhyNot({.path = path, .read_only = true}), it.reason) << it.name;
    EXPECT_EQ(ReasonOf(CheckSqliteStore(path, nullptr).status()), it.reason) << it.name;
    if (FileExists(path)) {
      EXPECT_EQ(Content(path), before) << it.name;
    }
  }
}

TEST(SqliteStoreFileTest, AFileIsKnownByItsHeader) {
  const TestFolder folder;
  Open({.path = folder / "store.db"}).reset();
  // Bytes 68 to 71 of a SQLite file are its application id.
  EXPECT_EQ(Content(folder / "store.db").substr(68, 4), "Trth");
}

TEST(SqliteStoreFileTest, ReadingNeedsAStoreThatIsThere) {
  const TestFolder folder;
  EXPECT_EQ(WhyNot({.path = folder / "none", .read_only = true}), Reason::kStoreFailed);
  EXPECT_FALSE(FileExists(folder / "none"));
  std::ofstream(folder / "empty") << "";
  EXPECT_EQ(WhyNot({.path = folder / "empty", .read_only = true}), Reason::kStoreFailed);
}

TEST(SqliteStoreFileTest, AReaderFollowsAnotherProcessThatWrites) {
  const TestFolder folder;
  const SqliteStoreOptions options{.path = folder / "store.db", .index_batch = 5};
  const auto writer = Open(options);
  SqliteStoreOptions reading = options;
  reading.read_only = true;
  const auto reader = Open(reading);
  for (std::uint64_t number = 1; number <= 40; ++number) {
    ASSERT_TRUE(writer->WriteAndWait(PieceOf(number)).ok());
    if (number % 3 != 0) continue;
    EXPECT_EQ(PiecesIn(*reader, 41).size(), number);
    const StoreStatistics statistics = reader->Statistics();
    EXPECT_EQ(statistics.revocations, number / 3);
    EXPECT_EQ(statistics.pending_requests, number / 4);
  }
  EXPECT_EQ(ReasonOf(reader->WriteAndWait(PieceOf(41))), Reason::kStoreFailed);
  EXPECT_EQ(PiecesIn(*writer, 41).size(), 40U);
}

TEST(SqliteStoreFileTest, ABatchIsIndexedWhenItIsFull) {
  const TestFolder folder;
  const SqliteStoreOptions options{.path = folder / "store.db", .index_batch = 5};
  auto store = Open(options);
  for (std::uint64_t number = 1; number <= 23; ++number) {
    ASSERT_TRUE(store->WriteAndWait(PieceOf(number)).ok());
  }
  // The index is written after the answer: a later piece finds it done.
  ASSERT_TRUE(store->WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); }).ok());
  EXPECT_EQ(store->Statistics().unindexed, 3U);
  store.reset();
  store = Open(options);
  EXPECT_EQ(store->Statistics().unindexed, 3U);
  store.reset();
  ExpectNoFaults(options.path);
}

}  // namespace
}  // namespace troth::store_testing
