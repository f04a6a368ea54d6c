#include "troth/rpc/resumed_chains.h"

#include <gtest/gtest.h>

namespace troth {
namespace {

TEST(ResumedChains, FindsTheChainThatALeafCameWithLast) {
  ResumedChains chains;
  EXPECT_EQ(chains.Find("leaf"), nullptr);
  chains.Remember("leaf", "chain 1");
  chains.Remember("other leaf", "chain 2");
  chains.Remember("leaf", "chain 3");
  ASSERT_NE(chains.Find("leaf"), nullptr);
  EXPECT_EQ(*chains.Find("leaf"), "chain 3");
  EXPECT_EQ(*chains.Find("other leaf"), "chain 2");
  EXPECT_EQ(chains.Find("lea"), nullptr);
}

TEST(ResumedChains, ForgetsTheOldestRatherThanGrow) {
  ResumedChains chains;
  const std::string chain(100'000, 'c');
  constexpr int kMany = 1000;  // 100 MB
  for (int i = 0; i < kMany; ++i) chains.Remember("leaf " + std::to_string(i), chain);
  int kept = 0;
  for (int i = 0; i < kMany; ++i) kept += chains.Find("leaf " + std::to_string(i)) != nullptr;
  EXPECT_LT(kept, 200);
  EXPECT_GT(kept, 60);
  EXPECT_NE(chains.Find("leaf " + std::to_string(kMany - 1)), nullptr);
}

TEST(ResumedChains, KeepsAChainThatIsAskedForHoweverManyCome) {
  ResumedChains chains;
  const std::string chain(100'000, 'c');
  chains.Remember("busy leaf", "busy chain");
  for (int i = 0; i < 1000; ++i) {  // 100 MB
    chains.Remember("leaf " + std::to_string(i), chain);
    const auto found = chains.Find("busy leaf");
    ASSERT_NE(found, nullptr) << i;
    ASSERT_EQ(*found, "busy chain");
  }
}

TEST(ResumedChains, KeepsNothingThatIsTooLarge) {
  ResumedChains chains;
  chains.Remember("leaf", std::string(20 << 20, 'c'));
  EXPECT_EQ(chains.Find("leaf"), nullptr);
}

TEST(ResumedChains, CountsARepeatedLeafOnce) {
  ResumedChains chains;
  const std::string chain(100'000, 'c');
  chains.Remember("first", chain);
  for (int i = 0; i < 1000; ++i) chains.Remember("leaf", chain);
  EXPECT_NE(chains.Find("first"), nullptr);
}

}  // namespace
}  // namespace troth
