#include "troth/pki/name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/pki/der.h"
#include "troth/pki/der_testing.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::Oid;
using testing::Sequence;
using testing::Set;
using testing::Tlv;

std::string Attribute(std::string_view oid, int tag, std::string_view value) {
  return Sequence({Oid(oid), Tlv(tag, value)});
}

constexpr std::string_view kCommonName = "2.5.4.3";
constexpr std::string_view kOrganization = "2.5.4.10";

DistinguishedName Parsed(std::string_view slashes) {
  absl::StatusOr<DistinguishedName> name = DistinguishedName::FromSlashes(slashes);
  EXPECT_TRUE(name.ok()) << slashes << ": " << name.status();
  return name.ok() ? *name : DistinguishedName();
}

DistinguishedName Read(const std::string& der) {
  absl::StatusOr<DistinguishedName> name = DistinguishedName::FromDer(der);
  EXPECT_TRUE(name.ok()) << name.status();
  return name.ok() ? *name : DistinguishedName();
}

TEST(DistinguishedNameTest, ReadsEveryStringTypeAsUtf8) {
  const struct {
    int tag;
    std::string content;
    std::string expected;
  } kCases[] = {
      {der::kPrintableString, "Plain (1)", "Plain (1)"},
      {der::kPrintableString, "*.example_1 & a@b", "*.example_1 & a@b"},
      {der::kUtf8String, "Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f"},
      {der::kTeletexString, "Gr\xfc\xdf", "Gr\xc3\xbc\xc3\x9f"},
      {der::kIa5String, "a@b", "a@b"},
      {der::kBmpString, Bytes("\x00G\x20\xac"), "G\xe2\x82\xac"},
      {der::kUniversalString, Bytes("\x00\x00\x00G\x00\x01\xf6\x00"), "G\xf0\x9f\x98\x80"},
      {0x12, "12 34", "12 34"},
  };
  for (const auto& test : kCases) {
    const DistinguishedName name =
        Read(Sequence({Set({Attribute(kCommonName, test.tag, test.content)})}));
    EXPECT_EQ(name.common_name(), test.expected) << test.tag;
  }
}

TEST(DistinguishedNameTest, RefusesWhatIsNotAName) {
  const auto with_value = [](int tag, const std::string& value) {
    return Sequence({Set({Attribute(kCommonName, tag, value)})});
  };
  const struct {
    std::string_view what;
    std::string der;
  } kCases[] = {
      {"nothing", ""},
      {"a SET in the place of the SEQUENCE", Set({Set({Attribute(kCommonName, 12, "x")})})},
      {"something after it", Sequence({}) + Bytes("\x05\x00")},
      {"an empty RDN", Sequence({Set({})})},
      {"an attribute without value", Sequence({Set({Sequence({Oid(kCommonName)})})})},
      {"an attribute with two values",
       Sequence({Set({Sequence({Oid(kCommonName), Tlv(12, "a"), Tlv(12, "b")})})})},
      {"an attribute without type", Sequence({Set({Sequence({Tlv(12, "a"), Tlv(12, "b")})})})},
      {"broken UTF-8", with_value(der::kUtf8String, "\xc3")},
      {"overlong UTF-8", with_value(der::kUtf8String, "\xc0\xaf")},
      {"overlong UTF-8 of three bytes", with_value(der::kUtf8String, "\xe0\x80\xaf")},
      {"a surrogate in UTF-8", with_value(der::kUtf8String, "\xed\xa0\x80")},
      {"UTF-8 above U+10FFFF", with_value(der::kUtf8String, "\xf4\x90\x80\x80")},
      {"a NUL in UTF-8", with_value(der::kUtf8String, Bytes("good\x00.evil"))},
      {"a NUL in Latin-1", with_value(der::kTeletexString, Bytes("good\x00.evil"))},
      {"a NUL in UCS-2", with_value(der::kBmpString, Bytes("\x00g\x00\x00"))},
      {"half a UCS-2 character", with_value(der::kBmpString, Bytes("\x00g\x00"))},
      {"a surrogate in UCS-2", with_value(der::kBmpString, "\xd8\x3d\xde\x42")},
      {"half a UCS-4 character", with_value(der::kUniversalString, Bytes("\x00\x00\x00"))},
      {"UCS-4 above U+10FFFF", with_value(der::kUniversalString, Bytes("\x00\x11\x00\x00"))},
      {"a semicolon in PrintableString", with_value(der::kPrintableString, "a;b")},
      {"Latin-1 in IA5String", with_value(der::kIa5String, "\xfc")},
      {"a letter in NumericString", with_value(0x12, "1a")},
      {"a VisibleString, which OpenSSL does not read", with_value(0x1a, "ab")},
      {"a value of no string type", with_value(der::kOctetString, "x")},
      {"a value of no universal type", with_value(0x8c, "x")},
  };
  for (const auto& test : kCases) {
    const auto name = DistinguishedName::FromDer(test.der);
    EXPECT_EQ(ReasonOf(name.status()), Reason::kCertificateMalformed) << test.what;
  }
}

TEST(DistinguishedNameTest, KeepsItsDerAndAttributesInOrder) {
  const std::string der = Sequence({Set({Attribute("2.5.4.6", der::kPrintableString, "US")}),
                                    Set({Attribute(kOrganization, der::kTeletexString, "Acme")}),
                                    Set({Attribute("1.2.3.4", der::kUtf8String, "odd")})});
  const DistinguishedName name = Read(der);
  EXPECT_EQ(name.der(), der);
  const std::vector<NameAttribute> expected = {
      {"C", "2.5.4.6", "US"}, {"O", "2.5.4.10", "Acme"}, {"1.2.3.4", "1.2.3.4", "odd"}};
  EXPECT_EQ(name.attributes(), expected);
}

TEST(DistinguishedNameTest, WritesWhatOpensslWrites) {
  EXPECT_EQ(Parsed("/C=US/CN=localhost").der(),
            Sequence({Set({Attribute("2.5.4.6", der::kPrintableString, "US")}),
                      Set({Attribute(kCommonName, der::kUtf8String, "localhost")})}));
  EXPECT_EQ(Parsed("/emailAddress=a@b/DC=org").der(),
            Sequence({Set({Attribute("1.2.840.113549.1.9.1", der::kIa5String, "a@b")}),
                      Set({Attribute("0.9.2342.19200300.100.1.25", der::kIa5String, "org")})}));
}

TEST(DistinguishedNameTest, EmptyNameIsAnEmptySequence) {
  EXPECT_EQ(DistinguishedName().der(), Bytes("\x30\x00"));
  EXPECT_TRUE(DistinguishedName().empty());
  EXPECT_EQ(Parsed("/"), DistinguishedName());
  EXPECT_EQ(DistinguishedName().ToString(), "");
  EXPECT_EQ(DistinguishedName().common_name(), std::nullopt);
}

TEST(DistinguishedNameTest, SlashFormTakesEscapesKeysOfEitherCaseAndOids) {
  const DistinguishedName name = Parsed(R"(/o=A\/B \= C\+D\\E/2.5.4.3=one=two/1.2.3=x)");
  EXPECT_EQ(name.ValuesOf("O"), std::vector<std::string>{R"(A/B = C+D\E)"});
  EXPECT_EQ(name.common_name(), "one=two");
  EXPECT_EQ(name.ValuesOf("1.2.3"), std::vector<std::string>{"x"});
}

TEST(DistinguishedNameTest, RefusesToWriteABadName) {
  const std::string long_name(65, 'n');
  const struct {
    std::string_view what;
    std::string slashes;
  } kCases[] = {
      {"empty", ""},
      {"no slash", "CN=x"},
      {"no equals sign", "/CN"},
      {"no equals sign in the first", "/CN/O=x"},
      {"slash at the end", "/CN=x/"},
      {"backslash at the end", "/CN=x\\"},
      {"an unescaped plus", "/CN=a+O=b"},
      {"unknown key", "/XYZ=a"},
      {"a bad OID", "/1.2.=a"},
      {"an empty key", "/=a"},
      {"an empty value", "/CN="},
      {"a CN of 65 characters", "/CN=" + long_name},
      {"a CN of 65 characters by its OID", "/2.5.4.3=" + long_name},
      {"an O of 65 characters", "/O=" + long_name},
      {"a country of three letters", "/C=USA"},
      {"a country of one letter", "/C=U"},
      {"a country of digits", "/C=12"},
      {"a control character", "/CN=a\nb"},
      {"a NUL", Bytes("/CN=a\x00")},
      {"no UTF-8", "/CN=\xff"},
      {"an umlaut in an email address", "/emailAddress=\xc3\xbc@b"},
      {"an underscore in a PrintableString", "/serialNumber=a_b"},
  };
  for (const auto& test : kCases) {
    const auto name = DistinguishedName::FromSlashes(test.slashes);
    EXPECT_EQ(ReasonOf(name.status()), Reason::kRequestMalformed) << test.what;
  }
  EXPECT_TRUE(DistinguishedName::FromCommonName(std::string(64, 'n')).ok());
}

TEST(DistinguishedNameTest, LengthsCountCharactersNotBytes) {
  std::string umlauts;
  for (int i = 0; i < 64; ++i) umlauts += "\xc3\xbc";
  EXPECT_TRUE(DistinguishedName::FromCommonName(umlauts).ok());
  EXPECT_FALSE(DistinguishedName::FromCommonName(umlauts + "x").ok());
}

TEST(DistinguishedNameTest, CommonNameIsTheLast) {
  const DistinguishedName name = Parsed("/CN=first/O=o/CN=second");
  EXPECT_EQ(name.common_name(), "second");
  EXPECT_EQ(name.ValuesOf("CN"), (std::vector<std::string>{"first", "second"}));
}

TEST(DistinguishedNameTest, TextIsSafeToPrint) {
  EXPECT_EQ(Parsed("/C=US/O=Clementine/CN=localhost").ToString(),
            "C=US, O=Clementine, CN=localhost");
  EXPECT_EQ(Parsed(R"(/O=Acme, Inc.\+/CN= "a" <b>;)").ToString(),
            R"(O=Acme\, Inc.\+, CN=\ \"a\" \<b\>\;)");
  EXPECT_EQ(Parsed("/CN=#1 ").ToString(), "CN=\\#1\\ ");
  const auto printed = [](std::string_view value) {
    return Read(Sequence({Set({Attribute(kCommonName, der::kUtf8String, value)})})).ToString();
  };
  EXPECT_EQ(printed("a\nb\x7f\x1b[31m"), "CN=a\\0Ab\\7F\\1B[31m");
  EXPECT_EQ(printed("\xc2\x9b"), "CN=\\C2\\9B");                  // C1: CSI
  EXPECT_EQ(printed("a\xe2\x80\xaetxt"), "CN=a\\E2\\80\\AEtxt");  // right-to-left override
  EXPECT_EQ(printed("Gr\xc3\xbc\xc3\x9f"), "CN=Gr\xc3\xbc\xc3\x9f");
}

TEST(DistinguishedNameTest, BitStringValueIsShownInHexadecimal) {
  const DistinguishedName name =
      Read(Sequence({Set({Attribute("2.5.4.45", der::kBitString, Bytes("\x00\xab"))})}));
  EXPECT_EQ(name.ToString(), "2.5.4.45=#030200ab");
  const DistinguishedName text =
      Read(Sequence({Set({Attribute("2.5.4.45", der::kUtf8String, "#030200ab")})}));
  EXPECT_EQ(text.ToString(), "2.5.4.45=\\#030200ab");
  EXPECT_FALSE(name.Matches(text));
}

TEST(DistinguishedNameTest, MatchingIgnoresCaseWhiteSpaceAndStringType) {
  const DistinguishedName name = Parsed("/O=Acme Corporation/CN=Root");
  const DistinguishedName other =
      Read(Sequence({Set({Attribute(kOrganization, der::kIa5String, "  ACME \t corporation ")}),
                     Set({Attribute(kCommonName, der::kTeletexString, "root")})}));
  EXPECT_TRUE(name.Matches(other));
  EXPECT_TRUE(other.Matches(name));
  EXPECT_FALSE(name == other);
}

TEST(DistinguishedNameTest, MatchingTellsNamesApart) {
  const DistinguishedName name = Parsed("/O=Acme/CN=Root");
  for (const std::string_view other :
       {"/O=Acme", "/CN=Root/O=Acme", "/O=Acme/CN=Root/CN=Root", "/O=Acme/OU=Root",
        "/O=Ac me/CN=Root", "/O=Acme/CN=R\xc3\xb6ot", "/O=Acme/CN=Root2", "/"}) {
    EXPECT_FALSE(name.Matches(Parsed(other))) << other;
  }
  // Other letters than ASCII compare exactly.
  EXPECT_FALSE(Parsed("/CN=\xc3\xbc").Matches(Parsed("/CN=\xc3\x9c")));
}

TEST(DistinguishedNameTest, AttributesOfOneRdnAreASet) {
  const std::string a = Attribute(kCommonName, der::kUtf8String, "a");
  const std::string b = Attribute(kOrganization, der::kUtf8String, "b");
  const DistinguishedName ab = Read(Sequence({Set({a, b})}));
  const DistinguishedName ba = Read(Sequence({Set({b, a})}));
  const DistinguishedName separate = Read(Sequence({Set({a}), Set({b})}));
  EXPECT_TRUE(ab.Matches(ba));
  EXPECT_FALSE(ab.Matches(separate));
  EXPECT_FALSE(ab.IsWithin(Read(Sequence({Set({a})}))));
  EXPECT_EQ(ab.ToString(), "CN=a+O=b");
  EXPECT_EQ(separate.ToString(), "CN=a, O=b");
}

TEST(DistinguishedNameTest, IsWithinItsLeadingRdns) {
  const DistinguishedName name = Parsed("/C=US/O=Acme/CN=x");
  for (const std::string_view prefix : {"/", "/C=us", "/C=US/O=ACME", "/C=US/O=Acme/CN=x"}) {
    EXPECT_TRUE(name.IsWithin(Parsed(prefix))) << prefix;
  }
  for (const std::string_view other :
       {"/O=Acme", "/C=US/O=Ac", "/C=US/O=Acme/CN=x/CN=y", "/C=US/CN=x"}) {
    EXPECT_FALSE(name.IsWithin(Parsed(other))) << other;
  }
}

}  // namespace
}  // namespace troth
