#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "troth/store/term_filter_internal.h"

namespace troth {
namespace {

TEST(TermFilterTest, HoldsEveryTermThatWasAddedAndFewOthers) {
  constexpr std::uint64_t kTerms = 100'000;
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> terms(kTerms);
  for (std::uint64_t& term : terms) term = random();
  TermFilter filter(kTerms);
  for (const std::uint64_t term : terms) EXPECT_FALSE(filter.MayHold(term));
  for (const std::uint64_t term : terms) filter.Add(term);
  for (const std::uint64_t term : terms) EXPECT_TRUE(filter.MayHold(term));
  std::uint64_t others = 0;
  for (std::uint64_t i = 0; i < kTerms; ++i) others += filter.MayHold(random()) ? 1 : 0;
  EXPECT_LT(others, kTerms / 25);
  EXPECT_EQ(filter.added(), kTerms);
}

TEST(TermFilterTest, HasRoomForAFewMoreThanAskedFor) {
  for (const std::uint64_t capacity : {0, 1, 64, 65, 5000, 100'000}) {
    const TermFilter filter(capacity);
    EXPECT_GE(filter.capacity(), capacity);
    EXPECT_LE(filter.capacity(), capacity + 4096);
  }
}

TEST(TermFilterTest, ThreadsAddAndAsk) {
  TermFilter filter(4096);
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&filter, thread] {
      std::mt19937_64 random(thread);
      std::mt19937_64 again(thread);
      for (int i = 0; i < 1000; ++i) {
        filter.Add(random());
        EXPECT_TRUE(filter.MayHold(again()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(filter.added(), 4000U);
}

}  // namespace
}  // namespace troth
