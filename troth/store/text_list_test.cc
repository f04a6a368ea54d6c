#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

using Texts = std::vector<std::string>;

TEST(TextListTest, IsReadAsItWasWritten) {
  for (const Texts& texts :
       {Texts{}, Texts{""}, Texts{"", ""}, Texts{"a", "bc", ""}, Texts{std::string("\0\n", 2)},
        Texts{std::string(127, 'x'), std::string(128, 'y'), std::string(70'000, 'z')}}) {
    std::string bytes = "what was there";
    EncodeTexts(texts, bytes);
    EXPECT_EQ(DecodeTexts(bytes), texts);
    for (const std::string& text : texts) EXPECT_TRUE(HoldsText(bytes, text));
    EXPECT_FALSE(HoldsText(bytes, "none of them"));
  }
}

TEST(TextListTest, NoTextRunsIntoAnother) {
  std::string bytes;
  EncodeTexts({"ab", "c"}, bytes);
  for (const char* other : {"a", "b", "abc", "bc", ""}) EXPECT_FALSE(HoldsText(bytes, other));
}

TEST(TextListTest, WhatIsCutShortIsNotAList) {
  for (const std::string& bytes : {std::string("\x02x"), std::string("\x80"), std::string("\x01"),
                                   std::string("\xff\xff\xff\xff\xff\x01")}) {
    EXPECT_EQ(DecodeTexts(bytes), std::nullopt);
    EXPECT_FALSE(HoldsText(bytes, "x"));
  }
}

}  // namespace
}  // namespace troth
