#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/pki/name_constraints_internal.h"
#include "troth/pki/path_testing.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::CodeFor;
using testing::Leaf;
using testing::Make;
using testing::Sequence;
using testing::Tlv;
using testing::Wanted;
using Kind = AlternativeName::Kind;

constexpr auto kDns = Kind::kDns;
constexpr auto kIp = Kind::kIp;
constexpr auto kUri = Kind::kUri;
constexpr auto kEmail = Kind::kEmail;
constexpr auto kDirectory = Kind::kDirectory;

const char kAllowed[] = "ok";
const char kRefused[] = "name_not_permitted";
const char kBadRule[] = "certificate_malformed";

// What `constraints` say of a certificate with these names and this subject.
std::string Check(const NameConstraints& constraints, const std::vector<AlternativeName>& names,
                  const std::string& subject = "leaf") {
  Wanted wanted = Leaf("root");
  wanted.key = "leaf";
  wanted.subject = subject;
  wanted.names = names;
  const Certificate certificate = Make(wanted);
  const absl::StatusOr<NameRules> rules = NameRules::Create(constraints);
  if (!rules.ok()) return CodeFor(rules.status());
  size_t comparisons = 1000;
  return CodeFor(rules->Check(ConstrainedNames(certificate), comparisons));
}

std::string Permitted(Kind kind, const std::string& base, const std::string& name) {
  return Check({.permitted = {{kind, base}}, .excluded = {}}, {{kind, name}});
}
std::string Excluded(Kind kind, const std::string& base, const std::string& name) {
  return Check({.permitted = {}, .excluded = {{kind, base}}}, {{kind, name}});
}

struct Row {
  Kind kind;
  std::string base, name;
  std::string permitted, excluded;  // the answer when `base` is permitted, and when it is excluded
};

TEST(NameRules, DecideByKind) {
  const std::string ten8 = Bytes("\x0a\x00\x00\x00\xff\x00\x00\x00");
  const std::string v6 = Bytes(
      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0"
      "\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0");
  const std::string v6_address = Bytes("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
  const std::vector<Row> rows = {
      // DNS: the name itself and everything below it.
      {kDns, "example.com", "example.com", kAllowed, kRefused},
      {kDns, "example.com", "EXAMPLE.com", kAllowed, kRefused},
      {kDns, "example.com", "a.b.example.com", kAllowed, kRefused},
      {kDns, "example.com", "badexample.com", kRefused, kAllowed},
      {kDns, "example.com", "example.org", kRefused, kAllowed},
      {kDns, "example.com", "com", kRefused, kAllowed},
      {kDns, "", "anything.example.org", kAllowed, kRefused},
      {kDns, ".example.com", "a.example.com", kBadRule, kBadRule},
      {kDns, "*.example.com", "a.example.com", kBadRule, kBadRule},
      {kDns, "example.com.", "a.example.com", kBadRule, kBadRule},
      {kDns, "exa mple.com", "a.example.com", kBadRule, kBadRule},
      // A wildcard is permitted when all that it stands for is, excluded when some of it is.
      {kDns, "example.com", "*.example.com", kAllowed, kRefused},
      {kDns, "example.com", "*.a.example.com", kAllowed, kRefused},
      {kDns, "a.example.com", "*.example.com", kRefused, kRefused},
      {kDns, "b.a.example.com", "*.example.com", kRefused, kAllowed},
      {kDns, "example.com", "*.com", kRefused, kRefused},
      {kDns, "a.example.org", "*.example.com", kRefused, kAllowed},
      // Malformed names of a constrained kind are refused, whatever the constraint.
      {kDns, "example.com", ".example.com", kRefused, kRefused},
      {kDns, "example.org", "example.com.", kRefused, kRefused},
      {kDns, "example.org", "a..example.com", kRefused, kRefused},
      {kDns, "example.org", "a*.example.com", kRefused, kRefused},
      {kDns, "example.org", "*", kRefused, kRefused},
      {kDns, "example.org", "a.*.com", kRefused, kRefused},
      {kDns, "example.org", "exa mple.com", kRefused, kRefused},

      {kIp, ten8, Bytes("\x0a\x01\x02\x03"), kAllowed, kRefused},
      {kIp, ten8, Bytes("\x0b\x01\x02\x03"), kRefused, kAllowed},
      {kIp, ten8, v6_address, kRefused, kAllowed},
      {kIp, v6, v6_address, kAllowed, kRefused},
      {kIp, v6, Bytes("\x0a\x01\x02\x03"), kRefused, kAllowed},
      {kIp, Bytes("\x0a\x07\x07\x07\xff\x00\x00\x00"), Bytes("\x0a\x01\x02\x03"), kAllowed,
       kRefused},
      {kIp, Bytes("\0\0\0\0\0\0\0\0"), Bytes("\x0a\x01\x02\x03"), kAllowed, kRefused},
      {kIp, Bytes("\x0a\0\0\0\xff\x00\xff\x00"), Bytes("\x0a\x01\x02\x03"), kBadRule, kBadRule},
      {kIp, Bytes("\x0a\0\0\0\x7f\x00\x00\x00"), Bytes("\x0a\x01\x02\x03"), kBadRule, kBadRule},
      {kIp, Bytes("\x0a\0\0\0"), Bytes("\x0a\x01\x02\x03"), kBadRule, kBadRule},

      // URIs: the host alone; a leading dot for what is below it.
      {kUri, "example.com", "spiffe://example.com/a", kAllowed, kRefused},
      {kUri, "example.com", "https://a.example.com/", kRefused, kAllowed},
      {kUri, ".example.com", "https://a.b.example.com", kAllowed, kRefused},
      {kUri, ".example.com", "https://example.com", kRefused, kAllowed},
      {kUri, "example.com", "https://user@EXAMPLE.com:8443/x?y#z", kAllowed, kRefused},
      {kUri, "example.com", "https://example.com@evil.org/", kRefused, kAllowed},
      {kUri, "example.com", "https://evil.org/@example.com", kRefused, kAllowed},
      {kUri, "example.com", "https://evil.org?.example.com", kRefused, kAllowed},
      {kUri, "", "https://evil.org", kAllowed, kRefused},
      {kUri, "example.com", "https://10.0.0.1/", kRefused, kRefused},
      {kUri, "example.com", "https://[::1]/", kRefused, kRefused},
      {kUri, "example.com", "urn:example:a", kRefused, kRefused},
      {kUri, "example.com", "https:///path", kRefused, kRefused},
      {kUri, "example.com", "example.com", kRefused, kRefused},
      {kUri, "example.com", "https://example.com:80x/", kRefused, kRefused},
      {kUri, "https://example.com", "https://example.com", kBadRule, kBadRule},
      {kUri, "10.0.0.1", "https://example.com", kBadRule, kBadRule},

      // Email: a mailbox, a host, or everything below a domain.
      {kEmail, "me@example.com", "me@Example.com", kAllowed, kRefused},
      {kEmail, "me@example.com", "you@example.com", kRefused, kAllowed},
      {kEmail, "me@example.com", "Me@example.com", kRefused, kRefused},
      {kEmail, "*@example.com", "me@example.com", kRefused, kAllowed},
      {kEmail, "*@example.com", "*@example.com", kAllowed, kRefused},
      {kEmail, "example.com", "me@example.com", kAllowed, kRefused},
      {kEmail, "example.com", "me@a.example.com", kRefused, kAllowed},
      {kEmail, ".example.com", "me@a.example.com", kAllowed, kRefused},
      {kEmail, ".example.com", "me@example.com", kRefused, kAllowed},
      {kEmail, "example.com", "me@you@example.com", kRefused, kRefused},
      {kEmail, "example.com", "example.com", kRefused, kRefused},
      {kEmail, "example.com", "\"a@b\"@example.com", kRefused, kRefused},
      {kEmail, "example.com", "@example.com", kRefused, kRefused},
      {kEmail, "a@b@example.com", "me@example.com", kBadRule, kBadRule},
      {kEmail, "*.example.com", "me@example.com", kBadRule, kBadRule},
  };
  for (const Row& row : rows) {
    const AlternativeName name{row.kind, row.name};
    SCOPED_TRACE(name.ToString() + " under '" + row.base + "'");
    EXPECT_EQ(Permitted(row.kind, row.base, row.name), row.permitted);
    EXPECT_EQ(Excluded(row.kind, row.base, row.name), row.excluded);
  }
}

TEST(NameRules, LeaveOtherKindsAlone) {
  const NameConstraints constraints{.permitted = {{kDns, "example.com"}}, .excluded = {}};
  EXPECT_EQ(Check(constraints, {{kUri, "urn:x:y"}, {kIp, Bytes("\x01\x02\x03\x04")}}), kAllowed);
  EXPECT_EQ(Check(constraints, {}), kAllowed);
}

TEST(NameRules, CheckEveryName) {
  const NameConstraints constraints{.permitted = {{kDns, "example.com"}, {kDns, "example.org"}},
                                    .excluded = {{kDns, "secret.example.com"}}};
  EXPECT_EQ(Check(constraints, {{kDns, "a.example.com"}, {kDns, "example.org"}}), kAllowed);
  EXPECT_EQ(Check(constraints, {{kDns, "a.example.com"}, {kDns, "example.net"}}), kRefused);
  EXPECT_EQ(Check(constraints, {{kDns, "a.example.com"}, {kDns, "b.secret.example.com"}}),
            kRefused);
}

TEST(NameRules, DoNotTakeTheCommonNameForADnsName) {
  EXPECT_EQ(Check({.permitted = {{kDns, "example.com"}}, .excluded = {}}, {}, "evil.example.org"),
            kAllowed);
}

TEST(NameRules, BindTheSubjectAndDirectoryNames) {
  const auto der = [](const std::string& text) { return testing::NameFrom(text).der(); };
  const NameConstraints permitted{.permitted = {{kDirectory, der("/C=US/O=Example")}},
                                  .excluded = {}};
  EXPECT_EQ(Check(permitted, {}, "/C=US/O=Example/CN=a"), kAllowed);
  EXPECT_EQ(Check(permitted, {}, "/C=US/O=example /CN=a"), kAllowed);  // RFC 5280 section 7.1
  EXPECT_EQ(Check(permitted, {}, "/C=US/O=Other/CN=a"), kRefused);
  EXPECT_EQ(Check(permitted, {}, "/C=US"), kRefused);
  EXPECT_EQ(Check(permitted, {{kDirectory, der("/C=US/O=Other")}}, "/C=US/O=Example/CN=a"),
            kRefused);
  EXPECT_EQ(Check(permitted, {{kDns, "a.example.com"}}, ""), kAllowed);
  const NameConstraints excluded{.permitted = {},
                                 .excluded = {{kDirectory, der("/C=US/O=Example")}}};
  EXPECT_EQ(Check(excluded, {}, "/C=US/O=Example/CN=a"), kRefused);
  EXPECT_EQ(Check(excluded, {}, "/C=US/O=Other/CN=a"), kAllowed);
}

TEST(NameRules, BindEmailAddressesInTheSubject) {
  const NameConstraints constraints{.permitted = {{kEmail, "example.com"}}, .excluded = {}};
  EXPECT_EQ(Check(constraints, {}, "/CN=a/emailAddress=me@example.com"), kAllowed);
  EXPECT_EQ(Check(constraints, {}, "/CN=a/emailAddress=me@example.org"), kRefused);
  EXPECT_EQ(Check(constraints, {{kEmail, "me@example.com"}}, "/CN=a/emailAddress=me@example.org"),
            kRefused);
}

TEST(NameRules, RefuseNamesOfAConstrainedKindThatIsNotUnderstood) {
  const std::string upn = testing::Oid("1.3.6.1.4.1.311.20.2.3");
  const std::string other_name = Tlv(0xa0, upn + Tlv(0xa0, Tlv(der::kUtf8String, "me")));
  const std::string registered_id = Tlv(0x88, Bytes("\x2a\x03"));
  const NameConstraints constraints{.permitted = {}, .excluded = {{Kind::kOther, other_name}}};
  EXPECT_EQ(Check(constraints, {{Kind::kOther, other_name}}), kRefused);
  EXPECT_EQ(Check(constraints, {{Kind::kOther, registered_id}}), kAllowed);
  EXPECT_EQ(Check(constraints, {{kDns, "a.example.com"}}), kAllowed);
}

TEST(NameRules, RefuseInternationalizedMailboxesUnderEmailConstraints) {
  const std::string mailbox = Tlv(
      0xa0, testing::Oid("1.3.6.1.5.5.7.8.9") + Tlv(0xa0, Tlv(der::kUtf8String, "me@example.com")));
  EXPECT_EQ(
      Check({.permitted = {{kEmail, "example.com"}}, .excluded = {}}, {{Kind::kOther, mailbox}}),
      kRefused);
  EXPECT_EQ(
      Check({.permitted = {{kDns, "example.com"}}, .excluded = {}}, {{Kind::kOther, mailbox}}),
      kAllowed);
}

TEST(NameRules, RefuseConstraintsThatConstrainNothing) {
  EXPECT_EQ(CodeFor(NameRules::Create({}).status()), kBadRule);
}

TEST(NameRules, StopComparingWhenThereIsTooMuchOfIt) {
  Wanted wanted = Leaf("root");
  wanted.names.assign(100, {kDns, "a.example.com"});
  NameConstraints constraints;
  constraints.permitted.assign(100, {kDns, "example.com"});
  const Certificate certificate = Make(wanted);
  const NameRules rules = *NameRules::Create(constraints);
  size_t comparisons = 100 * 100;
  EXPECT_EQ(CodeFor(rules.Check(ConstrainedNames(certificate), comparisons)), kAllowed);
  EXPECT_EQ(comparisons, 0U);
  comparisons = 100 * 100 - 1;
  EXPECT_EQ(CodeFor(rules.Check(ConstrainedNames(certificate), comparisons)), "path_too_complex");
}

}  // namespace
}  // namespace troth
