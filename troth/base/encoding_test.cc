#include "troth/base/encoding.h"

#include <gtest/gtest.h>

#include <string>

namespace troth {
namespace {

std::string EveryByte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST(HexTest, IsWrittenInLowerCaseAndReadInEither) {
  EXPECT_EQ(ToHex({"\x00\x0f\xf0\xff", 4}), "000ff0ff");
  EXPECT_EQ(ToHex(""), "");
  EXPECT_EQ(FromHex("000FF0ff"), std::string("\x00\x0f\xf0\xff", 4));
  EXPECT_EQ(FromHex(""), "");
  EXPECT_EQ(FromHex(ToHex(EveryByte())), EveryByte());
}

TEST(HexTest, IsReadWithColonsBetweenBytes) {
  EXPECT_EQ(FromHex("AB:cd:01"), "\xab\xcd\x01");
  EXPECT_EQ(FromHex("AB:cd"), "\xab\xcd");
  EXPECT_EQ(FromHex("AB"), "\xab");
}

TEST(HexTest, NothingElseIsRead) {
  for (const char* text : {"a", "abc", "ag", "0x12", " ab", "ab ", "ab:", ":ab", "ab:c", "ab::cd",
                           "ab:cdef", "abcd:ef", "ab:cd:", "a:bc", "ab-cd", "ab:cd-ef"}) {
    EXPECT_EQ(FromHex(text), std::nullopt) << text;
  }
}

TEST(Base64Test, KnowsTheExamplesOfRfc4648) {
  const struct {
    const char* bytes;
    const char* text;
  } kCases[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
  for (const auto& test : kCases) {
    EXPECT_EQ(ToBase64(test.bytes), test.text);
    EXPECT_EQ(FromBase64(test.text), test.bytes);
  }
  EXPECT_EQ(ToBase64("\xfb\xff"), "+/8=");
}

TEST(Base64Test, ReadsBackEveryByteAtEveryPlace) {
  for (size_t length = 0; length < 8; ++length) {
    const std::string bytes = std::string(length, 'x') + EveryByte();
    EXPECT_EQ(FromBase64(ToBase64(bytes)), bytes);
  }
}

TEST(Base64Test, NothingElseIsRead) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg==Zg==", "Zm9v\n",
                           " Zm9v", "Zm9v ", "Zm-_", "Zm9*", "Zm=v", "Z=9v", "=m9v", "Zm9\x80",
                           // Unused bits that are not zero: a second text for the same bytes.
                           "Zh==", "Zm9=", "Zm8=Zm8="}) {
    EXPECT_EQ(FromBase64(text), std::nullopt) << text;
  }
}

TEST(Base64UrlTest, KnowsTheExamplesOfRfc4648) {
  const struct {
    const char* bytes;
    const char* text;
  } kCases[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
  for (const auto& test : kCases) {
    EXPECT_EQ(ToBase64Url(test.bytes), test.text);
    EXPECT_EQ(FromBase64Url(test.text), test.bytes);
  }
}

TEST(Base64UrlTest, ReadsBackEveryByteAtEveryPlace) {
  for (size_t length = 0; length < 8; ++length) {
    const std::string bytes = std::string(length, 'x') + EveryByte();
    EXPECT_EQ(FromBase64Url(ToBase64Url(bytes)), bytes);
  }
}

TEST(Base64UrlTest, NothingElseIsRead) {
  for (const char* text :
       {"Z", "Zm9vY", "Zg==", "Zm8=", "=", "Zm9v\n", " Zm9v", "Zm9v ", "Zm+/", "Zm9*", "Zm9\x80",
        // Unused bits that are not zero: a second text for the same bytes.
        "Zh", "Zm9", "Zm9vZh"}) {
    EXPECT_EQ(FromBase64Url(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace troth
