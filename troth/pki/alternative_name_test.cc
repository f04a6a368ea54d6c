#include <gtest/gtest.h>

#include <string>

#include "troth/base/reason.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;
using testing::Bytes;

TEST(AlternativeNameTest, KindFollowsFromWhatIsTyped) {
  const struct {
    std::string_view typed;
    Kind kind;
    std::string value;
    std::string_view text;
  } kCases[] = {
      {"localhost", Kind::kDns, "localhost", "DNS:localhost"},
      {"*.docker.internal", Kind::kDns, "*.docker.internal", "DNS:*.docker.internal"},
      {"a_b.example", Kind::kDns, "a_b.example", "DNS:a_b.example"},
      {"127.0.0.1", Kind::kIp, Bytes("\x7f\x00\x00\x01"), "IP:127.0.0.1"},
      {"::1", Kind::kIp, std::string(15, '\0') + '\x01', "IP:::1"},
      {"spiffe://example.org/a", Kind::kUri, "spiffe://example.org/a",
       "URI:spiffe://example.org/a"},
      {"https://example.org/?a=b", Kind::kUri, "https://example.org/?a=b",
       "URI:https://example.org/?a=b"},
      {"a@example.org", Kind::kEmail, "a@example.org", "email:a@example.org"},
      {"dns:example.org", Kind::kDns, "example.org", "DNS:example.org"},
      {"IP:10.0.0.1", Kind::kIp, Bytes("\x0a\x00\x00\x01"), "IP:10.0.0.1"},
      {"uri:urn:uuid:1", Kind::kUri, "urn:uuid:1", "URI:urn:uuid:1"},
      {"email:a+b@example.org", Kind::kEmail, "a+b@example.org", "email:a+b@example.org"},
  };
  for (const auto& test : kCases) {
    const absl::StatusOr<AlternativeName> name = AlternativeName::Parse(test.typed);
    ASSERT_TRUE(name.ok()) << test.typed << ": " << name.status();
    EXPECT_EQ(name->kind, test.kind) << test.typed;
    EXPECT_EQ(name->value, test.value) << test.typed;
    EXPECT_EQ(name->ToString(), test.text);
    // What is printed can be typed again.
    const absl::StatusOr<AlternativeName> again = AlternativeName::Parse(name->ToString());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, *name);
  }
}

TEST(AlternativeNameTest, RefusesWhatIsNoName) {
  const std::string long_label = std::string(64, 'a');
  using namespace std::string_view_literals;
  for (const std::string_view typed : {""sv,
                                       "*"sv,
                                       "a..b"sv,
                                       ".a"sv,
                                       "a."sv,
                                       "-a"sv,
                                       "a-"sv,
                                       "a b"sv,
                                       "a*.example.org"sv,
                                       "*.*.example.org"sv,
                                       "example.*.org"sv,
                                       "10.0.0.256"sv,
                                       "10.0.0"sv,
                                       "1:2:3"sv,
                                       "fe80::1%eth0"sv,
                                       "http://"sv,
                                       "http://a b"sv,
                                       "spiffe://Example.org/a"sv,
                                       "spiffe://example.org/"sv,
                                       "SPIFFE://example.org/a"sv,
                                       "a@"sv,
                                       "@b"sv,
                                       "a@b@c"sv,
                                       "a b@c"sv,
                                       "dns:"sv,
                                       "dns:10.0.0.1"sv,
                                       "ip:localhost"sv,
                                       "uri:localhost"sv,
                                       "email:localhost"sv,
                                       "b\xc3\xbc.example"sv,
                                       "a\0.example"sv,
                                       "10.0.0.1\0"sv,
                                       std::string_view(long_label)}) {
    EXPECT_EQ(ReasonOf(AlternativeName::Parse(typed).status()), Reason::kRequestMalformed) << typed;
  }
}

TEST(AlternativeNameTest, PrintsWhatItCannotParse) {
  const absl::StatusOr<DistinguishedName> name = DistinguishedName::FromSlashes("/CN=a");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ((AlternativeName{Kind::kDirectory, name->der()}.ToString()), "directory:CN=a");
  EXPECT_EQ((AlternativeName{Kind::kOther, "\x88\x01\x2a"}.ToString()), "other:88012a");
  EXPECT_EQ((AlternativeName{Kind::kDns, "a\nb"}.ToString()), "DNS:a\\x0ab");
}

TEST(DnsNameTest, LabelsAndLengths) {
  EXPECT_TRUE(IsDnsName("a", false));
  EXPECT_TRUE(IsDnsName("xn--bcher-kva.example", false));
  EXPECT_TRUE(IsDnsName(std::string(63, 'a'), false));
  EXPECT_FALSE(IsDnsName(std::string(64, 'a'), false));
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  EXPECT_TRUE(IsDnsName(longest + "a", false));    // 253
  EXPECT_FALSE(IsDnsName(longest + "aa", false));  // 254
  EXPECT_FALSE(IsDnsName("", false));
  EXPECT_FALSE(IsDnsName("a.", false));
  EXPECT_FALSE(IsDnsName("*.a", false));
  EXPECT_TRUE(IsDnsName("*.a", true));
  EXPECT_FALSE(IsDnsName("*", true));
  EXPECT_FALSE(IsDnsName("*.", true));
}

TEST(DnsNameTest, WildcardStandsForExactlyOneLabel) {
  const struct {
    std::string_view pattern, name;
    bool matches;
  } kCases[] = {
      {"example.org", "example.org", true},
      {"Example.ORG", "exAMPLE.org", true},
      {"example.org", "example.com", false},
      {"example.org", "a.example.org", false},
      {"*.example.org", "a.example.org", true},
      {"*.example.org", "A.EXAMPLE.org", true},
      {"*.example.org", "example.org", false},
      {"*.localhost", "localhost", false},
      {"*.example.org", ".example.org", false},
      {"*.example.org", "a.b.example.org", false},
      {"*.example.org", "aexample.org", false},
      {"*.example.org", "*.example.org", false},
      {"a*.example.org", "ab.example.org", false},
      {"a.*.org", "a.b.org", false},
      {"*", "localhost", false},
      {"", "", false},
      {"example.org", "example.org.", false},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(DnsNameMatches(test.pattern, test.name), test.matches)
        << test.pattern << " against " << test.name;
  }
}

TEST(IpAddressTest, TextAndBytes) {
  for (const std::string_view text : {"0.0.0.0", "255.255.255.255", "2001:db8::1", "::"}) {
    const std::optional<std::string> bytes = ParseIpAddress(text);
    ASSERT_TRUE(bytes.has_value()) << text;
    EXPECT_EQ(FormatIpAddress(*bytes), text);
  }
  EXPECT_EQ(ParseIpAddress("::ffff:10.0.0.1")->size(), 16u);
  for (const std::string_view text :
       {"", "1", "1.2.3", "01.2.3.4", "1.2.3.4 ", "[::1]", "::1/64"}) {
    EXPECT_FALSE(ParseIpAddress(text).has_value()) << text;
  }
  EXPECT_EQ(FormatIpAddress("abc"), "616263");
}

}  // namespace
}  // namespace troth
