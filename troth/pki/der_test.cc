#include "troth/pki/der.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

#include "troth/base/encoding.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"

namespace troth::der {
namespace {

using testing::Bytes;
using testing::Sequence;
using testing::Tlv;

std::string Hex(std::string_view hex) {
  const auto bytes = FromHex(hex);
  EXPECT_TRUE(bytes.has_value()) << hex;
  return bytes.value_or("");
}

// Readers point into what they read, so the bytes must live as long.
struct Reading {
  explicit Reading(std::string der) : bytes(std::move(der)), reader(bytes, "test") {}
  std::string bytes;
  Reader reader;
};

TEST(DerReaderTest, ReadsElementsOneAfterAnother) {
  Reading r(
      Hex("020101"
          "0c026869"
          "3000"));
  Element element;
  ASSERT_TRUE(r.reader.ReadAny(element));
  EXPECT_EQ(element.tag, kInteger);
  EXPECT_EQ(element.content, "\x01");
  EXPECT_EQ(element.full, Hex("020101"));
  ASSERT_EQ(r.reader.PeekTag(), kUtf8String);
  ASSERT_TRUE(r.reader.Read(kUtf8String, "text", element));
  EXPECT_EQ(element.content, "hi");
  EXPECT_FALSE(r.reader.AtEnd());
  ASSERT_TRUE(r.reader.Read(kSequence, "list", element));
  EXPECT_TRUE(element.content.empty());
  EXPECT_TRUE(r.reader.AtEnd());
  EXPECT_EQ(r.reader.PeekTag(), std::nullopt);
  EXPECT_TRUE(r.reader.End("test"));
}

TEST(DerReaderTest, ReadsLengthsInTheirShortestFormOnly) {
  for (const size_t length : {0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24}) {
    Reading r(Tlv(kOctetString, std::string(length, 'x')));
    Element element;
    EXPECT_TRUE(r.reader.ReadAny(element)) << r.reader.status();
    EXPECT_EQ(element.content.size(), length);
    EXPECT_EQ(element.full.size(), r.bytes.size());
  }
  const std::string x127(127, 'x');
  const std::string x255(255, 'x');
  for (const std::string& bytes : {
           Hex("04810178"),                              // 1 needs no second octet
           Hex("04817f") + x127,                         // nor does 127
           Hex("048200ff") + x255,                       // 255 in two
           Hex("048300ffff") + std::string(65535, 'x'),  // leading zero
           Hex("0484000000ff") + x255,                   //
           Hex("048500000000ff") + x255,                 // five octets
           Hex("0488") + std::string(8, '\xff'),         // more than any memory
           Hex("04847fffffff") + x255,                   // announced, not there
           Hex("04800000"),                              // indefinite
           Hex("04ff"),                                  // reserved
       }) {
    Reading r(bytes);
    Element element;
    EXPECT_FALSE(r.reader.ReadAny(element)) << ToHex(bytes.substr(0, 8));
    EXPECT_FALSE(r.reader.status().ok());
  }
}

TEST(DerReaderTest, RefusesWhatIsCutAtAnyByte) {
  const std::string whole = Tlv(kOctetString, std::string(300, 'x'));
  for (size_t length = 0; length < whole.size(); ++length) {
    Reading r(whole.substr(0, length));
    Element element;
    EXPECT_FALSE(r.reader.ReadAny(element)) << length;
  }
}

TEST(DerReaderTest, RefusesMultiByteTags) {
  Reading r(Hex("1f0100"));
  Element element;
  EXPECT_FALSE(r.reader.ReadAny(element));
}

TEST(DerReaderTest, EveryReadFailsAfterTheFirstErrorAndTheFirstErrorStays) {
  Reading r(
      Hex("020101"
          "0500"));
  bool boolean = false;
  EXPECT_FALSE(r.reader.ReadBoolean("flag", boolean));
  const std::string first(ToStd(r.reader.status().message()));
  Element element;
  EXPECT_FALSE(r.reader.ReadAny(element));
  EXPECT_FALSE(r.reader.Read(kInteger, "number", element));
  EXPECT_FALSE(r.reader.Enter(kInteger, "number").status().ok());
  EXPECT_FALSE(r.reader.End("end"));
  EXPECT_FALSE(r.reader.AtEnd());
  EXPECT_EQ(r.reader.PeekTag(), std::nullopt);
  EXPECT_EQ(ToStd(r.reader.status().message()), first);
}

TEST(DerReaderTest, AnErrorNamesTheStructureTheFieldAndTheByteWhereTheElementBegins) {
  const struct {
    std::string hex;
    std::string expected_place;
  } kCases[] = {
      {"3006020101010155", "flag at byte 5"},    // a BOOLEAN of 55
      {"3006020101040155", "flag at byte 5"},    // another type
      {"3003020101", "flag at byte 5"},          // missing
      {"30080201010101ff0500", "end at byte 8"}  // something follows
  };
  for (const auto& test : kCases) {
    Reading r(Hex(test.hex));
    Reader inner = r.reader.Enter(kSequence, "list");
    int number = 0;
    bool flag = false;
    EXPECT_TRUE(inner.ReadSmallInteger("number", number));
    EXPECT_FALSE(inner.ReadBoolean("flag", flag) && inner.End("end"));
    const std::string message(ToStd(inner.status().message()));
    EXPECT_TRUE(message.starts_with("test: " + test.expected_place + ":")) << message;
  }
}

TEST(DerReaderTest, AnOptionalElementMayBeMissingButNotBroken) {
  Reading r(Hex("020101"));
  Element element;
  bool present = true;
  EXPECT_TRUE(r.reader.ReadOptional(kNull, "null", element, present));
  EXPECT_FALSE(present);
  EXPECT_TRUE(r.reader.ReadOptional(kInteger, "number", element, present));
  EXPECT_TRUE(present);
  EXPECT_TRUE(r.reader.ReadOptional(kInteger, "number", element, present));
  EXPECT_FALSE(present);
  Reading broken(Hex("0205"));
  EXPECT_FALSE(broken.reader.ReadOptional(kInteger, "number", element, present));
}

TEST(DerReaderTest, EnterKeepsToTheElementAndGoesOnAfterIt) {
  Reading r(
      Hex("3003020105"
          "020107"));
  Reader inner = r.reader.Enter(kSequence, "list");
  int five = 0;
  int seven = 0;
  EXPECT_TRUE(inner.ReadSmallInteger("five", five) && inner.End("list"));
  EXPECT_TRUE(r.reader.ReadSmallInteger("seven", seven) && r.reader.End("test"));
  EXPECT_EQ(five, 5);
  EXPECT_EQ(seven, 7);
}

TEST(DerReaderTest, BooleansAreAllZerosOrAllOnes) {
  bool value = true;
  EXPECT_TRUE(Reading(Hex("010100")).reader.ReadBoolean("flag", value));
  EXPECT_FALSE(value);
  EXPECT_TRUE(Reading(Hex("0101ff")).reader.ReadBoolean("flag", value));
  EXPECT_TRUE(value);
  for (const char* hex : {"010101", "0100", "01020000", "0102ffff"}) {
    EXPECT_FALSE(Reading(Hex(hex)).reader.ReadBoolean("flag", value)) << hex;
  }
}

TEST(DerReaderTest, IntegersAreMinimal) {
  for (const char* hex : {"020100", "02017f", "020180", "02020080", "0202ff7f", "02020100"}) {
    Reading r(Hex(hex));
    std::string_view content;
    EXPECT_TRUE(r.reader.ReadInteger("number", content)) << hex;
    EXPECT_EQ(content, Hex(hex).substr(2));
  }
  for (const char* hex : {"0200", "02020000", "0202007f", "0202ff80", "0202ffff"}) {
    std::string_view content;
    EXPECT_FALSE(Reading(Hex(hex)).reader.ReadInteger("number", content)) << hex;
  }
}

TEST(DerReaderTest, SmallIntegersAreNotNegativeAndFitAnInt) {
  const struct {
    const char* hex;
    int expected;
  } kCases[] = {{"020100", 0},
                {"02017f", 127},
                {"02020080", 128},
                {"02020100", 256},
                {"02047fffffff", 2147483647}};
  for (const auto& test : kCases) {
    int value = -1;
    EXPECT_TRUE(Reading(Hex(test.hex)).reader.ReadSmallInteger("number", value)) << test.hex;
    EXPECT_EQ(value, test.expected);
  }
  for (const char* hex : {"020180", "0201ff", "02050080000000", "02050100000000"}) {
    int value = -1;
    EXPECT_FALSE(Reading(Hex(hex)).reader.ReadSmallInteger("number", value)) << hex;
  }
}

TEST(DerReaderTest, BitStringsHaveZeroUnusedBits) {
  const struct {
    const char* hex;
    const char* bits;
    int unused;
  } kCases[] = {
      {"030100", "", 0}, {"03020780", "80", 7}, {"030205a0", "a0", 5}, {"03030001ff", "01ff", 0}};
  for (const auto& test : kCases) {
    Reading r(Hex(test.hex));
    std::string_view bits;
    int unused = -1;
    EXPECT_TRUE(r.reader.ReadBitString("bits", bits, unused)) << test.hex;
    EXPECT_EQ(bits, Hex(test.bits));
    EXPECT_EQ(unused, test.unused);
  }
  for (const char* hex : {"0300", "030101", "03020880", "030207c0", "0302ff00"}) {
    std::string_view bits;
    int unused = 0;
    EXPECT_FALSE(Reading(Hex(hex)).reader.ReadBitString("bits", bits, unused)) << hex;
  }
}

TEST(DerReaderTest, ReadsTimesOfEitherForm) {
  const struct {
    std::uint8_t tag;
    const char* text;
    const char* expected;
  } kCases[] = {
      {kUtcTime, "500101000000Z", "1950-01-01T00:00:00Z"},
      {kUtcTime, "991231235959Z", "1999-12-31T23:59:59Z"},
      {kUtcTime, "000101000000Z", "2000-01-01T00:00:00Z"},
      {kUtcTime, "491231235959Z", "2049-12-31T23:59:59Z"},
      {kUtcTime, "240229120000Z", "2024-02-29T12:00:00Z"},
      {kGeneralizedTime, "20500101000000Z", "2050-01-01T00:00:00Z"},
      {kGeneralizedTime, "20260101000000Z", "2026-01-01T00:00:00Z"},
      {kGeneralizedTime, "99991231235959Z", "9999-12-31T23:59:59Z"},
  };
  for (const auto& test : kCases) {
    Time time{};
    EXPECT_TRUE(Reading(Tlv(test.tag, test.text)).reader.ReadTime("time", time)) << test.text;
    EXPECT_EQ(FormatTime(time), test.expected);
  }
}

TEST(DerReaderTest, RefusesTimesThatRfc5280DoesNotHave) {
  const struct {
    std::uint8_t tag;
    const char* text;
  } kCases[] = {
      {kUtcTime, "2601010000Z"},
      {kUtcTime, "260101000000"},
      {kUtcTime, "260101000000+0000"},
      {kUtcTime, "260101000000z"},
      {kUtcTime, "20260101000000Z"},
      {kUtcTime, "261301000000Z"},
      {kUtcTime, "260001000000Z"},
      {kUtcTime, "260100000000Z"},
      {kUtcTime, "260230000000Z"},
      {kUtcTime, "250229000000Z"},
      {kUtcTime, "260101240000Z"},
      {kUtcTime, "260101006000Z"},
      {kUtcTime, "260101000060Z"},
      {kUtcTime, "26010100000 Z"},
      {kUtcTime, "-60101000000Z"},
      {kUtcTime, ""},
      {kGeneralizedTime, "260101000000Z"},
      {kGeneralizedTime, "20260101000000.5Z"},
      {kGeneralizedTime, "20260101000000"},
      {kGeneralizedTime, "2026010100000:Z"},
      {kUtf8String, "260101000000Z"},
  };
  for (const auto& test : kCases) {
    Time time{};
    EXPECT_FALSE(Reading(Tlv(test.tag, test.text)).reader.ReadTime("time", time)) << test.text;
  }
}

TEST(DerOidTest, DecodesAndEncodes) {
  const struct {
    const char* dotted;
    const char* hex;
  } kCases[] = {
      {"0.0", "00"},
      {"0.39", "27"},
      {"1.0", "28"},
      {"1.39", "4f"},
      {"2.0", "50"},
      {"2.5.4.3", "550403"},
      {"2.40.1", "7801"},
      {"2.999.1", "883701"},
      {"1.2.840.113549.1.1.11", "2a864886f70d01010b"},
      {"1.3.6.1.4.1.18446744073709551615", "2b0601040181ffffffffffffffff7f"},
      // A UUID, f81d4fae-7dec-11d0-a765-00a0c91e6bf6 (ITU-T X.667).
      {"2.25.329800735698586629295641978511506172918", "6983f09da7ebcfdee0c7a1a7b2c0948cc8f9d776"},
      {"2.25.340282366920938463463374607431768211455", "6983ffffffffffffffffffffffffffffffffff7f"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(DecodeOid(Hex(test.hex)), test.dotted);
    const auto encoded = EncodeOid(test.dotted);
    ASSERT_TRUE(encoded.has_value()) << test.dotted;
    EXPECT_EQ(ToHex(*encoded), test.hex);
  }
}

TEST(DerOidTest, RefusesWhatIsNoOid) {
  for (const char* hex :
       {"", "80", "2a80", "2a8001", "8001", "5504c0", "6984808080808080808080808080808080808000"}) {
    EXPECT_EQ(DecodeOid(Hex(hex)), std::nullopt) << hex;
  }
  for (const char* dotted :
       {"", "1", "3.1", "0.40", "1.40", "1.2.", ".1.2", "1..2", "1.02", "1.2.x", "1.-2", "1.2 ",
        "2.25.340282366920938463463374607431768211456", "2.340282366920938463463374607431768211455",
        "4294967298.1"}) {
    EXPECT_EQ(EncodeOid(dotted), std::nullopt) << dotted;
  }
}

TEST(DerOidTest, ReadsThroughTheReader) {
  std::string oid;
  EXPECT_TRUE(Reading(Hex("0603550403")).reader.ReadOid("type", oid));
  EXPECT_EQ(oid, "2.5.4.3");
  EXPECT_FALSE(Reading(Hex("0600")).reader.ReadOid("type", oid));
}

TEST(DerWriterTest, WritesEveryType) {
  Writer writer;
  writer.Boolean(true);
  writer.Boolean(false);
  writer.Null();
  writer.Oid("2.5.4.3");
  writer.BitString(Hex("a0"), 5);
  writer.BitString("x");
  writer.Element(kUtf8String, "hi");
  writer.IntegerContent(Hex("0080"));
  writer.Raw(Hex("3000"));
  EXPECT_EQ(ToHex(writer.bytes()),
            "0101ff"
            "010100"
            "0500"
            "0603550403"
            "030205a0"
            "03020078"
            "0c026869"
            "02020080"
            "3000");
}

TEST(DerWriterTest, WritesIntegersPositiveAndMinimal) {
  const struct {
    std::uint64_t value;
    const char* hex;
  } kCases[] = {
      {0, "020100"},
      {127, "02017f"},
      {128, "02020080"},
      {255, "020200ff"},
      {256, "02020100"},
      {0x7fffffff, "02047fffffff"},
      {0x80000000, "02050080000000"},
      {std::numeric_limits<std::uint64_t>::max(), "020900ffffffffffffffff"},
  };
  for (const auto& test : kCases) {
    Writer writer;
    writer.Integer(test.value);
    EXPECT_EQ(ToHex(writer.bytes()), test.hex);
  }
}

TEST(DerWriterTest, NestedElementsHaveTheLengthOfWhatIsInThem) {
  for (const size_t length : {0, 100, 123, 124, 125, 126, 127, 128, 253, 254, 65530, 70000}) {
    const std::string text(length, 'x');
    Writer writer;
    writer.Raw("before");
    writer.Nested(kSequence, [&] {
      writer.Nested(ContextConstructed(3), [&] { writer.Element(kOctetString, text); });
    });
    EXPECT_EQ(writer.bytes(), "before" + Sequence({Tlv(0xa3, Tlv(kOctetString, text))})) << length;
  }
}

TEST(DerWriterTest, WritesUtcTimeThrough2049AndGeneralizedTimeAfter) {
  const struct {
    const char* time;
    std::uint8_t tag;
    const char* text;
  } kCases[] = {
      {"1949-12-31T23:59:59Z", kGeneralizedTime, "19491231235959Z"},
      {"1950-01-01T00:00:00Z", kUtcTime, "500101000000Z"},
      {"2026-11-21T02:29:09Z", kUtcTime, "261121022909Z"},
      {"2049-12-31T23:59:59Z", kUtcTime, "491231235959Z"},
      {"2050-01-01T00:00:00Z", kGeneralizedTime, "20500101000000Z"},
      {"9999-12-31T23:59:59Z", kGeneralizedTime, "99991231235959Z"},
  };
  for (const auto& test : kCases) {
    const auto time = ParseTime(test.time);
    ASSERT_TRUE(time.has_value());
    Writer writer;
    writer.Timestamp(*time);
    EXPECT_EQ(writer.bytes(), Tlv(test.tag, test.text));
  }
}

TEST(DerWriterTest, WhatIsWrittenIsReadBack) {
  Writer writer;
  writer.Nested(kSequence, [&] {
    writer.Integer(2147483647);
    writer.Oid("1.2.840.10045.4.3.2");
    writer.Boolean(true);
  });
  Reader outer(writer.bytes(), "test");
  Reader reader = outer.Enter(kSequence, "list");
  int number = 0;
  std::string oid;
  bool flag = false;
  EXPECT_TRUE(reader.ReadSmallInteger("number", number) && reader.ReadOid("oid", oid) &&
              reader.ReadBoolean("flag", flag) && reader.End("list") && outer.End("test"))
      << reader.status();
  EXPECT_EQ(number, 2147483647);
  EXPECT_EQ(oid, "1.2.840.10045.4.3.2");
}

TEST(DerTagTest, ContextTagsAreThoseOfX690) {
  EXPECT_EQ(ContextPrimitive(0), 0x80);
  EXPECT_EQ(ContextPrimitive(7), 0x87);
  EXPECT_EQ(ContextConstructed(3), 0xa3);
}

}  // namespace
}  // namespace troth::der
