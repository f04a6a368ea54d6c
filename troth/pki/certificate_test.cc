#include "troth/pki/certificate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::ExtensionOf;
using testing::NameOf;
using testing::Oid;
using testing::RawCertificate;
using testing::Sequence;
using testing::Set;
using testing::Tlv;

constexpr std::string_view kBasicConstraints = "2.5.29.19";
constexpr std::string_view kKeyUsage = "2.5.29.15";
constexpr std::string_view kExtKeyUsage = "2.5.29.37";
constexpr std::string_view kSubjectAltName = "2.5.29.17";
constexpr std::string_view kNameConstraints = "2.5.29.30";
constexpr std::string_view kSubjectKeyId = "2.5.29.14";
constexpr std::string_view kAuthorityKeyId = "2.5.29.35";
constexpr std::string_view kCrlPoints = "2.5.29.31";
constexpr std::string_view kInfoAccess = "1.3.6.1.5.5.7.1.1";
constexpr std::string_view kPolicies = "2.5.29.32";

const std::string kNull = Bytes("\x05\x00");

RawCertificate With(std::vector<std::string> extensions) {
  RawCertificate raw;
  raw.extensions = std::move(extensions);
  return raw;
}
RawCertificate With(std::string_view oid, const std::string& value) {
  return With({ExtensionOf(oid, value)});
}

Certificate Read(const RawCertificate& raw) {
  absl::StatusOr<Certificate> certificate = Certificate::FromDer(raw.Build());
  if (!certificate.ok()) {
    ADD_FAILURE() << certificate.status();
    return *Certificate::FromDer(RawCertificate{}.Build());
  }
  return *std::move(certificate);
}

TEST(CertificateTest, ReadsEveryField) {
  const RawCertificate raw;
  const Certificate certificate = Read(raw);
  EXPECT_EQ(certificate.der(), raw.Build());
  EXPECT_EQ(certificate.version(), 3);
  EXPECT_EQ(certificate.serial_number().ToHex(), "1234");
  EXPECT_EQ(certificate.subject().ToString(), "CN=subject");
  EXPECT_EQ(certificate.issuer().ToString(), "CN=issuer");
  EXPECT_EQ(FormatTime(certificate.validity().not_before), "2026-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(certificate.validity().not_after), "2027-01-01T00:00:00Z");
  EXPECT_EQ(certificate.public_key().der(), raw.public_key);
  EXPECT_EQ(certificate.signature_algorithm(), SignatureAlgorithm::kEcdsaSha256);
  EXPECT_EQ(certificate.signature(), std::string(70, 's'));
  EXPECT_NE(certificate.der().find(certificate.tbs_der()), std::string::npos);
  EXPECT_TRUE(certificate.tbs_der().ends_with(raw.public_key));
  EXPECT_EQ(certificate.fingerprint(), Sha256(raw.Build()));
}

TEST(CertificateTest, WithoutExtensionsSaysNothingOfThem) {
  const Certificate certificate = Read({});
  EXPECT_TRUE(certificate.alternative_names().empty());
  EXPECT_EQ(certificate.basic_constraints(), std::nullopt);
  EXPECT_EQ(certificate.key_usage(), std::nullopt);
  EXPECT_EQ(certificate.extended_key_usage(), std::nullopt);
  EXPECT_FALSE(certificate.name_constraints().has_value());
  EXPECT_EQ(certificate.subject_key_id(), std::nullopt);
  EXPECT_EQ(certificate.authority_key_id(), std::nullopt);
  EXPECT_TRUE(certificate.crl_distribution_points().empty());
  EXPECT_TRUE(certificate.authority_info_access().empty());
  EXPECT_TRUE(certificate.extensions().empty());
  EXPECT_FALSE(certificate.is_ca());
  EXPECT_FALSE(certificate.IsSelfSigned());
}

TEST(CertificateTest, CopiesShareWhatViewsPointTo) {
  std::optional<Certificate> first = Read({});
  const Certificate second = *first;
  const std::string_view signature = second.signature();
  first.reset();
  EXPECT_EQ(signature, std::string(70, 's'));
}

TEST(CertificateTest, RefusesMalformedStructure) {
  const struct {
    std::string_view what;
    std::function<void(RawCertificate&)> change;
  } kCases[] = {
      {"no version, but extensions",
       [](auto& c) { c.version = "", c.extensions = {ExtensionOf("1.2.3", kNull)}; }},
      {"version 2 with extensions",
       [](auto& c) {
         c.version = Bytes("\xa0\x03\x02\x01\x01"), c.extensions = {ExtensionOf("1.2.3", kNull)};
       }},
      {"version 1 written out", [](auto& c) { c.version = Bytes("\xa0\x03\x02\x01\x00"); }},
      {"version 4", [](auto& c) { c.version = Bytes("\xa0\x03\x02\x01\x03"); }},
      {"negative version", [](auto& c) { c.version = Bytes("\xa0\x03\x02\x01\xff"); }},
      {"version twice", [](auto& c) { c.version += c.version; }},
      {"version with a tail", [](auto& c) { c.version = Bytes("\xa0\x05\x02\x01\x02\x05\x00"); }},
      {"version 1 with a unique id",
       [](auto& c) { c.version = "", c.unique_ids = Bytes("\x81\x02\x00\x01"); }},
      {"a unique id that is no BIT STRING", [](auto& c) { c.unique_ids = Bytes("\x81\x01\x08"); }},
      {"an empty unique id", [](auto& c) { c.unique_ids = Bytes("\x81\x00"); }},
      {"unique ids in the wrong order",
       [](auto& c) { c.unique_ids = Bytes("\x82\x02\x00\x01\x81\x02\x00\x01"); }},
      {"no serial", [](auto& c) { c.serial = ""; }},
      {"an empty serial", [](auto& c) { c.serial = Bytes("\x02\x00"); }},
      {"a serial not in its shortest form", [](auto& c) { c.serial = Bytes("\x02\x02\x00\x01"); }},
      {"a serial of 22 bytes", [](auto& c) { c.serial = Tlv(2, std::string(22, 'x')); }},
      {"another algorithm outside",
       [](auto& c) { c.outer_algorithm = Sequence({Oid("1.2.840.10045.4.3.3")}); }},
      {"other parameters outside",
       [](auto& c) {
         c.outer_algorithm = Sequence({Oid("1.2.840.10045.4.3.2"), kNull});
       }},
      {"ECDSA with parameters",
       [](auto& c) {
         c.algorithm = c.outer_algorithm = Sequence({Oid("1.2.840.10045.4.3.2"), kNull});
       }},
      {"an algorithm without OID",
       [](auto& c) { c.algorithm = c.outer_algorithm = Sequence({kNull}); }},
      {"no issuer", [](auto& c) { c.issuer = ""; }},
      {"a malformed issuer", [](auto& c) { c.issuer = Sequence({Sequence({})}); }},
      {"a malformed subject", [](auto& c) { c.subject = Sequence({Set({})}); }},
      {"one time", [](auto& c) { c.validity = Sequence({Tlv(der::kUtcTime, "260101000000Z")}); }},
      {"three times",
       [](auto& c) {
         const std::string time = Tlv(der::kUtcTime, "260101000000Z");
         c.validity = Sequence({time, time, time});
       }},
      {"a key that is no SubjectPublicKeyInfo", [](auto& c) { c.public_key = Sequence({kNull}); }},
      {"a key with a tail",
       [](auto& c) {
         c.public_key = Sequence({Sequence({Oid("1.2.840.10045.2.1"), Oid("1.2.840.10045.3.1.7")}),
                                  Tlv(der::kBitString, Bytes("\x00\x04")), kNull});
       }},
      {"a signature with unused bits", [](auto& c) { c.signature = Bytes("\x03\x02\x01\x02"); }},
      {"no signature", [](auto& c) { c.signature = ""; }},
      {"a signature that is an OCTET STRING", [](auto& c) { c.signature = Tlv(4, "s"); }},
      {"something after extensions", [](auto& c) { c.tail_of_tbs = kNull; }},
      {"something after the signature", [](auto& c) { c.tail_of_certificate = kNull; }},
      {"something after the certificate", [](auto& c) { c.tail = "\n"; }},
      {"an empty list of extensions", [](auto& c) { c.raw_extensions = Tlv(0xa3, Sequence({})); }},
      {"extensions without their SEQUENCE",
       [](auto& c) { c.raw_extensions = Tlv(0xa3, ExtensionOf("1.2.3", kNull)); }},
      {"two lists of extensions",
       [](auto& c) {
         const std::string list = Sequence({ExtensionOf("1.2.3", kNull)});
         c.raw_extensions = Tlv(0xa3, list + list);
       }},
      {"an extension twice",
       [](auto& c) {
         c.extensions = {ExtensionOf("1.2.3", kNull), ExtensionOf("1.2.3", "x")};
       }},
      {"critical FALSE written out",
       [](auto& c) {
         c.extensions = {Sequence({Oid("1.2.3"), Bytes("\x01\x01\x00"), Tlv(4, "")})};
       }},
      {"critical that is 01",
       [](auto& c) {
         c.extensions = {Sequence({Oid("1.2.3"), Bytes("\x01\x01\x01"), Tlv(4, "")})};
       }},
      {"an extension without value", [](auto& c) { c.extensions = {Sequence({Oid("1.2.3")})}; }},
      {"an extension with a tail",
       [](auto& c) {
         c.extensions = {Sequence({Oid("1.2.3"), Tlv(4, ""), kNull})};
       }},
  };
  for (const auto& test : kCases) {
    RawCertificate raw;
    test.change(raw);
    const absl::StatusOr<Certificate> certificate = Certificate::FromDer(raw.Build());
    EXPECT_EQ(ReasonOf(certificate.status()), Reason::kCertificateMalformed) << test.what;
  }
}

TEST(CertificateTest, RefusesMalformedExtensions) {
  const auto dns = [](std::string_view name) { return Tlv(0x82, name); };
  const std::string directory = Tlv(0xa4, NameOf("x"));
  const auto points = [](const std::string& name) {
    return Sequence({Sequence({Tlv(0xa0, name)})});
  };
  const struct {
    std::string_view what, oid;
    std::string value;
  } kCases[] = {
      {"basicConstraints: empty", kBasicConstraints, ""},
      {"basicConstraints: a boolean", kBasicConstraints, Bytes("\x01\x01\xff")},
      {"basicConstraints: cA 01", kBasicConstraints, Bytes("\x30\x03\x01\x01\x01")},
      {"basicConstraints: path length without cA", kBasicConstraints,
       Bytes("\x30\x03\x02\x01\x00")},
      {"basicConstraints: path length with cA FALSE", kBasicConstraints,
       Bytes("\x30\x06\x01\x01\x00\x02\x01\x00")},
      {"basicConstraints: negative path length", kBasicConstraints,
       Bytes("\x30\x06\x01\x01\xff\x02\x01\xff")},
      {"basicConstraints: huge path length", kBasicConstraints,
       Bytes("\x30\x0a\x01\x01\xff\x02\x05\x01\x00\x00\x00\x00")},
      {"basicConstraints: a tail", kBasicConstraints, Bytes("\x30\x05\x01\x01\xff\x05\x00")},
      {"basicConstraints: a tail outside", kBasicConstraints, Bytes("\x30\x00\x05\x00")},
      {"keyUsage: no bit", kKeyUsage, Bytes("\x03\x01\x00")},
      {"keyUsage: only zeros", kKeyUsage, Bytes("\x03\x02\x00\x00")},
      {"keyUsage: a tenth bit", kKeyUsage, Bytes("\x03\x03\x06\x80\x40")},
      {"keyUsage: unused bits set", kKeyUsage, Bytes("\x03\x02\x05\x81")},
      {"keyUsage: empty", kKeyUsage, Bytes("\x03\x00")},
      {"keyUsage: an integer", kKeyUsage, Bytes("\x02\x01\x05")},
      {"keyUsage: a tail", kKeyUsage, Bytes("\x03\x02\x05\xa0\x05\x00")},
      {"extKeyUsage: none", kExtKeyUsage, Sequence({})},
      {"extKeyUsage: no OID", kExtKeyUsage, Sequence({kNull})},
      {"extKeyUsage: an unended OID", kExtKeyUsage, Sequence({Tlv(6, "\x2b\x80")})},
      {"extKeyUsage: an OID alone", kExtKeyUsage, Oid(kServerAuthOid)},
      {"subjectAltName: none", kSubjectAltName, Sequence({})},
      {"subjectAltName: a tail", kSubjectAltName, Sequence({dns("a")}) + kNull},
      {"subjectAltName: an empty DNS name", kSubjectAltName, Sequence({dns("")})},
      {"subjectAltName: a NUL", kSubjectAltName, Sequence({dns(Bytes("good\x00.evil"))})},
      {"subjectAltName: a line end", kSubjectAltName, Sequence({dns("a\nb")})},
      {"subjectAltName: Latin-1", kSubjectAltName, Sequence({dns("\xfc")})},
      {"subjectAltName: a NUL in a URI", kSubjectAltName, Sequence({Tlv(0x86, Bytes("a:\x00"))})},
      {"subjectAltName: DEL in an email", kSubjectAltName, Sequence({Tlv(0x81, "a@b\x7f")})},
      {"subjectAltName: an IP of 5 bytes", kSubjectAltName, Sequence({Tlv(0x87, "12345")})},
      {"subjectAltName: an IP range", kSubjectAltName, Sequence({Tlv(0x87, "12345678")})},
      {"subjectAltName: an empty IP", kSubjectAltName, Sequence({Tlv(0x87, "")})},
      {"subjectAltName: an IP in text", kSubjectAltName, Sequence({Tlv(0x87, "127.0.0.1")})},
      {"subjectAltName: a broken directory name", kSubjectAltName, Sequence({Tlv(0xa4, kNull)})},
      {"subjectAltName: an implicit directory name", kSubjectAltName,
       Sequence({Tlv(0xa4, Set({}))})},
      {"subjectAltName: otherName without value", kSubjectAltName,
       Sequence({Tlv(0xa0, Oid("1.2.3"))})},
      {"subjectAltName: a broken registeredID", kSubjectAltName, Sequence({Tlv(0x88, "\x80")})},
      {"subjectAltName: a tag of no kind", kSubjectAltName, Sequence({Tlv(0x89, "x")})},
      {"subjectAltName: a universal tag", kSubjectAltName, Sequence({Tlv(der::kIa5String, "x")})},
      {"nameConstraints: nothing", kNameConstraints, Sequence({})},
      {"nameConstraints: an empty list", kNameConstraints, Sequence({Tlv(0xa0, "")})},
      {"nameConstraints: the wrong order", kNameConstraints,
       Sequence({Tlv(0xa1, Sequence({dns("a")})), Tlv(0xa0, Sequence({dns("a")}))})},
      {"nameConstraints: minimum", kNameConstraints,
       Sequence({Tlv(0xa0, Sequence({dns("a"), Bytes("\x80\x01\x00")}))})},
      {"nameConstraints: maximum", kNameConstraints,
       Sequence({Tlv(0xa0, Sequence({dns("a"), Bytes("\x81\x01\x05")}))})},
      {"nameConstraints: an IP without mask", kNameConstraints,
       Sequence({Tlv(0xa0, Sequence({Tlv(0x87, "1234")}))})},
      {"nameConstraints: a mask with holes", kNameConstraints,
       Sequence({Tlv(0xa0, Sequence({Tlv(0x87, Bytes("\x0a\x00\x00\x00\xff\x00\xff\x00"))}))})},
      {"nameConstraints: a NUL", kNameConstraints,
       Sequence({Tlv(0xa1, Sequence({dns(Bytes("a\x00"))}))})},
      {"subjectKeyIdentifier: empty", kSubjectKeyId, Bytes("\x04\x00")},
      {"subjectKeyIdentifier: bare", kSubjectKeyId, "12345678901234567890"},
      {"authorityKeyIdentifier: empty", kAuthorityKeyId, ""},
      {"authorityKeyIdentifier: an empty id", kAuthorityKeyId, Sequence({Bytes("\x80\x00")})},
      {"authorityKeyIdentifier: a tail", kAuthorityKeyId, Sequence({Tlv(0x80, "k"), kNull})},
      {"authorityKeyIdentifier: the wrong order", kAuthorityKeyId,
       Sequence({Tlv(0x82, "\x01"), Tlv(0x80, "k")})},
      {"authorityKeyIdentifier: a broken issuer", kAuthorityKeyId, Sequence({Tlv(0xa1, kNull)})},
      {"authorityKeyIdentifier: an empty serial", kAuthorityKeyId, Sequence({Bytes("\x82\x00")})},
      {"cRLDistributionPoints: none", kCrlPoints, Sequence({})},
      {"cRLDistributionPoints: no kind of name", kCrlPoints, points(kNull)},
      {"cRLDistributionPoints: no name", kCrlPoints, points(Tlv(0xa0, ""))},
      {"cRLDistributionPoints: a tail", kCrlPoints, Sequence({Sequence({kNull})})},
      {"cRLDistributionPoints: a broken issuer", kCrlPoints, Sequence({Sequence({Tlv(0xa2, "")})})},
      {"authorityInfoAccess: none", kInfoAccess, Sequence({})},
      {"authorityInfoAccess: no method", kInfoAccess, Sequence({Sequence({Tlv(0x86, "a:b")})})},
      {"authorityInfoAccess: no location", kInfoAccess, Sequence({Sequence({Oid("1.2.3")})})},
      {"certificatePolicies: none", kPolicies, Sequence({})},
      {"certificatePolicies: no OID", kPolicies, Sequence({Sequence({kNull})})},
      {"certificatePolicies: empty qualifiers", kPolicies,
       Sequence({Sequence({Oid("1.2.3"), Sequence({})})})},
      {"certificatePolicies: a broken qualifier", kPolicies,
       Sequence({Sequence({Oid("1.2.3"), Sequence({Sequence({Oid("1.2.3")})})})})},
  };
  for (const auto& test : kCases) {
    const absl::StatusOr<Certificate> certificate =
        Certificate::FromDer(With(test.oid, test.value).Build());
    EXPECT_EQ(ReasonOf(certificate.status()), Reason::kCertificateMalformed) << test.what;
  }
}

TEST(CertificateTest, RefusesEveryTruncation) {
  const std::string whole = With({ExtensionOf(kSubjectAltName, Sequence({Tlv(0x82, "a")})),
                                  ExtensionOf(kBasicConstraints, Bytes("\x30\x03\x01\x01\xff"))})
                                .Build();
  ASSERT_TRUE(Certificate::FromDer(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ReasonOf(Certificate::FromDer(whole.substr(0, size)).status()),
              Reason::kCertificateMalformed)
        << size;
  }
}

TEST(CertificateTest, ErrorsSayFieldAndPlace) {
  RawCertificate raw;
  raw.serial = Bytes("\x02\x02\x00\x01");
  const std::string message(ToStd(Certificate::FromDer(raw.Build()).status().message()));
  EXPECT_NE(message.find("serialNumber at byte"), std::string::npos) << message;
}

TEST(CertificateTest, SizeIsBounded) {
  RawCertificate raw;
  raw.extensions = {ExtensionOf("1.2.3", std::string(60000, 'x'))};
  EXPECT_TRUE(Certificate::FromDer(raw.Build()).ok());
  raw.extensions = {ExtensionOf("1.2.3", std::string(65536, 'x'))};
  EXPECT_EQ(ReasonOf(Certificate::FromDer(raw.Build()).status()), Reason::kCertificateMalformed);
}

TEST(CertificateTest, ThousandsOfExtensionsAreReadInLittleTime) {
  RawCertificate raw;
  for (int i = 0; i < 5000; ++i)
    raw.extensions.push_back(ExtensionOf("1.2." + std::to_string(i), ""));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Read(raw).extensions().size(), 5000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(CertificateTest, ReadsVersionOneAndTwo) {
  RawCertificate raw;
  raw.version = "";
  EXPECT_EQ(Read(raw).version(), 1);
  raw.version = Bytes("\xa0\x03\x02\x01\x01");
  raw.unique_ids = Bytes("\x81\x02\x00\x01\x82\x02\x00\x01");
  EXPECT_EQ(Read(raw).version(), 2);
}

TEST(CertificateTest, ReadsWhatIsNotSupported) {
  RawCertificate raw;
  raw.algorithm = raw.outer_algorithm = Sequence({Oid("1.2.840.113549.1.1.4"), kNull});  // MD5
  raw.public_key = Sequence({Sequence({Oid("1.2.840.10040.4.1")}),                       // DSA
                             Tlv(der::kBitString, Bytes("\x00\x02\x01\x05"))});
  raw.issuer = raw.subject;
  const Certificate certificate = Read(raw);
  EXPECT_EQ(certificate.signature_algorithm(), SignatureAlgorithm::kOther);
  EXPECT_EQ(certificate.public_key().kind(), PublicKey::Kind::kOther);
  EXPECT_FALSE(certificate.IsSelfSigned());
}

TEST(CertificateTest, ReadsNamesAndTimesOfEveryKind) {
  RawCertificate raw;
  raw.subject = Sequence({});
  raw.serial = Bytes("\x02\x01\xff");
  raw.validity = Sequence(
      {Tlv(der::kUtcTime, "500101000000Z"), Tlv(der::kGeneralizedTime, "99991231235959Z")});
  const Certificate certificate = Read(raw);
  EXPECT_TRUE(certificate.subject().empty());
  EXPECT_EQ(certificate.serial_number().ToHex(), "-01");
  EXPECT_EQ(FormatTime(certificate.validity().not_before), "1950-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(certificate.validity().not_after), "9999-12-31T23:59:59Z");
}

TEST(CertificateTest, ReadsBasicConstraints) {
  const struct {
    std::string value;
    bool is_ca;
    std::optional<int> path_length;
  } kCases[] = {
      {Bytes("\x30\x00"), false, std::nullopt},
      {Bytes("\x30\x03\x01\x01\x00"), false, std::nullopt},  // as rcgen writes it
      {Bytes("\x30\x03\x01\x01\xff"), true, std::nullopt},
      {Bytes("\x30\x06\x01\x01\xff\x02\x01\x00"), true, 0},
      {Bytes("\x30\x09\x01\x01\xff\x02\x04\x7f\xff\xff\xff"), true, 2147483647},
  };
  for (const auto& test : kCases) {
    const Certificate certificate = Read(With(kBasicConstraints, test.value));
    ASSERT_TRUE(certificate.basic_constraints().has_value());
    EXPECT_EQ(certificate.basic_constraints()->is_ca, test.is_ca);
    EXPECT_EQ(certificate.is_ca(), test.is_ca);
    EXPECT_EQ(certificate.basic_constraints()->path_length, test.path_length);
  }
}

TEST(CertificateTest, OnlyASelfIssuedVersionOneCertificateIsACaWithoutSayingSo) {
  RawCertificate raw;
  raw.issuer = raw.subject;
  EXPECT_FALSE(Read(raw).is_ca());
  raw.version = "";
  EXPECT_TRUE(Read(raw).is_ca());
  raw.issuer = NameOf("issuer");
  EXPECT_FALSE(Read(raw).is_ca());
}

TEST(CertificateTest, ReadsKeyUsage) {
  const struct {
    std::string value;
    std::uint16_t usage;
  } kCases[] = {
      {Bytes("\x03\x02\x07\x80"), kDigitalSignature},
      {Bytes("\x03\x02\x05\xa0"), kDigitalSignature | kKeyEncipherment},
      {Bytes("\x03\x02\x01\x06"), kKeyCertSign | kCrlSign},
      {Bytes("\x03\x03\x07\x00\x80"), kDecipherOnly},
      {Bytes("\x03\x02\x00\xa0"), kDigitalSignature | kKeyEncipherment},  // trailing zero bits
      {Bytes("\x03\x03\x00\x80\x00"), kDigitalSignature},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Read(With(kKeyUsage, test.value)).key_usage(), test.usage);
  }
}

TEST(CertificateTest, ReadsAlternativeNamesOfEveryKind) {
  const std::string other = Tlv(0xa0, Oid("1.2.3") + Tlv(0xa0, Tlv(der::kUtf8String, "x")));
  const std::string registered = Tlv(0x88, "\x2a\x03");
  const Certificate certificate = Read(With({ExtensionOf(
      kSubjectAltName,
      Sequence({Tlv(0x82, "a.example"), Tlv(0x87, Bytes("\x7f\x00\x00\x01")),
                Tlv(0x86, "spiffe://example.org/a"), Tlv(0x81, "a@b"), Tlv(0xa4, NameOf("x")),
                other, registered, Tlv(0xa3, kNull), Tlv(0xa5, kNull)}),
      true)}));
  EXPECT_TRUE(certificate.alternative_names_critical());
  using Kind = AlternativeName::Kind;
  const std::vector<AlternativeName> expected = {
      {Kind::kDns, "a.example"},
      {Kind::kIp, Bytes("\x7f\x00\x00\x01")},
      {Kind::kUri, "spiffe://example.org/a"},
      {Kind::kEmail, "a@b"},
      {Kind::kDirectory, NameOf("x")},
      {Kind::kOther, other},
      {Kind::kOther, registered},
      {Kind::kOther, Tlv(0xa3, kNull)},
      {Kind::kOther, Tlv(0xa5, kNull)},
  };
  EXPECT_EQ(certificate.alternative_names(), expected);
}

TEST(CertificateTest, SpiffeIdIsTheOnlyUri) {
  const auto id = [](std::initializer_list<std::string> names) {
    return Read(With(kSubjectAltName, Sequence(names))).spiffe_id();
  };
  const std::string spiffe = Tlv(0x86, "spiffe://example.org/a");
  ASSERT_TRUE(id({Tlv(0x82, "a"), spiffe}).has_value());
  EXPECT_EQ(id({spiffe})->ToString(), "spiffe://example.org/a");
  EXPECT_EQ(id({spiffe, Tlv(0x86, "https://example.org")}), std::nullopt);
  EXPECT_EQ(id({spiffe, spiffe}), std::nullopt);
  EXPECT_EQ(id({Tlv(0x86, "https://example.org")}), std::nullopt);
  EXPECT_EQ(id({Tlv(0x86, "spiffe://Example.org/a")}), std::nullopt);
  EXPECT_EQ(id({Tlv(0x82, "a")}), std::nullopt);
}

TEST(CertificateTest, ReadsNameConstraints) {
  const std::string range = Bytes("\x0a\x00\x00\x00\xff\xff\xf0\x00");
  const Certificate certificate = Read(
      With(kNameConstraints,
           Sequence({Tlv(0xa0, Sequence({Tlv(0x82, ".example")}) + Sequence({Tlv(0x87, range)})),
                     Tlv(0xa1, Sequence({Tlv(0x82, "")}) + Sequence({Tlv(0xa4, NameOf("x"))}))})));
  ASSERT_TRUE(certificate.name_constraints().has_value());
  const NameConstraints& constraints = *certificate.name_constraints();
  ASSERT_EQ(constraints.permitted.size(), 2u);
  EXPECT_EQ(constraints.permitted[0].kind, AlternativeName::Kind::kDns);
  EXPECT_EQ(constraints.permitted[0].base, ".example");
  EXPECT_EQ(constraints.permitted[1].kind, AlternativeName::Kind::kIp);
  EXPECT_EQ(constraints.permitted[1].base, range);
  ASSERT_EQ(constraints.excluded.size(), 2u);
  EXPECT_EQ(constraints.excluded[0].base, "");
  EXPECT_EQ(constraints.excluded[1].kind, AlternativeName::Kind::kDirectory);
  EXPECT_EQ(constraints.excluded[1].base, NameOf("x"));
}

TEST(CertificateTest, ReadsIdentifiersUsagesAndAddresses) {
  const std::string uri = Tlv(0x86, "http://a/crl");
  const Certificate certificate = Read(With({
      ExtensionOf(kSubjectKeyId, Tlv(4, "subject key")),
      ExtensionOf(kAuthorityKeyId,
                  Sequence({Tlv(0x80, "issuer key"), Tlv(0xa1, Tlv(0xa4, NameOf("x"))),
                            Tlv(0x82, "\x01")})),
      ExtensionOf(kExtKeyUsage, Sequence({Oid(kServerAuthOid), Oid(kClientAuthOid)})),
      ExtensionOf(kCrlPoints, Sequence({Sequence({Tlv(0xa0, Tlv(0xa0, uri))}),
                                        Sequence({Tlv(0xa0, Tlv(0xa0, Tlv(0xa4, NameOf("x"))))})})),
      ExtensionOf(kInfoAccess,
                  Sequence({Sequence({Oid("1.3.6.1.5.5.7.48.1"), Tlv(0x86, "http://o")}),
                            Sequence({Oid("1.3.6.1.5.5.7.48.2"), Tlv(0x86, "http://i")}),
                            Sequence({Oid("1.2.3"), Tlv(0x86, "http://x")})})),
      ExtensionOf(kPolicies, Sequence({Sequence({Oid("2.23.140.1.2.1")})})),
      ExtensionOf("1.2.3.4", "opaque", true),
  }));
  EXPECT_EQ(certificate.subject_key_id(), "subject key");
  EXPECT_EQ(certificate.authority_key_id(), "issuer key");
  EXPECT_EQ(certificate.extended_key_usage(),
            (std::vector<std::string>{std::string(kServerAuthOid), std::string(kClientAuthOid)}));
  EXPECT_EQ(certificate.crl_distribution_points(), std::vector<std::string>{"http://a/crl"});
  EXPECT_EQ(certificate.authority_info_access(),
            (std::vector<std::string>{"ocsp http://o", "caIssuers http://i"}));
  ASSERT_EQ(certificate.extensions().size(), 7u);
  EXPECT_EQ(certificate.extensions()[6].oid, "1.2.3.4");
  EXPECT_EQ(certificate.extensions()[6].value, "opaque");
  EXPECT_TRUE(certificate.extensions()[6].critical);
  EXPECT_FALSE(certificate.extensions()[0].critical);
}

TEST(CertificateTest, DescriptionFitsOneLine) {
  const std::string text = Read({}).Describe();
  EXPECT_TRUE(text.starts_with("CN=subject (serial 1234, sha256 ")) << text;
  EXPECT_EQ(text.size(), std::string("CN=subject (serial 1234, sha256 )").size() + 16);
  RawCertificate raw = With(kSubjectAltName, Sequence({Tlv(0x82, "a.example")}));
  raw.subject = Sequence({});
  EXPECT_TRUE(Read(raw).Describe().starts_with("DNS:a.example ("));
}

TEST(CertificatePemTest, WritesWhatItReads) {
  const Certificate certificate = Read({});
  const absl::StatusOr<Certificate> again = Certificate::FromPem(certificate.ToPem());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, certificate);
}

TEST(CertificatePemTest, ListsEveryCertificateAndSkipsTheRest) {
  RawCertificate raw;
  const std::string first = raw.Build();
  raw.subject = NameOf("second");
  const std::string second = raw.Build();
  const std::string text = FormatPem("PRIVATE KEY", "not looked at") +
                           FormatPem("CERTIFICATE", first) + "a comment\n" +
                           FormatPem("X509 CERTIFICATE", second);
  const auto list = Certificate::ListFromPem(text);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].der(), first);
  EXPECT_EQ((*list)[1].der(), second);

  EXPECT_EQ(ReasonOf(Certificate::FromPem(text).status()), Reason::kFileWrongFormat);
  EXPECT_TRUE(Certificate::ListFromPem(text, 2).ok());
  EXPECT_EQ(ReasonOf(Certificate::ListFromPem(text, 1).status()), Reason::kFileTooLarge);
}

TEST(CertificatePemTest, SaysWhatTheTextHoldsInstead) {
  const std::string der = RawCertificate{}.Build();
  const struct {
    std::string text;
    Reason reason;
    std::string_view mention;
  } kCases[] = {
      {FormatPem("PRIVATE KEY", "x"), Reason::kCertificateMissing, "private key"},
      {FormatPem("ENCRYPTED PRIVATE KEY", "x"), Reason::kCertificateMissing, "private key"},
      {FormatPem("CERTIFICATE REQUEST", "x"), Reason::kCertificateMissing, "request"},
      {FormatPem("X509 CRL", "x"), Reason::kCertificateMissing, "revocation list"},
      {FormatPem("PKCS7", "x"), Reason::kCertificateMissing, "openssl pkcs7"},
      {FormatPem("TRUSTED CERTIFICATE", "x"), Reason::kCertificateMissing, "openssl x509"},
      {der, Reason::kFileWrongFormat, "openssl x509"},
      {"hello", Reason::kFileWrongFormat, "got other text"},
      {"\xff\xfe-\0", Reason::kFileWrongFormat, "UTF-16"},
      {FormatPem("CERTIFICATE", der.substr(0, 100)), Reason::kCertificateMalformed,
       "certificate 1"},
      {FormatPem("CERTIFICATE", der) + FormatPem("CERTIFICATE", der + "x"),
       Reason::kCertificateMalformed, "certificate 2"},
  };
  for (const auto& test : kCases) {
    const absl::Status status = Certificate::ListFromPem(test.text).status();
    EXPECT_EQ(ReasonOf(status), test.reason) << status;
    EXPECT_NE(ToStd(status.message()).find(test.mention), std::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace troth
