#include "troth/base/secret.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

namespace troth {
namespace {

const std::string kShort = "hunter2";             // lives inside the string object
const std::string kLong = std::string(100, 'k');  // lives in memory of its own

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string> &&
              !std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Secret>, "nothing becomes a secret by accident");
static_assert(!Printable<Secret>);

TEST(SecretTest, TakesTheTextOverAndWipesTheCallersString) {
  for (const std::string& text : {kShort, kLong}) {
    std::string callers = text;
    // Still the caller's memory, whatever the string's size says afterwards.
    const char* const memory = callers.data();
    const Secret secret(std::move(callers));
    EXPECT_EQ(secret.Reveal(), text);
    EXPECT_FALSE(secret.empty());
    EXPECT_TRUE(callers.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    if (callers.data() == memory) {
      EXPECT_EQ(std::string_view(memory, text.size()).find_first_not_of('\0'),
                std::string_view::npos);
    }
  }
}

TEST(SecretTest, MovesAndLeavesNothingBehind) {
  for (const std::string& text : {kShort, kLong}) {
    Secret first{std::string(text)};
    const char* const inside = first.Reveal().data();
    Secret second(std::move(first));
    EXPECT_EQ(second.Reveal(), text);
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
    if (text.size() < sizeof(std::string) / 2) {
      EXPECT_EQ(std::string_view(inside, text.size()).find_first_not_of('\0'),
                std::string_view::npos);
    }
    Secret third{std::string("another")};
    third = std::move(second);
    EXPECT_EQ(third.Reveal(), text);
    EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
    Secret& self = third;
    third = std::move(self);
    EXPECT_EQ(third.Reveal(), text);
  }
}

TEST(SecretTest, ClonesToASecretOfItsOwn) {
  Secret first{std::string(kLong)};
  const Secret second = first.Clone();
  EXPECT_NE(first.Reveal().data(), second.Reveal().data());
  first = Secret();
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.Reveal(), kLong);
}

TEST(WipeTest, ZeroesTheWholeBuffer) {
  for (const std::string& text : {kShort, kLong}) {
    std::string buffer = text;
    buffer.resize(text.size() / 2);  // what was beyond is still in memory
    Wipe(buffer);
    EXPECT_TRUE(buffer.empty());
    // The buffer is still there; only its size says that nothing is in it.
    const std::string_view memory(buffer.data(), text.size());
    EXPECT_EQ(memory.find_first_not_of('\0'), std::string_view::npos);
  }
  std::string empty;
  Wipe(empty);
  EXPECT_TRUE(empty.empty());
}

}  // namespace
}  // namespace troth
