#include "troth/ca/revoked_list.h"

#include <gtest/gtest.h>

#include "troth/base/reason.h"

namespace troth {
namespace {

// Of a test, whose hexadecimal is right.
SerialNumber SerialOf(std::string_view hex) { return *SerialFromHex(hex); }

RevokedEntry Entry(std::string_view serial, int reason = 0) {
  return {.serial = SerialOf(serial),
          .revoked_at = *ParseTime("2026-11-21T02:00:00Z"),
          .reason = reason};
}

TEST(RevokedListTest, IsReadAsItIsWritten) {
  const std::vector<RevokedEntry> entries = {Entry("41ab", 1), Entry("ff00"), Entry("01", 5)};
  const std::string text = WriteRevoked(entries);
  EXPECT_EQ(text.substr(0, text.find('\n')), "41ab 2026-11-21T02:00:00Z keyCompromise");
  // As it arrives from a machine that ends its lines otherwise.
  std::string carried = "\n";
  for (const char c : text) carried += c == '\n' ? "\r\n" : std::string(1, c);
  for (const std::string& each : {text, carried}) {
    const auto read = ReadRevoked(each);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->size(), entries.size());
    for (size_t i = 0; i < entries.size(); ++i) {
      EXPECT_EQ((*read)[i].serial, entries[i].serial);
      EXPECT_EQ((*read)[i].revoked_at, entries[i].revoked_at);
      EXPECT_EQ((*read)[i].reason, entries[i].reason);
    }
  }
}

TEST(RevokedListTest, WhatIsNoneIsRefused) {
  for (const std::string_view text :
       {"41ab", "41ab 2026-11-21T02:00:00Z", "xyz 2026-11-21T02:00:00Z unspecified",
        "41ab yesterday unspecified", "41ab 2026-11-21T02:00:00Z because",
        "41ab 2026-11-21T02:00:00Z unspecified more",
        "41ab 2026-11-21T02:00:00Z unspecified\n-----BEGIN X509 CRL-----"}) {
    EXPECT_EQ(ReasonOf(ReadRevoked(text).status()), Reason::kFileWrongFormat) << text;
  }
}

TEST(RevokedListTest, JoinedListsHaveEachSerialOnce) {
  const auto joined = Joined({Entry("41ab", 1), Entry("41ab", 2)},
                             {Entry("41ac"), Entry("41ab", 3), Entry("41ac", 4)});
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_EQ(joined[0].reason, 1);
  EXPECT_EQ(joined[1].serial, SerialOf("41ac"));
  EXPECT_EQ(joined[1].reason, 0);
}

}  // namespace
}  // namespace troth
