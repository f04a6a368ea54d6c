#include "troth/enroll/backoff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace troth {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

std::vector<int> FirstWaits(Backoff& backoff, int count) {
  std::vector<int> waits;
  for (int i = 0; i < count; ++i) waits.push_back(static_cast<int>(backoff.Next().count()));
  return waits;
}

TEST(Backoff, DoublesFromCaramelsFirstWaitToItsLongest) {
  Backoff backoff({}, [] { return 0.5; });  // the middle: no jitter
  EXPECT_THAT(FirstWaits(backoff, 7), ElementsAre(870, 1740, 3480, 6960, 13920, 23000, 23000));
}

TEST(Backoff, JitterIsAtMostFifteenPercentToEitherSide) {
  Backoff least({}, [] { return 0.0; });
  Backoff most({}, [] { return 0.999999; });
  EXPECT_THAT(FirstWaits(least, 2), ElementsAre(740, 1479));  // 0.85 of it
  EXPECT_THAT(FirstWaits(most, 2), ElementsAre(1000, 2001));  // 1.15 of it
}

TEST(Backoff, BeginsAgainAfterAReset) {
  Backoff backoff({}, [] { return 0.5; });
  FirstWaits(backoff, 5);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), milliseconds(870));
}

TEST(Backoff, TheSystemsRandomNumbersAreSpreadFromZeroToOne) {
  const RandomSource random = SystemRandom();
  std::set<int> tenths;
  for (int i = 0; i < 1000; ++i) {
    const double number = random();
    ASSERT_GE(number, 0);
    ASSERT_LT(number, 1);
    tenths.insert(static_cast<int>(number * 10));
  }
  EXPECT_EQ(tenths.size(), 10u);
}

}  // namespace
}  // namespace troth
