#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "troth/store/index_keys_internal.h"
#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

TEST(SipHashTest, GivesThePublishedVectors) {
  // Key 00 01 .. 0f, message 00 01 .. (length - 1): from the authors' reference vectors.
  constexpr std::array<std::uint64_t, 2> kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string message;
  const auto grow = [&](size_t length) {
    while (message.size() < length) message += static_cast<char>(message.size());
    return SipHash(message, kKey);
  };
  EXPECT_EQ(grow(0), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(grow(1), 0x74f839c593dc67fdU);
  EXPECT_EQ(grow(8), 0x93f5f5799a932462U);
  EXPECT_EQ(grow(15), 0xa129ca6149be45e5U);
}

class IndexKeysTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kIssuedAt = 1'795'228'149;

  CertificateKeys Of(const SerialNumber& serial, std::int64_t issued_at = kIssuedAt,
                     const std::vector<std::string>& names = {"a", "b"}) const {
    std::string list;
    EncodeTexts(names, list);
    CertificateKeys of;
    keys_.Of({.serial = serial.der_content(),
              .request = "request",
              .names = list,
              .issued_at = issued_at,
              .not_after = kIssuedAt + 5},
             of);
    return of;
  }

  const IndexKeys keys_{{1, 2}};
};

TEST_F(IndexKeysTest, OwnSerialsHaveKeysInTheOrderOfTime) {
  std::uint64_t last = 0;
  for (const std::int64_t age : {-4, -3, 0, 3600}) {
    const SerialNumber serial = SerialNumber::Generate(Time(Seconds(kIssuedAt + age)));
    const CertificateKeys keys = Of(serial);
    ASSERT_TRUE(keys.serial.has_value());
    EXPECT_EQ(keys.serial, IndexKeys::OfOwnSerial(serial.der_content()));
    EXPECT_GT(*keys.serial, last);
    EXPECT_EQ(keys.terms.size(), 3U);  // the request, two names
    last = *keys.serial;
  }
}

TEST_F(IndexKeysTest, ForeignSerialsAreTerms) {
  const SerialNumber looks_own = SerialNumber::Generate(Time(Seconds(kIssuedAt)));
  struct Case {
    std::string octets;
    std::int64_t issued_at;
  };
  for (const Case& it :
       {Case{"\x01", kIssuedAt}, Case{std::string(20, '\x7f'), kIssuedAt},
        Case{std::string(20, '\x2f'), kIssuedAt}, Case{std::string(16, '\x41'), kIssuedAt},
        Case{looks_own.der_content(), kIssuedAt + 2 * 86400},
        Case{looks_own.der_content(), kIssuedAt - 2 * 86400}}) {
    const CertificateKeys keys = Of(*SerialNumber::FromDerContent(it.octets), it.issued_at);
    EXPECT_EQ(keys.serial, std::nullopt);
    const std::set<std::uint64_t> terms(keys.terms.begin(), keys.terms.end());
    EXPECT_TRUE(terms.contains(keys_.OfForeignSerial(it.octets)));
    EXPECT_EQ(terms.size(), 4U);
  }
}

TEST_F(IndexKeysTest, EveryTermComesOnce) {
  const SerialNumber serial = SerialNumber::Generate(Time(Seconds(kIssuedAt)));
  const CertificateKeys keys = Of(serial, kIssuedAt, {"a", "b", "a", "b", "b"});
  EXPECT_EQ(keys.terms.size(), 3U);
}

TEST_F(IndexKeysTest, KindsOfTermsAndStoresDiffer) {
  const IndexKeys other({1, 3});
  const std::set<std::uint64_t> hashes = {keys_.OfName("x"), keys_.OfRequest("x"),
                                          keys_.OfForeignSerial("x"), other.OfName("x")};
  EXPECT_EQ(hashes.size(), 4U);
}

TEST_F(IndexKeysTest, TimesBefore1970CountAs1970) {
  EXPECT_EQ(IndexKeys::OfTime(-5), 0U);
  EXPECT_EQ(IndexKeys::OfTime(5), 5U);
}

}  // namespace
}  // namespace troth
