#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/store/index_segments_internal.h"
#include "troth/store/schema_internal.h"

namespace troth {
namespace {

using Sequences = std::vector<std::uint64_t>;

class IndexSegmentsTest : public ::testing::Test {
 protected:
  IndexSegmentsTest()
      : connection_(*OpenForWriting(folder_ / "store.db", "", size_t{1} << 20, Time())),
        segments_(*connection_) {
    EXPECT_TRUE(connection_->Execute("BEGIN").ok());
  }

  // Few distinct keys, so that one key can fill blocks.
  std::vector<IndexEntry> RandomEntries(size_t count, std::uint64_t keys, std::uint64_t first) {
    std::vector<IndexEntry> entries;
    for (size_t i = 0; i < count; ++i) {
      entries.push_back({(random_() % keys) * (UINT64_MAX / keys), first + i});
    }
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  std::shared_ptr<const IndexSegment> Write(const std::vector<IndexEntry>& entries,
                                            std::uint64_t first = 1) {
    auto written = segments_.Write(entries, {.kind = IndexKind::kTerms,
                                             .first_sequence = first,
                                             .last_sequence = first + entries.size() - 1});
    EXPECT_TRUE(written.ok()) << written.status();
    return *std::move(written);
  }
  std::vector<IndexEntry> ReadAll(const IndexSegment& segment) {
    std::vector<IndexEntry> entries;
    EXPECT_TRUE(segments_
                    .VisitAll(segment,
                              [&](const IndexEntry& entry) {
                                entries.push_back(entry);
                                return true;
                              })
                    .ok());
    return entries;
  }
  Sequences Find(const IndexSegment& segment, std::uint64_t key) {
    Sequences found;
    EXPECT_TRUE(segments_.Find(segment, key, found).ok());
    return found;
  }

  const ca_testing::TestFolder folder_;
  std::mt19937_64 random_{7};
  std::unique_ptr<SqliteConnection> connection_;
  IndexSegments segments_;
};

TEST_F(IndexSegmentsTest, FindsAndCountsAsASearchThroughAllWould) {
  for (const size_t count : {0, 1, 309, 310, 311, 5000}) {
    for (const std::uint64_t keys : {2, 40, 100'000}) {
      const std::vector<IndexEntry> entries = RandomEntries(count, keys, 1);
      const auto segment = Write(entries);
      EXPECT_EQ(segment->entries, count);
      EXPECT_EQ(ReadAll(*segment), entries);
      const std::uint64_t step = UINT64_MAX / keys;
      for (std::uint64_t i = 0; i < 200; ++i) {
        const std::uint64_t key = (random_() % keys) * step + (i % 3) - 1;
        Sequences expected;
        std::uint64_t below = 0;
        for (const IndexEntry& entry : entries) {
          if (entry.key == key) expected.push_back(entry.sequence);
          below += entry.key < key ? 1 : 0;
        }
        EXPECT_EQ(Find(*segment, key), expected);
        EXPECT_EQ(*segments_.CountBelow(*segment, key), below);
      }
      EXPECT_EQ(*segments_.CountBelow(*segment, UINT64_MAX),
                static_cast<std::uint64_t>(
                    std::count_if(entries.begin(), entries.end(),
                                  [](const IndexEntry& entry) { return entry.key < UINT64_MAX; })));
    }
  }
}

TEST_F(IndexSegmentsTest, VisitsARangeUntilTheVisitorHasEnough) {
  std::vector<IndexEntry> entries;
  for (std::uint64_t i = 1; i <= 2000; ++i) entries.push_back({i * 10, i});
  const auto segment = Write(entries);
  const auto visit = [&](std::uint64_t first, std::uint64_t last, size_t most) {
    Sequences visited;
    EXPECT_TRUE(segments_
                    .Visit(*segment, first, last,
                           [&](const IndexEntry& entry) {
                             visited.push_back(entry.sequence);
                             return visited.size() < most;
                           })
                    .ok());
    return visited;
  };
  EXPECT_EQ(visit(0, 30, 99), (Sequences{1, 2, 3}));
  EXPECT_EQ(visit(3095, 3121, 99), (Sequences{310, 311, 312}));
  EXPECT_EQ(visit(10, 20'000, 2), (Sequences{1, 2}));
  EXPECT_EQ(visit(19'995, UINT64_MAX, 99), (Sequences{2000}));
  EXPECT_EQ(visit(20'001, UINT64_MAX, 99), Sequences());
  EXPECT_EQ(visit(30, 20, 99), Sequences());
}

TEST_F(IndexSegmentsTest, MergingKeepsEveryEntryAndLeavesNothingBehind) {
  std::vector<std::shared_ptr<const IndexSegment>> parts;
  std::vector<IndexEntry> all;
  std::uint64_t first = 1;
  for (const size_t count : {700, 0, 1, 1300}) {
    const std::vector<IndexEntry> entries = RandomEntries(count, 90, first);
    parts.push_back(Write(entries, first));
    all.insert(all.end(), entries.begin(), entries.end());
    first += count;
  }
  std::sort(all.begin(), all.end());
  const auto merged = segments_.Merge(parts, 1, nullptr);
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(ReadAll(**merged), all);
  EXPECT_EQ((*merged)->first_sequence, 1U);
  EXPECT_EQ((*merged)->last_sequence, first - 1);
  EXPECT_EQ(*connection_->QueryNumber("SELECT count(*) FROM index_segments"), 1);
  EXPECT_EQ(*connection_->QueryNumber("SELECT count(*) FROM index_blocks"),
            static_cast<std::int64_t>((*merged)->fences.size()));

  const auto odd = segments_.Merge({*merged}, 1,
                                   [](const IndexEntry& entry) { return entry.sequence % 2 == 1; });
  std::erase_if(all, [](const IndexEntry& entry) { return entry.sequence % 2 == 0; });
  EXPECT_EQ(ReadAll(**odd), all);
}

TEST_F(IndexSegmentsTest, NeighboursOfOneSizeAreMerged) {
  IndexDirectory directory;
  std::vector<IndexEntry> all;
  for (std::uint64_t batch = 0; batch < 70; ++batch) {
    const std::vector<IndexEntry> entries = RandomEntries(20, 1000, batch * 20 + 1);
    all.insert(all.end(), entries.begin(), entries.end());
    directory.Of(IndexKind::kTerms).push_back(Write(entries, batch * 20 + 1));
    ASSERT_TRUE(MergeSmallSegments(segments_, directory).ok());
    // 70 batches are 1012 in the number system of four: at most three of each size.
    EXPECT_LE(directory.Of(IndexKind::kTerms).size(), 9U);
  }
  std::vector<std::int64_t> levels;
  std::vector<IndexEntry> stored;
  std::uint64_t next = 1;
  for (const auto& segment : directory.Of(IndexKind::kTerms)) {
    levels.push_back(segment->level);
    EXPECT_EQ(segment->first_sequence, next);
    next = segment->last_sequence + 1;
    for (const IndexEntry& entry : ReadAll(*segment)) stored.push_back(entry);
  }
  EXPECT_EQ(levels, (std::vector<std::int64_t>{3, 1, 0, 0}));
  std::sort(all.begin(), all.end());
  std::sort(stored.begin(), stored.end());
  EXPECT_EQ(stored, all);

  // What was written is what another connection loads.
  directory.version = 5;
  directory.indexed_until = 1400;
  ASSERT_TRUE(segments_.SaveState(directory, 0).ok());
  const auto loaded = segments_.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->version, 5);
  EXPECT_EQ(loaded->indexed_until, 1400U);
  ASSERT_EQ(loaded->Of(IndexKind::kTerms).size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(loaded->Of(IndexKind::kTerms)[i]->fences, directory.Of(IndexKind::kTerms)[i]->fences);
    EXPECT_EQ(loaded->Of(IndexKind::kTerms)[i]->last_key,
              directory.Of(IndexKind::kTerms)[i]->last_key);
  }
}

TEST_F(IndexSegmentsTest, AMissingBlockIsAnError) {
  const auto segment = Write(RandomEntries(1000, 1000, 1));
  ASSERT_TRUE(connection_->Execute("DELETE FROM index_blocks").ok());
  Sequences found;
  EXPECT_EQ(ReasonOf(segments_.Find(*segment, segment->fences[1], found)), Reason::kStoreFailed);
}

}  // namespace
}  // namespace troth
