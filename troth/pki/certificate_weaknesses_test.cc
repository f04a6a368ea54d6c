#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "troth/base/file.h"
#include "troth/pki/certificate.h"
#include "troth/pki/der_testing.h"

namespace troth {
namespace {

using testing::Bytes;
using ::testing::Contains;
using testing::ExtensionOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::NameOf;
using ::testing::Not;
using testing::Oid;
using testing::RawCertificate;
using testing::Sequence;
using testing::Tlv;

std::vector<std::string> WeaknessesOf(const RawCertificate& raw) {
  const absl::StatusOr<Certificate> certificate = Certificate::FromDer(raw.Build());
  EXPECT_TRUE(certificate.ok()) << certificate.status();
  return certificate.ok() ? certificate->Weaknesses() : std::vector<std::string>();
}

const std::string kKeyIds = ExtensionOf("2.5.29.35", Sequence({Tlv(0x80, "issuer")}));

RawCertificate GoodLeaf() {
  RawCertificate raw;
  raw.extensions = {ExtensionOf("2.5.29.15", Bytes("\x03\x02\x07\x80"), true),
                    ExtensionOf("2.5.29.37", Sequence({Oid(kServerAuthOid)})),
                    ExtensionOf("2.5.29.17", Sequence({Tlv(0x82, "localhost")})), kKeyIds};
  return raw;
}

RawCertificate GoodCa() {
  RawCertificate raw;
  raw.extensions = {ExtensionOf("2.5.29.19", Bytes("\x30\x03\x01\x01\xff"), true),
                    ExtensionOf("2.5.29.15", Bytes("\x03\x02\x01\x06"), true),
                    ExtensionOf("2.5.29.14", Tlv(4, "key")), kKeyIds};
  return raw;
}

TEST(CertificateWeaknessesTest, GoodCertificatesHaveNone) {
  EXPECT_THAT(WeaknessesOf(GoodLeaf()), IsEmpty());
  EXPECT_THAT(WeaknessesOf(GoodCa()), IsEmpty());
}

TEST(CertificateWeaknessesTest, OnlyWhatMayBeAServerNeedsAName) {
  const auto weaknesses = [](std::initializer_list<std::string> usages) {
    RawCertificate raw = GoodLeaf();
    raw.extensions[1] = ExtensionOf("2.5.29.37", Sequence(usages));
    raw.extensions.erase(raw.extensions.begin() + 2);
    return WeaknessesOf(raw);
  };
  const auto named = Contains(HasSubstr("no subject alternative name"));
  const std::string client = Oid(kClientAuthOid);
  const std::string server = Oid(kServerAuthOid);
  const std::string any = Oid(kAnyExtendedKeyUsageOid);
  EXPECT_THAT(weaknesses({client}), IsEmpty());
  EXPECT_THAT(weaknesses({server}), named);
  EXPECT_THAT(weaknesses({client, server}), named);
  EXPECT_THAT(weaknesses({client, any}), named);
}

TEST(CertificateWeaknessesTest, EachIsNamed) {
  const struct {
    RawCertificate raw;
    std::function<void(RawCertificate&)> change;
    std::string_view weakness;
  } kCases[] = {
      {GoodLeaf(), [](auto& c) { c.version = "", c.extensions.clear(); }, "version 1"},
      {GoodLeaf(), [](auto& c) { c.extensions.erase(c.extensions.begin()); }, "no keyUsage"},
      {GoodLeaf(), [](auto& c) { c.extensions.erase(c.extensions.begin() + 1); },
       "extendedKeyUsage"},
      {GoodLeaf(), [](auto& c) { c.extensions.erase(c.extensions.begin() + 2); },
       "no subject alternative name"},
      {GoodLeaf(), [](auto& c) { c.extensions.pop_back(); }, "no authorityKeyIdentifier"},
      {GoodLeaf(), [](auto& c) { c.subject = Sequence({}); }, "not critical"},
      {GoodLeaf(), [](auto& c) { c.issuer = c.subject; }, "same"},
      {GoodLeaf(),
       [](auto& c) { c.extensions[0] = ExtensionOf("2.5.29.15", Bytes("\x03\x02\x02\x84")); },
       "keyCertSign, but it is no CA"},
      {GoodLeaf(),
       [](auto& c) {
         c.extensions.push_back(
             ExtensionOf("2.5.29.30", Sequence({Tlv(0xa0, Sequence({Tlv(0x82, "a")}))}), true));
       },
       "nameConstraints"},
      {GoodLeaf(), [](auto& c) { c.serial = Bytes("\x02\x01\x00"); }, "serial number 0"},
      {GoodLeaf(), [](auto& c) { c.serial = Bytes("\x02\x01\xff"); }, "negative"},
      {GoodLeaf(), [](auto& c) { c.serial = Tlv(2, std::string(21, 'x')); }, "more than 20 bytes"},
      {GoodLeaf(),
       [](auto& c) {
         c.validity =
             Sequence({Tlv(der::kUtcTime, "270101000000Z"), Tlv(der::kUtcTime, "260101000000Z")});
       },
       "before notBefore"},
      {GoodLeaf(),
       [](auto& c) { c.algorithm = c.outer_algorithm = Sequence({Oid("1.2.840.10045.4.1")}); },
       "SHA-1"},
      {GoodLeaf(), [](auto& c) { c.algorithm = c.outer_algorithm = Sequence({Oid("1.2.3")}); },
       "not supported, so nothing verifies it"},
      {GoodLeaf(),
       [](auto& c) {
         c.public_key = Sequence({Sequence({Oid("1.2.3")}), Tlv(3, Bytes("\x00k"))});
       },
       "kind that is not supported"},
      {GoodCa(), [](auto& c) { c.extensions.erase(c.extensions.begin() + 1); }, "no keyUsage"},
      {GoodCa(),
       [](auto& c) { c.extensions[1] = ExtensionOf("2.5.29.15", Bytes("\x03\x02\x01\x02")); },
       "without keyCertSign"},
      {GoodCa(),
       [](auto& c) { c.extensions[0] = ExtensionOf("2.5.29.19", Bytes("\x30\x03\x01\x01\xff")); },
       "basicConstraints of a CA that is not critical"},
      {GoodCa(), [](auto& c) { c.extensions.erase(c.extensions.begin() + 2); },
       "no subjectKeyIdentifier"},
      {GoodCa(), [](auto& c) { c.subject = Sequence({}); }, "CA without a subject"},
      {GoodCa(),
       [](auto& c) {
         c.extensions.push_back(
             ExtensionOf("2.5.29.30", Sequence({Tlv(0xa0, Sequence({Tlv(0x82, "a")}))})));
       },
       "nameConstraints that are not critical"},
  };
  for (const auto& test : kCases) {
    RawCertificate raw = test.raw;
    test.change(raw);
    EXPECT_THAT(WeaknessesOf(raw), Contains(HasSubstr(std::string(test.weakness))))
        << test.weakness;
  }
}

constexpr std::string_view kFolder = TROTH_SOURCE_DIR "/fuzz/corpus/certificate_fuzz";

// What the commands of users' documents make.
TEST(CertificateWeaknessesTest, OfTheSeeds) {
  const struct {
    std::string_view file, weakness;
  } kCases[] = {
      {"clementine_client", "version 1"},
      {"clementine_server", "no keyUsage"},
      {"clementine_ca", "no keyUsage, which a CA needs"},
      {"sping", "version 1"},
      {"attestor", "subject and issuer are the same"},
      {"rsa_sha1", "1024 bits"},
      {"rsa_sha1", "SHA-1"},
      {"rsa_md5", "not supported"},
      {"dsa", "kind that is not supported"},
  };
  for (const auto& test : kCases) {
    const std::string file = std::string(test.file).append(".der");
    const absl::StatusOr<std::string> der = ReadFile(JoinPath(kFolder, file));
    ASSERT_TRUE(der.ok()) << der.status();
    const absl::StatusOr<Certificate> certificate = Certificate::FromDer(*der);
    ASSERT_TRUE(certificate.ok()) << test.file << ": " << certificate.status();
    EXPECT_THAT(certificate->Weaknesses(), Contains(HasSubstr(std::string(test.weakness))))
        << test.file;
    if (test.file == "sping") {
      EXPECT_TRUE(certificate->IsSelfSigned());
      EXPECT_THAT(certificate->Weaknesses(), Not(Contains(HasSubstr("are the same"))));
    }
  }
}

}  // namespace
}  // namespace troth
