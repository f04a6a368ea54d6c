#include "troth/base/nearest_word.h"

#include <array>
#include <string>

#include "gtest/gtest.h"

namespace troth {
namespace {

TEST(EditDistanceTest, CountsInsertionsRemovalsAndReplacements) {
  struct Case {
    std::string_view a, b;
    size_t distance;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"", "", 0},
           {"key", "key", 0},
           {"", "key", 3},
           {"kye", "key", 2},
           {"keys", "key", 1},
           {"kay", "key", 1},
           {"kitten", "sitting", 3},
           {"abcdef", "azced", 3},
       }) {
    EXPECT_EQ(EditDistance(c.a, c.b), c.distance) << c.a << " " << c.b;
    EXPECT_EQ(EditDistance(c.b, c.a), c.distance) << c.b << " " << c.a;
  }
}

TEST(NearestWordTest, TakesTheNearestWithinTheLimit) {
  constexpr std::array<std::string_view, 3> kKnown = {"server", "client", "silent"};
  EXPECT_EQ(NearestWord("server", kKnown, 0), "server");
  EXPECT_EQ(NearestWord("sever", kKnown, 2), "server");
  EXPECT_EQ(NearestWord("clientt", kKnown, 2), "client");
  EXPECT_EQ(NearestWord("cilent", kKnown, 2), "silent");  // one replaced, against two for "client"
  EXPECT_EQ(NearestWord("sevr", kKnown, 1), std::nullopt);
  EXPECT_EQ(NearestWord("unrelated", kKnown, 2), std::nullopt);
  EXPECT_EQ(NearestWord(std::string(100'000, 's'), kKnown, 2), std::nullopt);
  EXPECT_EQ(NearestWord("word", {}, 2), std::nullopt);
}

}  // namespace
}  // namespace troth
