#include "troth/base/strings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace troth {
namespace {

TEST(StringsTest, ConvertsToAbslAndBackWithoutLosingZeroBytes) {
  const std::string text("a\0b", 3);
  EXPECT_EQ(ToAbsl(text).size(), 3U);
  EXPECT_EQ(ToStd(ToAbsl(text)), text);
  EXPECT_EQ(ToStd(ToAbsl({})), "");
}

TEST(StringsTest, Joins) {
  EXPECT_EQ(Join({}, ", "), "");
  EXPECT_EQ(Join({"a"}, ", "), "a");
  EXPECT_EQ(Join({"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(Join({"a", "a"}, "/"), "a/a");
}

TEST(StringsTest, SplitsKeepingEmptyPieces) {
  using Pieces = std::vector<std::string_view>;
  EXPECT_EQ(Split("", ','), Pieces{""});
  EXPECT_EQ(Split("a", ','), Pieces{"a"});
  EXPECT_EQ(Split("a,b", ','), (Pieces{"a", "b"}));
  EXPECT_EQ(Split(",a,,b,", ','), (Pieces{"", "a", "", "b", ""}));
}

TEST(StringsTest, TrimsWhitespaceOfEitherEndOnly) {
  EXPECT_EQ(TrimWhitespace(" \t\r\n\f\v a b \n"), "a b");
  EXPECT_EQ(TrimWhitespace("a"), "a");
  EXPECT_EQ(TrimWhitespace(" \n "), "");
  EXPECT_EQ(TrimWhitespace(""), "");
}

TEST(StringsTest, LowersAsciiAndLeavesTheRest) {
  EXPECT_EQ(ToLowerAscii("AbZ-09@[`{\xc4"), "abz-09@[`{\xc4");
}

TEST(StringsTest, ComparesWithoutAsciiCase) {
  EXPECT_TRUE(EqualsIgnoreCaseAscii("LocalHost", "lOCALhOST"));
  EXPECT_TRUE(EqualsIgnoreCaseAscii("", ""));
  EXPECT_FALSE(EqualsIgnoreCaseAscii("localhost", "localhost."));
  EXPECT_FALSE(EqualsIgnoreCaseAscii("@", "`"));  // differ by the bit that letters' case does
  EXPECT_FALSE(EqualsIgnoreCaseAscii("\xc4", "\xe4"));
}

TEST(PrintableTest, EscapesWhatCouldDeceiveALogOrTerminal) {
  const struct {
    std::string text;
    const char* expected;
  } kCases[] = {
      {"plain text/1", "plain text/1"},
      {"two\nlines\r", "two\\x0alines\\x0d"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"say \"hi\"\\", "say \\x22hi\\x22\\x5c"},
      {"\x7f\xc3\xa4\xff", "\\x7f\\xc3\\xa4\\xff"},
      {" ~", " ~"},
      {"", ""},
  };
  for (const auto& test : kCases) EXPECT_EQ(Printable(test.text), test.expected);
}

TEST(PrintableTest, CutsWhatIsTooLong) {
  EXPECT_EQ(Printable("abcdef", 3), "abc...");
  EXPECT_EQ(Printable("abc", 3), "abc");
  EXPECT_EQ(Printable(std::string(10'000, 'x')).size(), 203U);
  // Never cut within an escape.
  EXPECT_EQ(Printable("ab\n\n", 3), "ab\\x0a...");
}

TEST(GlobTest, AStarStandsForAnyRun) {
  const struct {
    const char* pattern;
    const char* text;
    bool matches;
  } kCases[] = {{"", "", true},         {"", "a", false},         {"a", "a", true},
                {"a", "A", false},      {"*", "", true},          {"*", "abc", true},
                {"a*", "a", true},      {"a*", "ba", false},      {"*c", "abc", true},
                {"*c", "abcd", false},  {"a*c", "ac", true},      {"a*c", "abcbc", true},
                {"a*c", "abcb", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false},
                {"**", "x", true},      {"a*", "a*", true},       {"a", "*", false},
                {"*ab", "aab", true},   {"*.x", "*.x", true}};
  for (const auto& test : kCases) {
    EXPECT_EQ(GlobMatches(test.pattern, test.text), test.matches)
        << test.pattern << " " << test.text;
  }
}

}  // namespace
}  // namespace troth
