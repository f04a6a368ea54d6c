#include "troth/ca/name_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::Value;
using Kind = AlternativeName::Kind;

AlternativeName Name(std::string_view text) { return Value(AlternativeName::Parse(text)); }

TEST(DnsRuleTest, AllowsWhatItStandsForAndNoMore) {
  const struct {
    const char* pattern;
    const char* name;
    bool allowed;
  } kCases[] = {
      {"db.internal", "db.internal", true},
      {"db.internal", "DB.Internal", true},
      {"DB.internal", "db.internal", true},
      {"db.internal", "xdb.internal", false},
      {"db.internal", "a.db.internal", false},
      {"db.internal", "db.internal.evil.example", false},
      {"*.web.internal", "a.web.internal", true},
      {"*.web.internal", "web.internal", false},
      {"*.web.internal", "a.b.web.internal", false},
      {"*.web.internal", "xweb.internal", false},
      {"**.internal", "a.internal", true},
      {"**.internal", "a.b.c.internal", true},
      {"**.internal", "internal", false},
      {"**.internal", "xinternal", false},
      {"**.internal", "internal.example", false},
      {"node-*.internal", "node-17.internal", true},
      {"node-*.internal", "node-1.7.internal", false},
      {"node-*.internal", "nod.internal", false},
      {"*.*.internal", "a.b.internal", true},
      {"*.*.internal", "b.internal", false},
      {"*", "db", true},
      {"*", "db.internal", false},
      {"**", "db.internal", true},
      // A wildcard is allowed by what allows all that it stands for.
      {"*.web.internal", "*.web.internal", true},
      {"**.internal", "*.web.internal", true},
      {"**.internal", "*.internal", true},
      {"**", "*.internal", true},
      {"db.internal", "*.internal", false},
      {"node-*.internal", "*.internal", false},
      {"*.internal", "*.web.internal", false},
      {"*.*.internal", "*.web.internal", true},
      {"*.web-*.internal", "*.web-1.internal", true},
  };
  for (const auto& test : kCases) {
    ASSERT_TRUE(CheckPatterns({.dns = {test.pattern}}).ok()) << test.pattern;
    EXPECT_EQ(IsAllowed(Name(test.name), {.dns = {test.pattern}}), test.allowed)
        << test.pattern << " " << test.name;
  }
}

TEST(SpiffeRuleTest, AllowsSegmentsOfItsTrustDomain) {
  const struct {
    const char* pattern;
    const char* name;
    bool allowed;
  } kCases[] = {
      {"spiffe://example.org/db", "spiffe://example.org/db", true},
      {"spiffe://example.org/db", "spiffe://example.org/DB", false},
      {"spiffe://example.org/db/*", "spiffe://example.org/db/1", true},
      {"spiffe://example.org/db/*", "spiffe://example.org/db", false},
      {"spiffe://example.org/db/*", "spiffe://example.org/db/1/2", false},
      {"spiffe://example.org/db-*/x", "spiffe://example.org/db-7/x", true},
      {"spiffe://example.org/**", "spiffe://example.org/a/b", true},
      {"spiffe://example.org/**", "spiffe://example.org.evil/a", false},
      {"spiffe://example.org/a/**", "spiffe://example.org/a", false},
      {"spiffe://example.org/a/**", "spiffe://example.org/ab/c", false},
  };
  for (const auto& test : kCases) {
    ASSERT_TRUE(CheckPatterns({.spiffe = {test.pattern}}).ok()) << test.pattern;
    EXPECT_EQ(IsAllowed(Name(test.name), {.spiffe = {test.pattern}}), test.allowed)
        << test.pattern << " " << test.name;
  }
}

TEST(AddressRuleTest, AllowsNetworksOfBothKinds) {
  const AllowedNames allowed{.ip = {"10.0.0.0/8", "2001:db8::/32", "::1"}};
  ASSERT_TRUE(CheckPatterns(allowed).ok());
  for (const char* name : {"10.1.2.3", "2001:db8::7", "::1"}) {
    EXPECT_TRUE(IsAllowed(Name(name), allowed)) << name;
  }
  for (const char* name : {"11.0.0.1", "2001:db9::1", "::2"}) {
    EXPECT_FALSE(IsAllowed(Name(name), allowed)) << name;
  }
}

TEST(EmailRuleTest, ComparesTheDomainWithoutCase) {
  const AllowedNames allowed{.email = {"*@example.org"}};
  ASSERT_TRUE(CheckPatterns(allowed).ok());
  EXPECT_TRUE(IsAllowed(Name("a@Example.ORG"), allowed));
  EXPECT_FALSE(IsAllowed(Name("a@x.example.org"), allowed));
  EXPECT_FALSE(IsAllowed(Name("a@example.com"), allowed));
}

TEST(NameRulesTest, AKindWithoutEntriesIsNotAllowed) {
  const AllowedNames dns_only{.dns = {"**"}};
  for (const char* name : {"10.0.0.1", "spiffe://example.org/a", "a@example.org", "https://a/b"}) {
    EXPECT_FALSE(IsAllowed(Name(name), dns_only)) << name;
    EXPECT_TRUE(IsAllowed(Name(name), {.any = true})) << name;
  }
  const AllowedNames others{.ip = {"0.0.0.0/0", "::/0"},
                            .spiffe = {"spiffe://example.org/**"},
                            .email = {"*@example.org"}};
  EXPECT_FALSE(IsAllowed(Name("db.internal"), others));
}

TEST(NameRulesTest, DirectoryAndOtherNamesAreNeverAllowed) {
  for (const Kind kind : {Kind::kDirectory, Kind::kOther}) {
    const AlternativeName name{kind, "0"};
    EXPECT_FALSE(IsAllowed(name, {.any = true}));
    EXPECT_EQ(ReasonOf(CheckWellFormed(name)), Reason::kRequestMalformed);
  }
}

TEST(NameRulesTest, PatternsThatAreNoneAreRefused) {
  const AllowedNames wrong[] = {
      {.dns = {""}},
      {.dns = {"*."}},
      {.dns = {"db.*"}},
      {.dns = {"a.**"}},
      {.dns = {"a.**.internal"}},
      {.dns = {"x**.internal"}},
      {.dns = {"***.internal"}},
      {.dns = {"**."}},
      {.dns = {"db.internal."}},
      {.dns = {"d b.internal"}},
      {.dns = {"10.0.0.1"}},
      {.dns = {"10.0.0.0/8"}},
      {.dns = {std::string("db\0.internal", 12)}},
      {.dns = {std::string(2000, 'a')}},
      {.ip = {"10.0.0.*"}},
      {.ip = {"10.0.0.1/8"}},
      {.ip = {"db.internal"}},
      {.spiffe = {"db"}},
      {.spiffe = {"spiffe://*/db"}},
      {.spiffe = {"spiffe://example.org"}},
      {.spiffe = {"spiffe://example.org/**/db"}},
      {.spiffe = {"spiffe://example.org/d**"}},
      {.spiffe = {"https://example.org/db"}},
      {.email = {"example.org"}},
      {.email = {"a@*"}},
      {.email = {"@example.org"}},
      {.common_name = std::string(2000, 'a')},
      {.dns = {"db.internal", "*.*"}},
  };
  for (const AllowedNames& allowed : wrong) {
    EXPECT_EQ(ReasonOf(CheckPatterns(allowed)), Reason::kConfigurationInvalid) << Describe(allowed);
  }
}

TEST(NameRulesTest, NamesThatNoCertificateMayHoldAreRefused) {
  const AlternativeName wrong[] = {
      {Kind::kDns, ""},
      {Kind::kDns, "db.internal."},
      {Kind::kDns, "."},
      {Kind::kDns, "db..internal"},
      {Kind::kDns, std::string("db.internal\0.evil.example", 25)},
      {Kind::kDns, "d\xc3\xb6.internal"},
      {Kind::kDns, "ab--cd.internal"},
      {Kind::kDns, "db.in--ternal"},
      {Kind::kDns, "-db.internal"},
      {Kind::kDns, "*"},
      {Kind::kDns, "*.*.internal"},
      {Kind::kDns, "db.*.internal"},
      {Kind::kDns, "d*.internal"},
      {Kind::kDns, "**.internal"},
      {Kind::kDns, "10.0.0.1"},
      {Kind::kDns, "a b"},
      {Kind::kDns, "http://db"},
      {Kind::kDns, std::string(64, 'a').append(".internal")},
      {Kind::kIp, "abc"},
      {Kind::kIp, std::string(10, '\0') + "\xff\xff\x0a" + std::string("\0\0\1", 3)},
      {Kind::kUri, "spiffe://example.org"},
      {Kind::kUri, "SPIFFE://example.org/troth/admin/x"},
      {Kind::kUri, "spiffe://example.org/a/../troth"},
      {Kind::kUri, "spiffe://Example.org/a"},
      {Kind::kUri, "nothing"},
      {Kind::kUri, "https://a b"},
      {Kind::kEmail, "a"},
      {Kind::kEmail, "a@b@c"},
      {Kind::kEmail, "a b@example.org"},
  };
  for (const AlternativeName& name : wrong) {
    EXPECT_EQ(ReasonOf(CheckWellFormed(name)), Reason::kRequestMalformed) << name.ToString();
  }
  for (const char* name :
       {"db.internal", "*.internal", "my_service", "xn--bcher-kva.example", "a--b", "10.0.0.1",
        "::1", "spiffe://example.org/a", "https://a/b", "a@b.c"}) {
    EXPECT_TRUE(CheckWellFormed(Name(name)).ok()) << name;
  }
}

TEST(CommonNameTest, IsVisibleText) {
  for (const char* text :
       {"db", "Robot 7", "*.web.internal", "*.WEB.internal", "2001:DB8::1", "Acme Inc.",
        "Gr\xc3\xb6\xc3\x9f"
        "e \xe2\x82\xac",
        "00:11:22:33:44:55", "\xf0\x9f\x98\x80", "a\"b"}) {
    EXPECT_TRUE(CheckCommonName(text).ok()) << text;
  }
  EXPECT_TRUE(CheckCommonName(std::string(64, 'a')).ok());
  std::string umlauts;
  for (int i = 0; i < 64; ++i) umlauts += "\xc3\xb6";
  EXPECT_TRUE(CheckCommonName(umlauts).ok());
  const std::string wrong[] = {"", " db", "db ", "db.internal.", "db.internal..", "10.0.0.1.",
                               // Wildcards that OpenSSL takes and a certificate may not hold.
                               "c*.example.org", "*a.example.org", "c*a.example.org",
                               "*.*.example.org", "ca.*.org", "ca.example.*", "*", "**.example.org",
                               "*.example.org.", "Robot *", "::ffff:192.0.2.1", "::FFFF:192.0.2.1",
                               "d\nb", "d\tb", std::string("db\0evil", 7),
                               "d\x7f"
                               "b",
                               "d\xc2\x85"
                               "b",  // C1 control
                               "d\xe2\x80\x8b"
                               "b",  // zero width space
                               "d\xe2\x80\xae"
                               "b",  // right-to-left override
                               "d\xef\xbb\xbf"
                               "b",  // byte order mark
                               "d\xf3\xa0\x80\x81"
                               "b",  // tag
                               "d\xff"
                               "b",
                               "d\xc0\xaf"
                               "b",  // overlong
                               "d\xed\xa0\x80"
                               "b",  // surrogate
                               "d\xf4\x90\x80\x80"
                               "b",  // beyond Unicode
                               "d\xc3", std::string(65, 'a'), umlauts + "x"};
  for (const std::string& text : wrong) {
    EXPECT_EQ(ReasonOf(CheckCommonName(text)), Reason::kRequestMalformed) << text;
  }
}

TEST(CommonNameTest, IsAllowedByItsPatternOrAsAName) {
  const struct {
    AllowedNames allowed;
    const char* text;
    bool result;
  } kCases[] = {
      {{.any = true}, "Robot 7", true},
      {{.common_name = "Robot *"}, "Robot 7", true},
      {{.common_name = "Robot *"}, "robot 7", false},
      {{.common_name = "uuid"}, "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d", true},
      {{.common_name = "uuid"}, "2C5EA4C0-4067-11E9-8BAD-9B1DEB4D3B7D", true},
      {{.common_name = "uuid"}, "uuid", false},
      {{.common_name = "uuid"}, "2c5ea4c0406711e98bad9b1deb4d3b7d", false},
      {{.common_name = "uuid"}, "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7g", false},
      {{.common_name = "uuid"}, "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d0", false},
      {{.common_name = "uuid"}, "2c5ea4c0-4067-11e9-8bad_9b1deb4d3b7d", false},
      {{.dns = {"*.internal"}}, "db.internal", true},
      {{.dns = {"*.internal"}}, "DB.INTERNAL", true},
      {{.dns = {"*.internal"}}, "db.example", false},
      {{.dns = {"*.internal"}}, "dns:db.internal", false},
      {{.dns = {"**"}}, "Robot 7", false},
      {{.ip = {"10.0.0.0/8"}}, "10.0.0.1", true},
      {{.ip = {"10.0.0.0/8"}}, "db.internal", false},
      {{.spiffe = {"spiffe://a/**"}}, "spiffe://a/b", false},
      // A pattern of the common name is the whole rule for it.
      {{.dns = {"*.internal"}, .common_name = "Robot *"}, "db.internal", false},
      {{}, "db", false},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(IsAllowedCommonName(test.text, test.allowed), test.result)
        << Describe(test.allowed) << " / " << test.text;
  }
}

ReservedNames ExampleReserved() {
  return {.names = {Name("ca.example.org"), Name("192.0.2.1"), Name("2001:db8::1"),
                    Name("localhost"), Name("127.0.0.1"), Name("::1")},
          .trust_domain = "example.org",
          .common_names = {"Troth Root CA example.org"}};
}

TEST(ReservedNamesTest, AreTheAuthoritysOwnHoweverTheyAreWritten) {
  const ReservedNames reserved = ExampleReserved();
  const struct {
    const char* name;
    bool reserved;
  } kCases[] = {
      {"ca.example.org", true},
      {"CA.Example.Org", true},
      {"*.example.org", true},
      {"*.EXAMPLE.org", true},
      {"*.org", false},
      {"x.ca.example.org", false},
      {"*.ca.example.org", false},
      {"example.org", false},
      {"192.0.2.1", true},
      {"192.0.2.2", false},
      {"2001:db8:0::1", true},
      {"2001:db8::2", false},
      {"spiffe://example.org/troth", true},
      {"spiffe://example.org/troth/authority", true},
      {"spiffe://example.org/troth/admin/a", true},
      {"spiffe://example.org/trothy", false},
      {"spiffe://example.org/a/troth", false},
      {"spiffe://example.com/troth/a", false},
      {"https://example.org/troth/", false},
      // Every machine's own.
      {"localhost", false},
      {"127.0.0.1", false},
      {"::1", false},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(IsReserved(Name(test.name), reserved), test.reserved) << test.name;
    EXPECT_FALSE(IsReserved(Name(test.name), {})) << test.name;
    // What stands in a common name is taken for a host name by old clients.
    EXPECT_EQ(IsReservedCommonName(test.name, reserved), test.reserved) << test.name;
  }
  for (const char* name : {"ca.example.org.", "ca.example.org..", "troth root ca EXAMPLE.org",
                           "Troth  Root   CA example.org", " Troth Root\tCA example.org"}) {
    EXPECT_TRUE(IsReservedCommonName(name, reserved)) << name;
  }
  EXPECT_FALSE(IsReservedCommonName("Robot 7", reserved));
}

TEST(ReservedNamesTest, AWildcardOfTheAuthorityCoversNamesBelowIt) {
  const ReservedNames reserved{.names = {Name("*.ca.example.org")}};
  EXPECT_TRUE(IsReserved(Name("a.ca.example.org"), reserved));
  EXPECT_TRUE(IsReserved(Name("*.ca.example.org"), reserved));
  EXPECT_FALSE(IsReserved(Name("ca.example.org"), reserved));
}

TEST(ReservedNamesTest, AdminNamesLieInTheirOwnFolder) {
  const ReservedNames reserved = ExampleReserved();
  EXPECT_TRUE(IsAdminName(Name("spiffe://example.org/troth/admin/alice"), reserved));
  EXPECT_FALSE(IsAdminName(Name("spiffe://example.org/troth/admin"), reserved));
  EXPECT_FALSE(IsAdminName(Name("spiffe://example.org/troth/authority"), reserved));
  EXPECT_FALSE(IsAdminName(Name("spiffe://example.com/troth/admin/alice"), reserved));
  EXPECT_FALSE(IsAdminName(Name("spiffe://example.org/troth/admin/alice"), {}));
}

TEST(CommonNameTest, IsADnsNameOrAnAddressWhenItCanBeOne) {
  EXPECT_EQ(NameOfCommonName("DB.Internal"), Name("db.internal"));
  EXPECT_EQ(NameOfCommonName("*.internal"), Name("*.internal"));
  EXPECT_EQ(NameOfCommonName("10.0.0.1"), Name("10.0.0.1"));
  EXPECT_EQ(NameOfCommonName("2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d"),
            Name("2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d"));
  for (const char* text : {"", "Robot 7", "00:11:22:33:44:55", "spiffe://a/b", "a@b.c",
                           "db.internal.", "dns:db", "10.0.0.256", "ab--c"}) {
    EXPECT_EQ(NameOfCommonName(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace troth
