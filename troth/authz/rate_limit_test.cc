#include "troth/authz/rate_limit.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace troth {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

int TakeAll(RateBucket& bucket, const RateSteps& steps, std::int64_t now_ns) {
  int taken = 0;
  while (taken < 1'000'000 && bucket.Take(steps, now_ns)) ++taken;
  return taken;
}

TEST(RateBucket, GivesTheBurstAtOnceThenTheRate) {
  const RateSteps steps = RateSteps::Of({.calls_per_second = 10, .burst = 5});
  RateBucket bucket;
  EXPECT_EQ(TakeAll(bucket, steps, kSecond), 5);
  EXPECT_EQ(TakeAll(bucket, steps, kSecond + kSecond / 10 - 1), 0);
  EXPECT_EQ(TakeAll(bucket, steps, kSecond + kSecond / 10), 1);
  EXPECT_EQ(TakeAll(bucket, steps, kSecond + 4 * kSecond / 10), 3);
  EXPECT_EQ(TakeAll(bucket, steps, 1000 * kSecond), 5) << "no more than the burst is saved up";
}

TEST(RateBucket, BurstIsOneSecondsWorthUnlessSaid) {
  RateBucket bucket;
  EXPECT_EQ(TakeAll(bucket, RateSteps::Of({.calls_per_second = 7}), kSecond), 7);
}

TEST(RateBucket, SlowerThanOneASecondLetsOneThrough) {
  const RateSteps steps = RateSteps::Of({.calls_per_second = 0.1});
  RateBucket bucket;
  EXPECT_EQ(TakeAll(bucket, steps, kSecond), 1);
  EXPECT_EQ(TakeAll(bucket, steps, 10 * kSecond), 0);
  EXPECT_EQ(TakeAll(bucket, steps, 11 * kSecond), 1);
}

TEST(RateBucket, ExtremeRatesDoNotOverflow) {
  RateBucket slow;
  EXPECT_EQ(TakeAll(slow, RateSteps::Of({.calls_per_second = 1e-300, .burst = 1e9}), kSecond), 10);
  RateBucket fast;
  EXPECT_GT(TakeAll(fast, RateSteps::Of({.calls_per_second = 1e9}), kSecond), 999'999);
}

TEST(RateSteps, NoRateIsNoLimit) {
  EXPECT_EQ(RateSteps::Of({}).step_ns, 0);
  EXPECT_EQ(RateSteps::Of({.calls_per_second = -1}).step_ns, 0);
}

TEST(RateBucket, GivesNoTokenTwiceToManyThreads) {
  const RateSteps steps = RateSteps::Of({.calls_per_second = 1, .burst = 1000});
  RateBucket bucket;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) taken += bucket.Take(steps, kSecond) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

TEST(RateBuckets, OnePeerHasOneBucket) {
  RateBuckets buckets;
  EXPECT_EQ(buckets.Get("a", 1), buckets.Get("a", 1));
  EXPECT_NE(buckets.Get("a", 1), buckets.Get("b", 1));
}

TEST(RateBuckets, FurtherPeersShareOneBucketAndIdleOnesMakeRoom) {
  RateBuckets buckets(4);
  const RateSteps steps = RateSteps::Of({.calls_per_second = 1});
  for (const char* const key : {"a", "b", "c", "d"})
    EXPECT_TRUE(buckets.Get(key, kSecond)->Take(steps, kSecond));
  const auto shared = buckets.Get("e", kSecond);
  EXPECT_EQ(shared, buckets.Get("f", kSecond));
  EXPECT_FALSE(buckets.Get("a", kSecond)->Take(steps, kSecond)) << "a known peer keeps its bucket";
  EXPECT_NE(buckets.Get("e", 5 * kSecond), shared) << "by now the others' buckets are full again";
}

}  // namespace
}  // namespace troth
