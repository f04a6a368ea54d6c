#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "troth/store/index_tail_internal.h"

namespace troth {
namespace {

using Sequences = std::vector<std::uint64_t>;

// Certificate n: serial n, expires at 100 + n, terms n % 7 and 1000 + n.
CertificateKeys KeysOf(std::uint64_t number) {
  return {.serial = number, .expiry = 100 + number, .terms = {number % 7, 1000 + number}};
}

Sequences Find(const IndexTail& tail, IndexKind kind, std::uint64_t key, std::uint64_t after = 0,
               std::uint64_t last = UINT64_MAX) {
  Sequences found;
  tail.Find(kind, key, after, last, found);
  std::sort(found.begin(), found.end());
  return found;
}

TEST(IndexTailTest, FindsWhatIsWithinTheSnapshot) {
  IndexTail tail(0);
  EXPECT_EQ(Find(tail, IndexKind::kTerms, 3), Sequences());
  for (std::uint64_t number = 1; number <= 500; ++number) tail.Add(number, KeysOf(number));
  EXPECT_EQ(tail.certificates(), 500U);
  EXPECT_EQ(Find(tail, IndexKind::kSerials, 77), Sequences{77});
  EXPECT_EQ(Find(tail, IndexKind::kSerials, 501), Sequences());
  EXPECT_EQ(Find(tail, IndexKind::kTerms, 1077), Sequences{77});
  EXPECT_EQ(Find(tail, IndexKind::kTerms, 3, 10, 31), (Sequences{17, 24, 31}));
  Sequences expiring;
  tail.FindExpiring(110, 113, 10, 12, expiring);
  EXPECT_EQ(expiring, (Sequences{11, 12}));
}

TEST(IndexTailTest, TakesBackWhatWasAddedLast) {
  IndexTail tail(0);
  for (int round = 0; round < 3; ++round) {
    // Grows its tables on the way, and shares slots between keys.
    for (std::uint64_t number = 1 + round * 50; number <= 400; ++number) {
      tail.Add(number, KeysOf(number));
    }
    tail.TruncateTo(50 + round * 50);
    EXPECT_EQ(tail.certificates(), 50U + round * 50);
    for (std::uint64_t number = 1; number <= 400; ++number) {
      const Sequences expected = number <= 50U + round * 50 ? Sequences{number} : Sequences();
      EXPECT_EQ(Find(tail, IndexKind::kSerials, number), expected);
      EXPECT_EQ(Find(tail, IndexKind::kTerms, 1000 + number), expected);
    }
  }
}

TEST(IndexTailTest, GivesItsEntriesSorted) {
  IndexTail tail(0);
  for (std::uint64_t number = 1; number <= 100; ++number) tail.Add(number, KeysOf(number));
  CertificateKeys foreign = KeysOf(101);
  foreign.serial.reset();
  tail.Add(101, foreign);
  for (const IndexKind kind : kIndexKinds) {
    const std::vector<IndexEntry> entries = tail.Sorted(kind);
    EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end()));
  }
  EXPECT_EQ(tail.Sorted(IndexKind::kSerials).size(), 100U);
  EXPECT_EQ(tail.Sorted(IndexKind::kExpiry).size(), 101U);
  EXPECT_EQ(tail.Sorted(IndexKind::kTerms).size(), 202U);
}

TEST(IndexTailTest, AnOldBatchKeepsTheLaterOnes) {
  auto first = std::make_shared<IndexTail>(0);
  auto second = std::make_shared<IndexTail>(10);
  const std::weak_ptr<IndexTail> watched = second;
  first->set_next(std::move(second));
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(first->next()->after(), 10U);
  first.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace troth
