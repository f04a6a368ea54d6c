#include "troth/base/shell_word.h"

#include <gtest/gtest.h>

namespace troth {
namespace {

TEST(ShellWord, WordsAreQuotedForAShellWhenTheyHaveToBe) {
  EXPECT_EQ(ShellWord("core/certs/ca.pem"), "core/certs/ca.pem");
  EXPECT_EQ(ShellWord("my certs/ca.pem"), "'my certs/ca.pem'");
  EXPECT_EQ(ShellWord("*.docker.internal"), "'*.docker.internal'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellWord("$(rm)"), "'$(rm)'");
  EXPECT_EQ(ShellWord(""), "''");
}

}  // namespace
}  // namespace troth
