// Every change of a file fails once: nothing that was acknowledged is lost, what failed is not
// kept, and the store goes on by itself.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/store/durability_testing.h"
#include "troth/store/faulty_vfs_testing.h"

namespace troth::store_testing {
namespace {

using ca_testing::TestFolder;

constexpr std::uint64_t kPieces = 40;

SqliteStoreOptions Options(const std::string& path, const FaultyVfs& vfs) {
  return {.path = path, .vfs = vfs.name(), .index_batch = 4, .check_point_pages = 24};
}

struct Failure {
  const char* name;
  int code;
  std::int64_t count;
};
class FailingWritesTest : public ::testing::TestWithParam<Failure> {
 protected:
  // One run with a failure at change `at`, counted from the opening. False: the run is shorter.
  bool RunWithFailureAt(std::int64_t at) {
    const TestFolder folder;
    const std::string path = folder / "store.db";
    FaultyVfs vfs;
    vfs.FailChanges(at, GetParam().count, GetParam().code);
    auto store = OpenSqliteStore(Options(path, vfs));
    if (!store.ok()) {
      EXPECT_EQ(ReasonOf(store.status()), Reason::kStoreFailed);
      vfs.FailChanges(0, 0, 0);
      store = OpenSqliteStore(Options(path, vfs));
    }
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return true;
    std::set<std::uint64_t> expected;
    for (std::uint64_t number = 1; number < kPieces;) {
      std::vector<Store::Work> group;
      const std::uint64_t first = number;
      for (std::uint64_t i = 0; i <= first % 3; ++i) group.push_back(PieceOf(number++));
      const std::vector<absl::Status> results = ca_testing::WriteAsGroup(**store, std::move(group));
      for (size_t i = 0; i < results.size(); ++i) {
        // All of a group or nothing.
        EXPECT_EQ(results[i].ok(), results[0].ok());
        if (results[i].ok()) {
          expected.insert(first + i);
        } else {
          EXPECT_EQ(ReasonOf(results[i]), Reason::kStoreFailed);
        }
      }
      if (!results[0].ok()) {
        EXPECT_EQ(PiecesIn(**store, number), expected);
        // What failed once can be done again, by the same store, once the disk works.
        vfs.FailChanges(0, 0, 0);
        if (number % 2 == 0) {
          EXPECT_TRUE((*store)->WriteAndWait(PieceOf(first)).ok());
          expected.insert(first);
        }
      }
    }
    const bool failed = vfs.has_failed();
    vfs.FailChanges(0, 0, 0);
    EXPECT_TRUE((*store)->WriteAndWait(PieceOf(kPieces + 10)).ok());
    expected.insert(kPieces + 10);
    EXPECT_EQ(PiecesIn(**store, kPieces + 10), expected);
    store->reset();
    store = OpenSqliteStore(Options(path, vfs));
    EXPECT_TRUE(store.ok()) << store.status();
    if (store.ok()) {
      EXPECT_EQ(PiecesIn(**store, kPieces + 10), expected);
    }
    store = absl::UnknownError("closed");
    if (at % 8 == 0) ExpectNoFaults(path);
    return failed;
  }

  const QuietLog quiet_;
};

TEST_P(FailingWritesTest, AtEveryPoint) {
  std::int64_t at = 1;
  for (; !HasFailure(); ++at) {
    SCOPED_TRACE("change " + std::to_string(at));
    if (!RunWithFailureAt(at)) break;
  }
  EXPECT_GT(at, 200);
}

INSTANTIATE_TEST_SUITE_P(Disk, FailingWritesTest,
                         ::testing::Values(Failure{"Full", SQLITE_FULL, 1},
                                           Failure{"FullForAWhile", SQLITE_FULL, 9},
                                           Failure{"WriteError", SQLITE_IOERR_WRITE, 1},
                                           Failure{"SyncError", SQLITE_IOERR_FSYNC, 3}),
                         [](const auto& info) { return info.param.name; });

// The log may hold a whole group when its sync fails. A stop of the machine right afterwards must
// not bring back what everybody was told is not kept.
TEST(FailingSyncTest, AGroupThatFailedDoesNotComeBackAfterACrash) {
  const QuietLog quiet;
  bool failed = true;
  for (std::int64_t at = 1; failed; ++at) {
    SCOPED_TRACE("change " + std::to_string(at));
    const TestFolder folder, after;
    FaultyVfs vfs;
    auto store = OpenSqliteStore(Options(folder / "store.db", vfs));
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->WriteAndWait(PieceOf(1)).ok());
    vfs.FailChanges(at, 1, SQLITE_IOERR_FSYNC);
    const std::vector<absl::Status> results =
        ca_testing::WriteAsGroup(**store, {PieceOf(2), PieceOf(3)});
    failed = vfs.has_failed();
    // The files as a killed process leaves them; -shm goes with the machine.
    for (const char* name : {"store.db", "store.db-wal"}) {
      std::filesystem::copy_file(folder / name, after / name);
    }
    store = OpenSqliteStore(Options(after / "store.db", vfs));
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ(PiecesIn(**store, 3).size(), results[0].ok() ? 3U : 1U);
    if (HasFailure()) return;
  }
}

TEST(FailingReadTest, WhoReadsIsToldAndCanReadLater) {
  const TestFolder folder;
  FaultyVfs vfs;
  const std::string path = folder / "store.db";
  for (int i = 0; i < 2; ++i) {
    auto store = OpenSqliteStore(Options(path, vfs));
    ASSERT_TRUE(store.ok()) << store.status();
    const std::uint64_t first = i == 0 ? 1 : 41;
    for (std::uint64_t number = first; number < first + 40; ++number) {
      ASSERT_TRUE((*store)->WriteAndWait(PieceOf(number)).ok());
    }
  }
  auto store = OpenSqliteStore(Options(path, vfs));
  ASSERT_TRUE(store.ok()) << store.status();
  const auto find = [](StoreReader& reader) {
    return reader.FindRequest(ca_testing::DigestOf(4)).status();
  };
  vfs.FailReads(true);
  EXPECT_EQ(ReasonOf((*store)->Read(find)), Reason::kStoreFailed);
  // A piece that makes nothing of the failure has decided on what it did not see: neither it nor
  // its group is kept, though the disk works again for the next.
  const std::vector<absl::Status> results = ca_testing::WriteAsGroup(
      **store, {[](StoreTransaction& transaction) {
                  return transaction.AppendLedger(ca_testing::TestNote(81));
                },
                [&](StoreTransaction& transaction) {
                  find(transaction).IgnoreError();
                  vfs.FailReads(false);
                  return absl::OkStatus();
                },
                PieceOf(82)});
  for (const absl::Status& result : results) {
    EXPECT_EQ(ReasonOf(result), Reason::kStoreFailed);
  }
  EXPECT_EQ(PiecesIn(**store, 82).size(), 80U);
  EXPECT_TRUE((*store)->Read(find).ok());
  EXPECT_TRUE((*store)->WriteAndWait(PieceOf(81)).ok());
  EXPECT_EQ(PiecesIn(**store, 81).size(), 81U);
}

}  // namespace
}  // namespace troth::store_testing
