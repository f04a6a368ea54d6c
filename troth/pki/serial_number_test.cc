#include "troth/pki/serial_number.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"

namespace troth {
namespace {

Time At(const char* text) { return *ParseTime(text); }

TEST(SerialNumberTest, GeneratedOnesArePositiveMinimalAndTwentyOctets) {
  for (const char* when : {"1970-01-01", "2026-11-21", "2038-01-19", "2106-02-08", "9999-12-31"}) {
    for (int i = 0; i < 200; ++i) {
      const std::string octets = SerialNumber::Generate(At(when)).der_content();
      ASSERT_EQ(octets.size(), 20U);
      // 01 in the top bits: positive without a leading zero octet, and never shorter.
      EXPECT_EQ(static_cast<unsigned char>(octets[0]) >> 6, 1) << when;
    }
  }
}

TEST(SerialNumberTest, GeneratedOnesSortByTheTimeTheyWereMadeAt) {
  const Time start = At("2026-11-21");
  for (const Seconds step : {Seconds(1), Seconds(255), Seconds(256), Seconds(65536),
                             Seconds(1) * (std::int64_t{1} << 32)}) {
    EXPECT_LT(SerialNumber::Generate(start), SerialNumber::Generate(start + step)) << step.count();
  }
}

TEST(SerialNumberTest, GeneratedOnesOfOneSecondDifferInTheirLastFifteenOctets) {
  const Time now = At("2026-11-21");
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string octets = SerialNumber::Generate(now).der_content();
    EXPECT_EQ(ToHex(octets.substr(0, 5)), "406b00df00") << "seconds in 38 bits";
    seen.insert(octets.substr(5));
  }
  EXPECT_EQ(seen.size(), 1000U);
  // Each of the random octets takes many values.
  for (size_t at = 0; at < 15; ++at) {
    std::set<char> values;
    for (const std::string& random : seen) values.insert(random[at]);
    EXPECT_GT(values.size(), 200U) << at;
  }
}

TEST(SerialNumberTest, ReadsAndPrintsAsOpensslDoes) {
  const struct {
    const char* content;
    const char* printed;
  } kCases[] = {
      {"00", "00"},
      {"01", "01"},
      {"7f", "7f"},
      {"0080", "80"},
      {"00ff", "ff"},
      {"0100", "0100"},
      {"ff", "-01"},
      {"80", "-80"},
      {"ff7f", "-81"},
      {"ff00", "-0100"},
      {"8000", "-8000"},
      {"00ffffffffffffffffffffffffffffffffffffffff", "ffffffffffffffffffffffffffffffffffffffff"},
  };
  for (const auto& test : kCases) {
    const auto serial = SerialNumber::FromDerContent(*FromHex(test.content));
    ASSERT_TRUE(serial.ok()) << serial.status();
    EXPECT_EQ(serial->ToHex(), test.printed);
    EXPECT_EQ(ToHex(serial->der_content()), test.content);
  }
}

TEST(SerialNumberTest, RefusesWhatIsNoIntegerOrTooLong) {
  for (const std::string& content : {std::string(), *FromHex("0001"), *FromHex("0000"),
                                     *FromHex("ffff"), *FromHex("ff80"), std::string(22, '\x11')}) {
    const auto serial = SerialNumber::FromDerContent(content);
    ASSERT_FALSE(serial.ok()) << ToHex(content);
    EXPECT_EQ(ReasonOf(serial.status()), Reason::kCertificateMalformed);
  }
}

TEST(SerialNumberTest, EqualWhenTheOctetsAre) {
  const auto one = SerialNumber::FromDerContent("\x01");
  const auto two = SerialNumber::FromDerContent("\x02");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(*one, *SerialNumber::FromDerContent("\x01"));
  EXPECT_NE(*one, *two);
}

}  // namespace
}  // namespace troth
