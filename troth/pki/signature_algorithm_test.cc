#include "troth/pki/signature_algorithm.h"

#include <gtest/gtest.h>

#include <string>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/der_testing.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::Concatenate;
using testing::Oid;
using testing::Sequence;
using testing::Tlv;

constexpr std::string_view kRsaSha256 = "1.2.840.113549.1.1.11";
constexpr std::string_view kEcdsaSha256 = "1.2.840.10045.4.3.2";
constexpr std::string_view kEd25519 = "1.3.101.112";
constexpr std::string_view kPss = "1.2.840.113549.1.1.10";
constexpr std::string_view kMgf1 = "1.2.840.113549.1.1.8";
constexpr std::string_view kSha1 = "1.3.14.3.2.26";
constexpr std::string_view kSha256 = "2.16.840.1.101.3.4.2.1";
constexpr std::string_view kSha384 = "2.16.840.1.101.3.4.2.2";

const std::string kNull = Bytes("\x05\x00");

TEST(SignatureAlgorithmTest, IsReadAsItIsWritten) {
  const struct {
    SignatureAlgorithm algorithm;
    const char* hex;  // as OpenSSL writes it
  } kCases[] = {
      {SignatureAlgorithm::kEcdsaSha256, "300a06082a8648ce3d040302"},
      {SignatureAlgorithm::kEcdsaSha384, "300a06082a8648ce3d040303"},
      {SignatureAlgorithm::kEcdsaSha512, "300a06082a8648ce3d040304"},
      {SignatureAlgorithm::kEd25519, "300506032b6570"},
      {SignatureAlgorithm::kRsaSha256, "300d06092a864886f70d01010b0500"},
      {SignatureAlgorithm::kRsaSha384, "300d06092a864886f70d01010c0500"},
      {SignatureAlgorithm::kRsaSha512, "300d06092a864886f70d01010d0500"},
      {SignatureAlgorithm::kRsaPssSha256,
       "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010"
       "108"
       "300d06096086480165030402010500a203020120"},
      {SignatureAlgorithm::kRsaPssSha384,
       "304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010"
       "108"
       "300d06096086480165030402020500a203020130"},
      {SignatureAlgorithm::kRsaPssSha512,
       "304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010"
       "108"
       "300d06096086480165030402030500a203020140"},
      {SignatureAlgorithm::kRsaSha1, "300d06092a864886f70d0101050500"},
      {SignatureAlgorithm::kEcdsaSha1, "300906072a8648ce3d0401"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(ToHex(SignatureAlgorithmToDer(test.algorithm)), test.hex) << NameOf(test.algorithm);
    const auto read = ReadSignatureAlgorithm(*FromHex(test.hex));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, test.algorithm) << NameOf(*read);
  }
  EXPECT_EQ(SignatureAlgorithmToDer(SignatureAlgorithm::kOther), "");
}

std::string Hash(std::string_view oid, const std::string& parameters = kNull) {
  return Sequence({Oid(oid), parameters});
}
std::string Mask(std::string_view hash) { return Sequence({Oid(kMgf1), Hash(hash)}); }
std::string Salt(int bytes) {
  return Tlv(0xa2, Tlv(der::kInteger, std::string(1, static_cast<char>(bytes))));
}
std::string Pss(std::initializer_list<std::string> parameters) {
  return Sequence({Oid(kPss), Tlv(der::kSequence, Concatenate(parameters))});
}

TEST(SignatureAlgorithmTest, ReadsTheFormsThatRfc4055Allows) {
  const struct {
    std::string der;
    SignatureAlgorithm expected;
  } kCases[] = {
      {Sequence({Oid(kRsaSha256)}), SignatureAlgorithm::kRsaSha256},  // section 5: NULL or absent
      {Pss({Tlv(0xa0, Hash(kSha256, "")), Tlv(0xa1, Mask(kSha256)), Salt(32)}),
       SignatureAlgorithm::kRsaPssSha256},
      // Section 3.1: a trailer field of 1, the default, must be recognised.
      {Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Mask(kSha256)), Salt(32),
            Tlv(0xa3, Bytes("\x02\x01\x01"))}),
       SignatureAlgorithm::kRsaPssSha256},
  };
  for (const auto& test : kCases) {
    const auto read = ReadSignatureAlgorithm(test.der);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, test.expected);
  }
}

TEST(SignatureAlgorithmTest, WhatIsWellFormedAndNotAllowedHasItsReason) {
  const std::string kCases[] = {
      Sequence({Oid("1.2.840.113549.1.1.4"), kNull}),   // MD5
      Sequence({Oid("1.2.840.113549.1.1.14"), kNull}),  // SHA-224
      Sequence({Oid("2.16.840.1.101.3.4.3.2")}),        // DSA
      Sequence({Oid("1.3.101.113")}),                   // Ed448
      Sequence({Oid(kPss)}),
      Pss({}),  // everything by default: SHA-1
      Pss({Tlv(0xa0, Hash(kSha1)), Tlv(0xa1, Mask(kSha1)), Salt(20)}),
      Pss({Tlv(0xa0, Hash(kSha256)), Salt(32)}),  // mask with SHA-1
      Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Mask(kSha384)), Salt(32)}),
      Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Mask(kSha256))}),  // salt of 20
      Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Mask(kSha256)), Salt(0)}),
      Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Mask(kSha256)), Salt(48)}),
      Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Mask(kSha256)), Salt(32),
           Tlv(0xa3, Bytes("\x02\x01\x02"))}),
      Pss({Tlv(0xa0, Hash(kSha256)), Tlv(0xa1, Sequence({Oid(kSha256), Hash(kSha256)})), Salt(32)}),
  };
  for (const std::string& der : kCases) {
    const auto read = ReadSignatureAlgorithm(der);
    ASSERT_FALSE(read.ok()) << ToHex(der);
    EXPECT_EQ(ReasonOf(read.status()), Reason::kAlgorithmNotAllowed) << ToHex(der) << read.status();
  }
}

TEST(SignatureAlgorithmTest, WhatIsMalformedHasNoReasonYet) {
  const std::string good_hash = Tlv(0xa0, Hash(kSha256));
  const std::string good_mask = Tlv(0xa1, Mask(kSha256));
  const std::string kCases[] = {
      "",
      Tlv(der::kSet, Oid(kRsaSha256) + kNull),
      Sequence({}),
      Sequence({kNull}),
      Sequence({Oid(kRsaSha256), kNull}) + "x",
      Sequence({Oid(kRsaSha256), kNull, kNull}),
      Sequence({Oid(kRsaSha256), Bytes("\x05\x01x")}),
      Sequence({Oid(kRsaSha256), Bytes("\x02\x01\x01")}),
      // RFC 5758 and RFC 8410: absent, NULL too.
      Sequence({Oid(kEcdsaSha256), kNull}),
      Sequence({Oid(kEd25519), kNull}),
      Sequence({Oid(kPss), kNull}),
      Sequence({Oid(kPss), Sequence({good_hash, good_mask, Salt(32)}), kNull}),
      Pss({good_mask, good_hash, Salt(32)}),
      Pss({good_hash, good_mask, Salt(32), Salt(32)}),
      Pss({Tlv(0xa0, Hash(kSha256) + kNull), good_mask, Salt(32)}),
      Pss({Tlv(0xa0, Hash(kSha256, kNull + kNull)), good_mask, Salt(32)}),
      Pss({Tlv(0xa0, Hash(kSha256, Bytes("\x05\x01x"))), good_mask, Salt(32)}),
      Pss({good_hash, Tlv(0xa1, Sequence({Oid(kMgf1)})), Salt(32)}),
      Pss({good_hash, good_mask, Tlv(0xa2, Bytes("\x02\x01\x80"))}),
      Pss({good_hash, good_mask, Tlv(0xa2, Bytes("\x02\x02\x00\x20"))}),
      Pss({good_hash, good_mask, Tlv(0xa2, "")}),
      Pss({good_hash, good_mask, Salt(32), Tlv(0xa3, "")}),
  };
  for (const std::string& der : kCases) {
    const auto read = ReadSignatureAlgorithm(der);
    ASSERT_FALSE(read.ok()) << ToHex(der);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << ToHex(der);
    EXPECT_EQ(ReasonOf(read.status()), std::nullopt) << ToHex(der) << read.status();
  }
}

}  // namespace
}  // namespace troth
