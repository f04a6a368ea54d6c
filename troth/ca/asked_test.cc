#include "troth/ca/asked.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/pki/der.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::MakeKey;
using testing::Value;
using Kind = AlternativeName::Kind;

const PrivateKey& TheKey() {
  static const PrivateKey key = MakeKey();
  return key;
}

AlternativeName Name(std::string_view text) { return Value(AlternativeName::Parse(text)); }

std::vector<AlternativeName> Names(const std::vector<std::string>& texts) {
  std::vector<AlternativeName> names;
  for (const std::string& text : texts) names.push_back(Name(text));
  return names;
}

CertificateRequest Request(std::string_view subject, const std::vector<std::string>& names) {
  return Value(CertificateRequest::Create(TheKey(), Value(DistinguishedName::FromSlashes(subject)),
                                          Names(names)));
}

Asked Ask(std::string_view common_name, const std::vector<std::string>& names = {}) {
  return {
      .key = TheKey().public_key(), .common_name = std::string(common_name), .names = Names(names)};
}

Profile With(AllowedNames names) {
  Profile profile{.name = "web"};
  profile.names = std::move(names);
  return profile;
}

const ReservedNames& ExampleReserved() {
  static const ReservedNames reserved{.names = Names({"ca.example.org", "192.0.2.1"}),
                                      .trust_domain = "example.org",
                                      .common_names = {"Troth Root CA example.org"}};
  return reserved;
}

TEST(ReadRequestTest, TakesPemAndDer) {
  const CertificateRequest request = Request("/CN=db", {});
  for (const std::string& body : {request.ToPem(), request.der(), "0 text\n" + request.ToPem()}) {
    const absl::StatusOr<CertificateRequest> read = ReadRequest(body);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->der(), request.der());
  }
  for (const std::string& body : {std::string(), std::string("0"), std::string("hello"),
                                  request.der() + "x", request.ToPem() + request.ToPem()}) {
    EXPECT_EQ(ReasonOf(ReadRequest(body).status()), Reason::kRequestMalformed);
  }
}

TEST(ReadRequestTest, TheSignatureMustBeTheKeys) {
  std::string der = Request("/CN=db", {}).der();
  der.back() = static_cast<char>(der.back() ^ 1);
  const absl::Status status = ReadRequest(der).status();
  EXPECT_EQ(ReasonOf(status), Reason::kSignatureInvalid) << status;
}

TEST(AskedTest, IsKeyAndNamesEachOnce) {
  const CertificateRequest request =
      Request("/C=SE/O=Example/CN=DB.internal",
              {"DB.internal", "db.internal", "10.0.0.1", "spiffe://example.org/db", "10.0.0.1"});
  const Asked asked = Value(AskedOf(request));
  EXPECT_EQ(asked.key, TheKey().public_key());
  EXPECT_EQ(asked.common_name, "DB.internal");
  EXPECT_EQ(asked.names, Names({"db.internal", "10.0.0.1", "spiffe://example.org/db"}));
  EXPECT_EQ(asked.subject, request.subject());
  EXPECT_EQ(Value(AskedOf(Request("/O=Example", {}))).common_name, "");
}

TEST(AskedTest, WhereOnlyTheCommonNameCountsOtherNamesAreLeftOut) {
  const CertificateRequest request = Request("/CN=db", {"bank.example"});
  EXPECT_TRUE(Value(AskedOf(request, Profiles::CaramelBuiltIn(true).standard())).names.empty());
  EXPECT_EQ(Value(AskedOf(request, With({.any = true}))).names, Names({"bank.example"}));
}

TEST(AskedTest, TwoCommonNamesAreNone) {
  EXPECT_EQ(ReasonOf(AskedOf(Request("/CN=a/CN=b", {})).status()), Reason::kRequestMalformed);
}

TEST(AskedTest, HasABoundedNumberOfNames) {
  std::vector<std::string> many;
  for (int i = 0; i < 101; ++i) many.push_back("n" + std::to_string(i));
  EXPECT_EQ(ReasonOf(AskedOf(Request("/", many)).status()), Reason::kRequestMalformed);
  EXPECT_EQ(ReasonOf(CheckAsked(Ask("", many), With({.any = true}), {})),
            Reason::kRequestMalformed);
  many.pop_back();
  EXPECT_TRUE(AskedOf(Request("/", many)).ok());
  EXPECT_TRUE(CheckAsked(Ask("", many), With({.any = true}), {}).ok());
}

TEST(PlainNamesTest, AreThoseThatARecordKeeps) {
  EXPECT_EQ(PlainNamesOf(Ask("DB.internal", {"db.internal", "10.0.0.1", "spiffe://a/b"})),
            (std::vector<std::string>{"DB.internal", "db.internal", "10.0.0.1", "spiffe://a/b"}));
  EXPECT_EQ(PlainNamesOf(Ask("Robot 7")), std::vector<std::string>{"Robot 7"});
  EXPECT_EQ(PlainNamesOf(Ask("", {"db"})), std::vector<std::string>{"db"});
}

TEST(CheckAskedTest, EachNameMustBeAllowedAndNoneReserved) {
  const struct {
    const char* what;
    Profile profile;
    Asked asked;
    std::optional<Reason> reason;
  } cases[] = {
      {"any", With({.any = true}), Ask("Robot 7", {"db.internal", "10.0.0.1", "spiffe://a/b"}), {}},
      {"no name", With({.any = true}), Ask(""), Reason::kNamesMissing},
      {"a common name that is an allowed name",
       With({.dns = {"*.internal"}}),
       Ask("db.internal"),
       {}},
      {"a common name that is none", With({.dns = {"*.internal"}}), Ask("Robot 7", {"db.internal"}),
       Reason::kNameNotPermitted},
      {"one name too many", With({.dns = {"*.internal"}}),
       Ask("db.internal", {"db.internal", "db.example"}), Reason::kNameNotPermitted},
      {"a kind too many", With({.dns = {"*.internal"}}), Ask("", {"db.internal", "10.0.0.1"}),
       Reason::kNameNotPermitted},
      {"a wildcard", With({.dns = {"db.internal"}}), Ask("", {"*.internal"}),
       Reason::kNameNotPermitted},
      {"a wildcard that is allowed", With({.dns = {"*.internal"}}), Ask("", {"*.internal"}), {}},
      {"the authority's name", With({.any = true}), Ask("", {"CA.example.org"}),
       Reason::kNameNotPermitted},
      {"the authority's name in the common name", With({.any = true}),
       Ask("ca.Example.org", {"db.internal"}), Reason::kNameNotPermitted},
      {"the authority's name behind a pattern", With({.common_name = "ca*"}), Ask("ca.example.org"),
       Reason::kNameNotPermitted},
      {"a wildcard over it", With({.any = true}), Ask("", {"*.example.org"}),
       Reason::kNameNotPermitted},
      {"a wildcard within a label over it", With({.any = true}), Ask("c*.example.org"),
       Reason::kRequestMalformed},
      {"a wildcard within a label behind a pattern", With({.common_name = "node-*"}),
       Ask("node-a*.x.y"), Reason::kRequestMalformed},
      {"its address", With({.any = true}), Ask("", {"192.0.2.1"}), Reason::kNameNotPermitted},
      {"its subject", With({.any = true}), Ask("Troth Root CA example.org"),
       Reason::kNameNotPermitted},
      {"its subject with more space", With({.any = true}), Ask("Troth  Root CA example.ORG"),
       Reason::kNameNotPermitted},
      {"its SPIFFE names", With({.any = true}), Ask("", {"spiffe://example.org/troth/x"}),
       Reason::kNameNotPermitted},
      {"its SPIFFE names by rule", With({.spiffe = {"spiffe://example.org/**"}}),
       Ask("", {"spiffe://example.org/troth/admin/x"}), Reason::kNameNotPermitted},
      {"two SPIFFE IDs", With({.any = true}), Ask("", {"spiffe://a/b", "spiffe://a/c"}),
       Reason::kNameNotPermitted},
      {"a SPIFFE ID beside a URI", With({.any = true}), Ask("", {"https://a/b", "spiffe://a/c"}),
       Reason::kNameNotPermitted},
      {"two URIs", With({.any = true}), Ask("", {"https://a/b", "https://a/c"}), {}},
      {"a name that is none",
       With({.any = true}),
       {.key = TheKey().public_key(), .names = {{Kind::kDns, "db.internal."}}},
       Reason::kRequestMalformed},
      {"a directory name",
       With({.any = true}),
       {.key = TheKey().public_key(),
        .names = {{Kind::kDirectory, Value(DistinguishedName::FromCommonName("x")).der()}}},
       Reason::kRequestMalformed},
      {"a common name with a NUL", With({.any = true}), Ask({"db\0x", 4}),
       Reason::kRequestMalformed},
  };
  for (const auto& test : cases) {
    const absl::Status status = CheckAsked(test.asked, test.profile, ExampleReserved());
    EXPECT_EQ(ReasonOf(status), test.reason) << test.what << ": " << status;
  }
}

TEST(CheckAskedTest, TheErrorSaysWhatIsAllowed) {
  const absl::Status status =
      CheckAsked(Ask("", {"db.example"}), With({.dns = {"*.internal"}}), {});
  EXPECT_NE(status.message().find("*.internal"), status.message().npos) << status;
  EXPECT_NE(status.message().find("db.example"), status.message().npos) << status;
}

TEST(CheckAskedTest, OnlyTheAdminProfileIssuesAdminNamesAndNoOthers) {
  const Profiles profiles = Profiles::BuiltIn();
  const Profile& profile = *profiles.Find("admin");
  const auto reason = [&](const Asked& asked) {
    return ReasonOf(CheckAsked(asked, profile, ExampleReserved()));
  };
  const std::string alice = "spiffe://example.org/troth/admin/alice";
  EXPECT_EQ(reason(Ask("alice", {alice})), std::nullopt);
  EXPECT_EQ(reason(Ask("", {alice})), std::nullopt);
  EXPECT_EQ(reason(Ask("alice")), Reason::kNamesMissing);
  EXPECT_EQ(reason(Ask("alice", {alice, "alice.internal"})), Reason::kNameNotPermitted);
  EXPECT_EQ(reason(Ask("alice", {"spiffe://example.org/alice"})), Reason::kNameNotPermitted);
  EXPECT_EQ(reason(Ask("alice", {"spiffe://example.com/troth/admin/alice"})),
            Reason::kNameNotPermitted);
  EXPECT_EQ(reason(Ask("alice", {"spiffe://example.org/troth/authority"})),
            Reason::kNameNotPermitted);
  EXPECT_EQ(reason(Ask("ca.example.org", {alice})), Reason::kNameNotPermitted);
}

TEST(CheckAskedTest, AWholeSubjectIsTextWithTheCommonNameAskedFor) {
  Profile caramel = Profiles::CaramelBuiltIn(false).standard();
  const auto reason = [&](const Asked& asked) { return ReasonOf(CheckAsked(asked, caramel, {})); };
  EXPECT_EQ(reason(Value(AskedOf(Request("/C=SE/O=Example/CN=db", {})))), std::nullopt);
  Asked asked = Value(AskedOf(Request("/C=SE/O=Example/CN=db", {})));
  asked.common_name = "web";
  EXPECT_EQ(reason(asked), Reason::kNameNotPermitted);
  // No request of ours has such a subject; others' may.
  std::string der = asked.subject.der();
  der[der.find("Example")] = '\n';
  asked = {.key = TheKey().public_key(),
           .common_name = "db",
           .subject = Value(DistinguishedName::FromDer(der))};
  EXPECT_EQ(reason(asked), Reason::kRequestMalformed);
  asked = Value(AskedOf(Request(
      "/CN=db/description=" + std::string(1000, 'x') + "/description=" + std::string(1000, 'x') +
          "/description=" + std::string(1000, 'x') + "/description=" + std::string(1000, 'x') +
          "/description=" + std::string(1000, 'x'),
      {})));
  EXPECT_EQ(reason(asked), Reason::kRequestMalformed);
}

// Keys as no request's own signature would let them be made, from their parts.
std::string KeyInfo(std::string_view algorithm, std::string_view key) {
  der::Writer writer;
  writer.Nested(der::kSequence, [&] {
    writer.Raw(algorithm);
    writer.BitString(key);
  });
  return writer.Take();
}

std::string RsaKey(std::string_view oid, std::string modulus, std::uint64_t exponent) {
  der::Writer algorithm;
  algorithm.Nested(der::kSequence, [&] {
    algorithm.Oid(oid);
    if (oid == "1.2.840.113549.1.1.1") algorithm.Null();
  });
  if ((static_cast<unsigned char>(modulus[0]) & 0x80) != 0) modulus.insert(0, 1, '\0');
  der::Writer key;
  key.Nested(der::kSequence, [&] {
    key.IntegerContent(modulus);
    key.Integer(exponent);
  });
  return KeyInfo(algorithm.bytes(), key.bytes());
}

std::string EcKey(std::string_view curve, std::string_view point) {
  der::Writer algorithm;
  algorithm.Nested(der::kSequence, [&] {
    algorithm.Oid("1.2.840.10045.2.1");
    curve.empty() ? algorithm.Nested(der::kSequence, [&] { algorithm.Integer(1); })
                  : algorithm.Oid(curve);
  });
  return KeyInfo(algorithm.bytes(), point);
}

TEST(CheckAskedTest, OnlyCanonicalKeysThatTheProfileNames) {
  constexpr std::string_view kRsa = "1.2.840.113549.1.1.1";
  constexpr std::string_view kP256 = "1.2.840.10045.3.1.7";
  const std::string modulus = "\xff" + std::string(254, '\x11') + "\x13";
  const std::string point(TheKey().public_key().key_bits());
  Profile all = With({.any = true});
  Profile strong = all;
  strong.key_types = {KeyType::kP384, KeyType::kRsa3072};
  const struct {
    const char* what;
    const Profile& profile;
    std::string key;
    std::optional<Reason> reason;
  } cases[] = {
      {"P-256", all, TheKey().public_key().der(), {}},
      {"P-256 from its parts", all, EcKey(kP256, point), {}},
      {"P-256 where P-384 is wanted", strong, EcKey(kP256, point), Reason::kAlgorithmNotAllowed},
      {"a compressed point", all,
       EcKey(kP256, std::string(1, (point.back() & 1) != 0 ? '\3' : '\2') + point.substr(1, 32)),
       Reason::kAlgorithmNotAllowed},
      {"an explicit curve", all, EcKey("", point), Reason::kAlgorithmNotAllowed},
      {"another curve", all, EcKey("1.3.132.0.10", point), Reason::kAlgorithmNotAllowed},
      {"a point off its curve", all,
       EcKey(kP256, point.substr(0, 64) + std::string(1, point[64] ^ 1)), Reason::kKeyMalformed},
      {"RSA 2048", all, RsaKey(kRsa, modulus, 65537), {}},
      {"RSA 2048 where 3072 is wanted", strong, RsaKey(kRsa, modulus, 65537), Reason::kKeyTooWeak},
      {"RSA 4096 where 3072 is wanted", strong, RsaKey(kRsa, modulus + modulus, 65537),
       Reason::kAlgorithmNotAllowed},
      {"RSA 2047", all, RsaKey(kRsa, "\x7f" + modulus.substr(1), 65537), Reason::kKeyTooWeak},
      {"RSA 2056", all, RsaKey(kRsa, "\xff" + modulus, 65537), Reason::kAlgorithmNotAllowed},
      {"RSA 1024", all, RsaKey(kRsa, modulus.substr(128), 65537), Reason::kKeyTooWeak},
      {"an even modulus", all, RsaKey(kRsa, modulus.substr(0, 255) + "\x10", 65537),
       Reason::kKeyMalformed},
      {"exponent 3", all, RsaKey(kRsa, modulus, 3), Reason::kKeyMalformed},
      {"an even exponent", all, RsaKey(kRsa, modulus, 65538), Reason::kKeyMalformed},
      {"RSASSA-PSS only", all, RsaKey("1.2.840.113549.1.1.10", modulus, 65537),
       Reason::kAlgorithmNotAllowed},
  };
  for (const auto& test : cases) {
    const Asked asked{.key = Value(PublicKey::FromDer(test.key)), .common_name = "db"};
    const absl::Status status = CheckAsked(asked, test.profile, {});
    EXPECT_EQ(ReasonOf(status), test.reason) << test.what << ": " << status;
  }
}

TEST(DecidedAtOnceTest, OnlyWhatThePatternNamesAndNothingBesideIt) {
  const std::string uuid = "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d";
  const Profile uuids = Profiles::CaramelBuiltIn(true).standard();
  Profile nodes = With({.any = true});
  nodes.approval = Approval::kAutomatic;
  nodes.automatic = "node-*";
  const struct {
    const char* what;
    Profile profile;
    Asked asked;
    bool decided;
  } cases[] = {
      {"a UUID", uuids, Ask(uuid), true},
      {"a UUID, repeated", uuids, Ask(uuid, {uuid}), true},
      {"a name beside it", uuids, Ask(uuid, {uuid, "bank.example"}), false},
      {"another name", uuids, Ask("db.internal"), false},
      {"no common name", uuids, Ask("", {uuid}), false},
      {"a pattern", nodes, Ask("node-7"), true},
      {"another", nodes, Ask("db"), false},
      {"a manual profile", Profiles::CaramelBuiltIn(false).standard(), Ask(uuid), false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(IsDecidedAtOnce(test.asked, test.profile), test.decided) << test.what;
  }
  Profile manual = nodes;
  manual.approval = Approval::kManual;
  EXPECT_FALSE(IsDecidedAtOnce(Ask("node-7"), manual));
}

}  // namespace
}  // namespace troth
