#include "troth/base/recent_map.h"

#include <gtest/gtest.h>

#include <string>

namespace troth {
namespace {

TEST(RecentMap, FindsWhatWasPutLast) {
  RecentMap<std::string, int> map(10);
  EXPECT_EQ(map.Find("a"), nullptr);
  map.Put("a", 1, 1);
  map.Put("b", 2, 1);
  map.Put("a", 3, 1);
  ASSERT_NE(map.Find("a"), nullptr);
  EXPECT_EQ(*map.Find("a"), 3);
  EXPECT_EQ(*map.Find("b"), 2);
}

TEST(RecentMap, CostsAtMostTwiceItsLimit) {
  RecentMap<int, int> map(10);
  for (int i = 0; i < 1000; ++i) map.Put(i, i, 3);
  int kept = 0;
  for (int i = 999; i >= 0; --i) kept += map.Find(i) != nullptr ? 1 : 0;
  EXPECT_LE(kept, 6);
  EXPECT_NE(map.Find(999), nullptr);
}

TEST(RecentMap, KeepsWhatIsAskedForHoweverManyCome) {
  RecentMap<int, int> map(10);
  map.Put(-1, 7, 1);
  for (int i = 0; i < 1000; ++i) {
    map.Put(i, i, 3);
    ASSERT_NE(map.Find(-1), nullptr) << i;
    ASSERT_EQ(*map.Find(-1), 7);
  }
}

TEST(RecentMap, NeverAnswersWithWhatWasReplacedWhenItWasOld) {
  RecentMap<std::string, int> map(2);
  map.Put("a", 1, 1);
  map.Put("b", 2, 2);  // "a" is old now
  map.Put("a", 3, 1);
  map.Put("c", 4, 2);
  map.Put("d", 5, 2);
  EXPECT_TRUE(map.Find("a") == nullptr || *map.Find("a") == 3);
}

TEST(RecentMap, KeepsNothingThatCostsMoreThanTheLimit) {
  RecentMap<std::string, int> map(10);
  map.Put("a", 1, 1);
  map.Put("b", 2, 1);
  map.Put("a", 3, 11);
  EXPECT_EQ(map.Find("a"), nullptr);
  EXPECT_NE(map.Find("b"), nullptr);
}

TEST(RecentMap, CountsAReplacedEntryOnce) {
  RecentMap<std::string, int> map(10);
  map.Put("a", 1, 5);
  for (int i = 0; i < 100; ++i) map.Put("b", i, 5);
  EXPECT_NE(map.Find("a"), nullptr);
}

}  // namespace
}  // namespace troth
