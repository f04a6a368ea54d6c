#include "troth/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace troth {
namespace {

TEST(Utf8Test, CharactersOfEveryLengthAreRead) {
  const struct {
    std::string_view text;
    char32_t character;
  } kCases[] = {
      {"a", U'a'},
      {"\x7f", 0x7f},
      {"\xc2\x80", 0x80},
      {"\xdf\xbf", 0x7ff},
      {"\xe0\xa0\x80", 0x800},
      {"\xed\x9f\xbf", 0xd7ff},
      {"\xee\x80\x80", 0xe000},
      {"\xef\xbf\xbf", 0xffff},
      {"\xf0\x90\x80\x80", 0x10000},
      {"\xf4\x8f\xbf\xbf", 0x10ffff},
  };
  for (const auto& test : kCases) {
    const std::string text = "x" + std::string(test.text) + "y";
    size_t at = 1;
    EXPECT_EQ(NextUtf8(text, at), test.character);
    EXPECT_EQ(at, text.size() - 1);
    EXPECT_TRUE(IsUtf8(text));
  }
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8(std::string_view("\0", 1)));
}

TEST(Utf8Test, WhatIsNotUtf8IsNotRead) {
  for (const std::string_view text :
       {"\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff"}) {
    size_t at = 0;
    EXPECT_EQ(NextUtf8(text, at), std::nullopt) << text;
    EXPECT_EQ(at, 0u);
    EXPECT_FALSE(IsUtf8("good" + std::string(text)));
  }
}

}  // namespace
}  // namespace troth
