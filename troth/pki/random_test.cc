#include "troth/pki/random.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace troth {
namespace {

TEST(RandomSecretTest, HasTheLengthAndNeverTheSameBytes) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const Secret secret = RandomSecret(32);
    EXPECT_EQ(secret.Reveal().size(), 32U);
    EXPECT_TRUE(seen.insert(std::string(secret.Reveal())).second);
  }
  EXPECT_TRUE(RandomSecret(0).empty());
}

}  // namespace
}  // namespace troth
