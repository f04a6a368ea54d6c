// A power cut at every moment of a run: what was acknowledged is there, and nothing is there in
// part.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "troth/ca/ca_testing.h"
#include "troth/store/durability_testing.h"
#include "troth/store/faulty_vfs_testing.h"

namespace troth::store_testing {
namespace {

using ca_testing::TestFolder;
using Kind = FaultyVfs::Change::Kind;

// Small, so that a short run has many batches, merges and check points.
SqliteStoreOptions Options(const std::string& path, const FaultyVfs& vfs) {
  return {.path = path, .vfs = vfs.name(), .index_batch = 4, .check_point_pages = 24};
}

constexpr std::uint64_t kPieces = 90;

// Writes all pieces, in groups of one to four, closing and opening once; a mark follows whatever
// is acknowledged.
void RunAndRemember(const std::string& path, FaultyVfs& vfs) {
  std::uint64_t number = 0;
  for (const std::uint64_t until : {kPieces / 2, kPieces}) {
    auto store = OpenSqliteStore(Options(path, vfs));
    ASSERT_TRUE(store.ok()) << store.status();
    while (number < until) {
      std::vector<Store::Work> group;
      const std::uint64_t first = number + 1;
      for (std::uint64_t i = 0; i <= first % 4 && number < until; ++i) {
        group.push_back(PieceOf(++number));
      }
      for (const absl::Status& status : ca_testing::WriteAsGroup(**store, std::move(group))) {
        ASSERT_TRUE(status.ok()) << status;
      }
      vfs.Mark(static_cast<std::int64_t>(number));
    }
  }
}

TEST(PowerCutTest, WhatWasAcknowledgedIsThereAndNothingInPart) {
  for (std::uint64_t number = 1; number <= kPieces + 1; ++number) IssuedCertificate(number);
  FaultyVfs vfs;
  const TestFolder folder;
  vfs.Remember(true);
  RunAndRemember(folder / "store.db", vfs);
  vfs.Remember(false);
  const std::vector<FaultyVfs::Change>& changes = vfs.changes();
  ASSERT_GT(changes.size(), 600U);

  Disk disk;
  std::mt19937 random(4711);
  std::uint64_t acknowledged = 0;
  size_t cuts = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    disk.Apply(changes[i]);
    if (changes[i].kind == Kind::kMark) {
      acknowledged = static_cast<std::uint64_t>(changes[i].offset);
      continue;
    }
    // Losing some is tried everywhere, the two simple cases in turn.
    for (const Disk::Loss loss :
         {Disk::Loss::kSome, i % 2 == 0 ? Disk::Loss::kNothing : Disk::Loss::kAllUnsynced}) {
      ++cuts;
      SCOPED_TRACE("after change " + std::to_string(i) + ", loss " +
                   std::to_string(static_cast<int>(loss)));
      const TestFolder after;
      disk.CutPower(loss, random, after.path());
      auto store = OpenSqliteStore(Options(after / "store.db", vfs));
      ASSERT_TRUE(store.ok()) << store.status();
      const std::set<std::uint64_t> pieces = PiecesIn(**store, kPieces);
      // In the order in which they were written: all up to some piece.
      ASSERT_GE(pieces.size(), acknowledged);
      ASSERT_TRUE(pieces.empty() || *pieces.rbegin() == pieces.size());
      ASSERT_TRUE((*store)->WriteAndWait(PieceOf(kPieces + 1)).ok());
      ASSERT_EQ(PiecesIn(**store, kPieces + 1).size(), pieces.size() + 1);
      store->reset();
      if (i % 8 == 0) ExpectNoFaults(after / "store.db");
      if (HasFailure()) return;
    }
  }
  EXPECT_EQ(acknowledged, kPieces);
  RecordProperty("cuts", static_cast<int>(cuts));
}

}  // namespace
}  // namespace troth::store_testing
