// The rules of RFC 5280 section 6.1, one row each: what a certificate of a chain must be like.
#include "troth/pki/path_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "troth/pki/path_testing.h"

namespace troth {
namespace {

using testing::Bundle;
using testing::CodeFor;
using testing::ExtensionOf;
using testing::Intermediate;
using testing::kDay;
using testing::kNow;
using testing::Leaf;
using testing::Make;
using testing::Root;
using testing::Sequence;
using testing::Tlv;
using testing::Wanted;

constexpr auto kDns = AlternativeName::Kind::kDns;

// root -> middle -> issuing -> leaf, to be changed at one place.
struct Chain {
  Wanted root = Root("root");
  Wanted middle = Intermediate("middle", "root");
  Wanted issuing = Intermediate("issuing", "middle");
  Wanted leaf = Leaf("issuing");
  PathOptions options = {.now = kNow, .usage = Usage::kServer};
};

PathResult Validate(const Chain& chain) {
  return ValidatePath(Make(chain.leaf), {Make(chain.middle), Make(chain.issuing)},
                      Bundle({Make(chain.root)}), chain.options);
}

struct Rule {
  std::string name;
  std::function<void(Chain&)> change;
  std::string expected;     // reason code, or "ok"
  std::string failed = {};  // common name of the certificate that failed
};

void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }

class PathRules : public ::testing::TestWithParam<Rule> {};

TEST_P(PathRules, Holds) {
  Chain chain;
  GetParam().change(chain);
  const PathResult result = Validate(chain);
  EXPECT_EQ(CodeFor(result.status), GetParam().expected) << result.status;
  if (result.status.ok()) {
    EXPECT_EQ(result.path.size(), 4U);
    EXPECT_FALSE(result.failed.has_value());
    return;
  }
  EXPECT_EQ(result.valid_until, Time{});
  ASSERT_TRUE(result.failed.has_value());
  EXPECT_EQ(result.failed->subject().common_name().value_or(""), GetParam().failed)
      << result.status;
}

const std::string kUnknownOid = "1.3.6.1.4.1.99999.1";
const std::string kNull = std::string("\x05\x00", 2);

const std::vector<Rule>& Rules() {
  static const auto& rules = *new std::vector<Rule>{
      {"GoodChain", [](Chain&) {}, "ok"},

      // Time (6.1.3 (a) (2)); the last second counts.
      {"ExpiredLeaf", [](Chain& c) { c.leaf.to = kNow - Seconds(1); }, "certificate_expired",
       "leaf"},
      {"LeafInItsLastSecond", [](Chain& c) { c.leaf.to = kNow; }, "ok"},
      {"LeafInItsFirstSecond", [](Chain& c) { c.leaf.from = kNow; }, "ok"},
      {"LeafOfTheFuture", [](Chain& c) { c.leaf.from = kNow + Seconds(1); },
       "certificate_not_yet_valid", "leaf"},
      {"ExpiredIntermediate", [](Chain& c) { c.middle.to = kNow - kDay; }, "certificate_expired",
       "middle"},
      {"ExpiredAnchor", [](Chain& c) { c.root.to = kNow - kDay; }, "certificate_expired", "root"},

      // CA flag (6.1.4 (k)).
      {"IntermediateThatIsNoCa",
       [](Chain& c) {
         c.issuing.ca = false;
         c.issuing.key_usage = 0;
       },
       "not_a_certificate_authority", "issuing"},
      {"IntermediateWithoutBasicConstraints",
       [](Chain& c) { c.issuing.with_basic_constraints = false; }, "not_a_certificate_authority",
       "issuing"},
      {"IntermediateOfVersion1", [](Chain& c) { c.middle.version = 1; },
       "not_a_certificate_authority", "middle"},
      {"AnchorThatIsNoCa", [](Chain& c) { c.root.ca = false; }, "not_a_certificate_authority",
       "root"},
      {"AnchorWithoutBasicConstraints", [](Chain& c) { c.root.with_basic_constraints = false; },
       "not_a_certificate_authority", "root"},
      {"AnchorOfVersion1", [](Chain& c) { c.root.version = 1; }, "ok"},
      {"CaWhoseBasicConstraintsAreNotCritical",
       [](Chain& c) { c.middle.basic_constraints_critical = false; }, "ok"},

      // Key usage (6.1.4 (n)).
      {"IntermediateWithoutKeyCertSign", [](Chain& c) { c.issuing.key_usage = kCrlSign; },
       "not_a_certificate_authority", "issuing"},
      {"AnchorWithoutKeyCertSign", [](Chain& c) { c.root.key_usage = kDigitalSignature; },
       "not_a_certificate_authority", "root"},
      {"CaWithoutKeyUsage", [](Chain& c) { c.issuing.key_usage = 0; }, "ok"},
      {"LeafWithKeyCertSign", [](Chain& c) { c.leaf.key_usage = kDigitalSignature | kKeyCertSign; },
       "certificate_malformed", "leaf"},

      // Path length (6.1.4 (l), (m)).
      {"PathLengthZeroWithAnotherCaBelow", [](Chain& c) { c.middle.path_length = 0; },
       "path_length_exceeded", "middle"},
      {"PathLengthZeroAboveTheLeaf", [](Chain& c) { c.issuing.path_length = 0; }, "ok"},
      {"PathLengthOne", [](Chain& c) { c.middle.path_length = 1; }, "ok"},
      {"PathLengthOfTheAnchor", [](Chain& c) { c.root.path_length = 1; }, "path_length_exceeded",
       "root"},
      {"PathLengthThatGrowsAgainBelow",
       [](Chain& c) {
         c.root.path_length = 2;
         c.middle.path_length = 100;
       },
       "ok"},
      {"HugePathLength", [](Chain& c) { c.root.path_length = 2147483647; }, "ok"},
      {"SelfIssuedCertificatesDoNotCount",
       [](Chain& c) {
         c.root.path_length = 1;
         c.issuing.subject = "middle";
         c.issuing.key = "rolled";
         c.leaf.issuer = "middle";
         c.leaf.issuer_key = "rolled";
       },
       "ok"},

      // Signatures and keys.
      {"BrokenSignatureOfTheLeaf", [](Chain& c) { c.leaf.broken_signature = true; },
       "signature_invalid", "leaf"},
      {"BrokenSignatureOfACa", [](Chain& c) { c.middle.broken_signature = true; },
       "signature_invalid", "middle"},
      {"Sha1UnderTheLeaf", [](Chain& c) { c.leaf.sha1 = true; }, "algorithm_not_allowed", "leaf"},
      {"Sha1UnderTheAnchorDoesNotMatter", [](Chain& c) { c.root.sha1 = true; }, "ok"},
      {"ChainOfMixedKeys",
       [](Chain& c) {
         c.root.key_type = c.root.issuer_key_type = c.middle.issuer_key_type = KeyType::kRsa2048;
         c.middle.key_type = c.issuing.issuer_key_type = KeyType::kEd25519;
         c.issuing.key_type = c.leaf.issuer_key_type = KeyType::kP384;
       },
       "ok"},
      {"MisleadingKeyIdentifiers",
       [](Chain& c) {
         c.leaf.authority_key_id = "nobody's";
         c.middle.subject_key_id = "somebody's";
       },
       "ok"},
      {"NoKeyIdentifiers",
       [](Chain& c) {
         for (Wanted* wanted : {&c.root, &c.middle, &c.issuing, &c.leaf}) {
           wanted->with_authority_key_id = wanted->with_subject_key_id = false;
         }
       },
       "ok"},

      // Extensions (6.1.4 (o), 6.1.5 (e)).
      {"UnknownCriticalExtensionOfTheLeaf",
       [](Chain& c) { c.leaf.extensions = {ExtensionOf(kUnknownOid, kNull, true)}; },
       "critical_extension_unknown", "leaf"},
      {"UnknownCriticalExtensionOfACa",
       [](Chain& c) { c.middle.extensions = {ExtensionOf(kUnknownOid, kNull, true)}; },
       "critical_extension_unknown", "middle"},
      {"UnknownCriticalExtensionOfTheAnchor",
       [](Chain& c) { c.root.extensions = {ExtensionOf(kUnknownOid, kNull, true)}; },
       "critical_extension_unknown", "root"},
      {"UnknownExtensionThatIsNotCritical",
       [](Chain& c) { c.leaf.extensions = {ExtensionOf(kUnknownOid, kNull, false)}; }, "ok"},
      {"CriticalSubjectKeyIdentifier",
       [](Chain& c) {
         c.middle.with_subject_key_id = false;
         c.middle.extensions = {ExtensionOf("2.5.29.14", Tlv(der::kOctetString, "12345678"), true)};
       },
       "certificate_malformed", "middle"},
      {"CriticalAuthorityKeyIdentifier",
       [](Chain& c) {
         c.leaf.with_authority_key_id = false;
         c.leaf.extensions = {ExtensionOf("2.5.29.35", Sequence({Tlv(0x80, "12345678")}), true)};
       },
       "certificate_malformed", "leaf"},
      {"PolicyConstraintsThatRequireAPolicy",
       [](Chain& c) {
         c.middle.extensions = {
             ExtensionOf("2.5.29.36", Sequence({Tlv(0x80, std::string(1, '\0'))}), true)};
       },
       "critical_extension_unknown", "middle"},
      {"PolicyConstraintsThatOnlyInhibitMapping",
       [](Chain& c) {
         c.middle.extensions = {
             ExtensionOf("2.5.29.36", Sequence({Tlv(0x81, std::string(1, '\0'))}), true)};
       },
       "ok"},
      {"PolicyConstraintsThatAreNotCritical",
       [](Chain& c) {
         c.middle.extensions = {
             ExtensionOf("2.5.29.36", Sequence({Tlv(0x81, std::string(1, '\0'))}), false)};
       },
       "certificate_malformed", "middle"},
      {"PolicyConstraintsThatAreMalformed",
       [](Chain& c) { c.middle.extensions = {ExtensionOf("2.5.29.36", kNull, true)}; },
       "certificate_malformed", "middle"},
      {"InhibitAnyPolicyAlone",
       [](Chain& c) {
         c.middle.extensions = {ExtensionOf("2.5.29.54", std::string("\x02\x01\x00", 3), true)};
       },
       "ok"},

      // Name constraints where they may stand; what they mean is in name_constraints_test.cc.
      {"NameConstraintsThatAreNotCritical",
       [](Chain& c) {
         c.middle.constraints =
             NameConstraints{.permitted = {{kDns, "example.com"}}, .excluded = {}};
         c.middle.constraints_critical = false;
       },
       "certificate_malformed", "middle"},
      {"NameConstraintsOfALeaf",
       [](Chain& c) {
         c.leaf.constraints = NameConstraints{.permitted = {{kDns, "example.com"}}, .excluded = {}};
       },
       "certificate_malformed", "leaf"},
      {"NameConstraintsInAnOddForm",
       [](Chain& c) {
         c.middle.constraints =
             NameConstraints{.permitted = {{kDns, ".example.com"}}, .excluded = {}};
       },
       "certificate_malformed", "middle"},
      {"NameConstraintsOfTheAnchorBind",
       [](Chain& c) {
         c.root.constraints = NameConstraints{.permitted = {{kDns, "example.net"}}, .excluded = {}};
       },
       "name_not_permitted", "leaf"},
      {"NameConstraintsThatWidenBelowDoNotHelp",
       [](Chain& c) {
         c.middle.constraints =
             NameConstraints{.permitted = {{kDns, "a.example.com"}}, .excluded = {}};
         c.issuing.constraints =
             NameConstraints{.permitted = {{kDns, "example.com"}}, .excluded = {}};
       },
       "name_not_permitted", "leaf"},
      {"NameConstraintsBindTheNamesOfIntermediates",
       [](Chain& c) {
         c.root.constraints =
             NameConstraints{.permitted = {}, .excluded = {{kDns, "issuing.example.com"}}};
         c.issuing.names = {{kDns, "issuing.example.com"}};
       },
       "name_not_permitted", "issuing"},
      {"NameConstraintsDoNotBindSelfIssuedIntermediates",
       [](Chain& c) {
         c.root.constraints =
             NameConstraints{.permitted = {}, .excluded = {{kDns, "ca.example.com"}}};
         c.issuing.subject = "middle";
         c.issuing.key = "rolled";
         c.issuing.names = {{kDns, "ca.example.com"}};
         c.leaf.issuer = "middle";
         c.leaf.issuer_key = "rolled";
       },
       "ok"},
      {"NameConstraintsBindASelfIssuedLeaf",
       [](Chain& c) {
         c.root.constraints =
             NameConstraints{.permitted = {}, .excluded = {{kDns, "leaf.example.com"}}};
         c.leaf.subject = "issuing";
         c.leaf.key = "leaf";
       },
       "name_not_permitted", "issuing"},

      // Names that must be there (section 4.1.2.4, 4.1.2.6, 4.2.1.6).
      {"EmptySubjectWithCriticalNames",
       [](Chain& c) {
         c.leaf.subject = "";
         c.leaf.key = "leaf";
         c.leaf.names_critical = true;
       },
       "ok"},
      {"EmptySubjectWithNamesThatAreNotCritical",
       [](Chain& c) {
         c.leaf.subject = "";
         c.leaf.key = "leaf";
       },
       "certificate_malformed", ""},
      {"EmptySubjectWithoutNames",
       [](Chain& c) {
         c.leaf.subject = "";
         c.leaf.key = "leaf";
         c.leaf.names = {};
       },
       "certificate_malformed", ""},
      {"EmptyIssuer",
       [](Chain& c) {
         c.issuing.subject = c.leaf.issuer = "";
         c.issuing.key = c.leaf.issuer_key = "issuing";
       },
       "issuer_unknown", "leaf"},

      // Usage.
      {"ServerWithClientAuthOnly",
       [](Chain& c) { c.leaf.extended_key_usage = {std::string(kClientAuthOid)}; },
       "usage_not_allowed", "leaf"},
      {"ServerWithServerAuth",
       [](Chain& c) { c.leaf.extended_key_usage = {std::string(kServerAuthOid)}; }, "ok"},
      {"ServerWithAnyUsage",
       [](Chain& c) { c.leaf.extended_key_usage = {std::string(kAnyExtendedKeyUsageOid)}; }, "ok"},
      {"AnyUsageAsksForNothing",
       [](Chain& c) {
         c.leaf.extended_key_usage = {std::string(kClientAuthOid)};
         c.options.usage = Usage::kAny;
       },
       "ok"},
      {"ClientWithServerAuthOnly",
       [](Chain& c) {
         c.leaf.extended_key_usage = {std::string(kServerAuthOid)};
         c.options.usage = Usage::kClient;
       },
       "usage_not_allowed", "leaf"},
      {"CaThatAllowsClientsOnly",
       [](Chain& c) { c.middle.extended_key_usage = {std::string(kClientAuthOid)}; },
       "usage_not_allowed", "middle"},
      {"ServerForKeyEncipherment", [](Chain& c) { c.leaf.key_usage = kKeyEncipherment; }, "ok"},
      {"ServerWithoutUsableKeyUsage", [](Chain& c) { c.leaf.key_usage = kContentCommitment; },
       "usage_not_allowed", "leaf"},
      {"ClientForKeyEncipherment",
       [](Chain& c) {
         c.leaf.key_usage = kKeyEncipherment;
         c.options.usage = Usage::kClient;
       },
       "usage_not_allowed", "leaf"},
      {"LeafOfVersion1", [](Chain& c) { c.leaf.version = 1; }, "ok"},

      // The expected name.
      {"ExpectedName",
       [](Chain& c) {
         c.options.name = {kDns, "leaf.example.com"};
       },
       "ok"},
      {"OtherName",
       [](Chain& c) {
         c.options.name = {kDns, "other.example.com"};
       },
       "name_mismatch", "leaf"},
      {"CommonNameIsNoDnsName",
       [](Chain& c) {
         c.leaf.names = {};
         c.options.name = {kDns, "leaf"};
       },
       "names_missing", "leaf"},
  };
  return rules;
}

INSTANTIATE_TEST_SUITE_P(Rfc5280, PathRules, ::testing::ValuesIn(Rules()),
                         [](const auto& row) { return row.param.name; });

TEST(ValidatePath, AnswersUntilTheFirstCertificateOfThePathExpires) {
  Chain chain;
  chain.middle.to = kNow + 3 * kDay;
  EXPECT_EQ(Validate(chain).valid_until, kNow + 3 * kDay);
}

TEST(ValidatePath, WarnsOfWhatIsPoorInThePath) {
  Chain chain;
  EXPECT_THAT(Validate(chain).warnings,
              ::testing::Each(::testing::HasSubstr("no extendedKeyUsage")));
  chain.middle.key_usage = 0;
  chain.leaf.version = 1;
  EXPECT_THAT(
      Validate(chain).warnings,
      ::testing::AllOf(::testing::Contains(::testing::AllOf(::testing::HasSubstr("CN=middle"),
                                                            ::testing::HasSubstr("no keyUsage"))),
                       ::testing::Contains(::testing::AllOf(::testing::HasSubstr("CN=leaf"),
                                                            ::testing::HasSubstr("version 1")))));
}

TEST(ValidatePath, SaysWhichIssuerIsMissing) {
  const PathResult result =
      ValidatePath(Make(Leaf("issuing")), {Make(Intermediate("middle", "root"))},
                   Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "issuer_unknown");
  const std::string message(result.status.message());
  for (const char* part : {"CN=issuing", "CN=leaf", "CN=root", "1 intermediates"}) {
    EXPECT_THAT(message, ::testing::HasSubstr(part));
  }
  EXPECT_EQ(result.path.size(), 1U);
}

TEST(ValidatePath, TellsACaOfTheSameNameWithAnotherKey) {
  Wanted impostor = Root("root");
  impostor.key = impostor.issuer_key = "another root";
  const PathResult result =
      ValidatePath(Make(Leaf("root")), {}, Bundle({Make(impostor)}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "signature_invalid");
  EXPECT_THAT(std::string(result.status.message()), ::testing::HasSubstr("key id"));
}

TEST(ValidatePath, TellsASelfSignedLeaf) {
  Wanted self_signed = Leaf("leaf");
  for (const TrustBundle& trust : {Bundle({}), Bundle({Make(Root("root"))})}) {
    EXPECT_EQ(CodeFor(ValidatePath(Make(self_signed), {}, trust, {.now = kNow}).status),
              "certificate_self_signed");
  }
}

TEST(ValidatePath, TellsAChainThatEndsInAForeignRoot) {
  const PathResult result = ValidatePath(Make(Leaf("foreign")), {Make(Root("foreign"))},
                                         Bundle({Make(Root("root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "issuer_unknown");
  ASSERT_TRUE(result.failed.has_value());
  EXPECT_EQ(result.failed->subject().common_name(), "foreign");
}

TEST(ValidatePath, TrustsNobodyWithoutAnchors) {
  EXPECT_EQ(
      CodeFor(ValidatePath(Make(Leaf("root")), {Make(Root("root"))}, TrustBundle(), {.now = kNow})
                  .status),
      "issuer_unknown");
}

TEST(ValidatePath, AcceptsALeafNamedLikeItsCa) {
  // What openssl's default answers give: subject equal to issuer, and not self-signed.
  Wanted root = Root("/C=AU/ST=Some-State/O=Internet Widgits Pty Ltd");
  Wanted leaf = Leaf(root.subject);
  leaf.subject = root.subject;
  leaf.key = "leaf";
  leaf.version = 1;
  const PathResult result =
      ValidatePath(Make(leaf), {}, Bundle({Make(root)}), {.now = kNow, .usage = Usage::kClient});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_EQ(result.path.size(), 2U);
}

TEST(ValidatePath, AcceptsAnIntermediateAsAnchor) {
  const PathResult result = ValidatePath(
      Make(Leaf("issuing")), {}, Bundle({Make(Intermediate("issuing", "root"))}), {.now = kNow});
  EXPECT_EQ(CodeFor(result.status), "ok") << result.status;
  EXPECT_EQ(result.path.size(), 2U);
}

TEST(ValidatePath, AcceptsALeafThatIsAnAnchorAndStillChecksIt) {
  Wanted wanted = Leaf("leaf");
  wanted.extended_key_usage = {std::string(kServerAuthOid)};
  const Certificate leaf = Make(wanted);
  const TrustBundle trust = Bundle({leaf});
  const auto code = [&](const PathOptions& options) {
    return CodeFor(ValidatePath(leaf, {}, trust, options).status);
  };
  EXPECT_EQ(code({.now = kNow, .usage = Usage::kServer}), "ok");
  EXPECT_EQ(code({.now = kNow, .usage = Usage::kClient}), "usage_not_allowed");
  EXPECT_EQ(code({.now = kNow + 60 * kDay}), "certificate_expired");
  EXPECT_EQ(code({.now = kNow, .name = AlternativeName{kDns, "a.example.com"}}), "name_mismatch");
}

TEST(ValidatePath, RefusesAnAnchorWithoutIssuerAsLeaf) {
  Wanted nameless = Leaf("");
  nameless.issuer_key = "root";
  const Certificate leaf = Make(nameless);
  EXPECT_EQ(CodeFor(ValidatePath(leaf, {}, Bundle({leaf}), {.now = kNow}).status),
            "certificate_malformed");
}

TEST(ValidatePath, DoesNotTakeAnAnchorsTwinForTheAnchor) {
  // Same name, same key id, same serial, another key.
  Wanted twin = Root("root");
  twin.key = twin.issuer_key = "twin";
  twin.subject_key_id = twin.authority_key_id = testing::KeyIdOf(testing::KeyOf("root"));
  Wanted leaf = Leaf("root");
  leaf.issuer_key = "twin";
  EXPECT_EQ(
      CodeFor(ValidatePath(Make(leaf), {Make(twin)}, Bundle({Make(Root("root"))}), {.now = kNow})
                  .status),
      "signature_invalid");
}

struct NameRow {
  AlternativeName expected;
  std::vector<AlternativeName> has;
  std::string code;
};

TEST(CheckName, ComparesByTheRulesOfEachKind) {
  using Kind = AlternativeName::Kind;
  const std::string loopback("\x7f\x00\x00\x01", 4);
  const std::vector<NameRow> rows = {
      {{kDns, "a.example.com"}, {{kDns, "a.example.com"}}, "ok"},
      {{kDns, "A.Example.COM"}, {{kDns, "a.example.com"}}, "ok"},
      {{kDns, "a.example.com."}, {{kDns, "a.example.com"}}, "ok"},
      {{kDns, "a.example.com"}, {{kDns, "b.example.com"}, {kDns, "*.example.com"}}, "ok"},
      {{kDns, "a.b.example.com"}, {{kDns, "*.example.com"}}, "name_mismatch"},
      {{kDns, "example.com"}, {{kDns, "*.example.com"}}, "name_mismatch"},
      {{kDns, "a.example.com"}, {{kDns, "a*.example.com"}}, "name_mismatch"},
      {{kDns, "a.example.com"}, {{kDns, "a.*.com"}}, "name_mismatch"},
      {{kDns, "com"}, {{kDns, "*"}}, "name_mismatch"},
      {{kDns, "*.example.com"}, {{kDns, "*.example.com"}}, "name_mismatch"},
      {{Kind::kIp, loopback}, {{Kind::kIp, loopback}}, "ok"},
      {{Kind::kIp, loopback}, {{kDns, "127.0.0.1"}}, "name_mismatch"},
      {{kDns, "127.0.0.1"}, {{Kind::kIp, loopback}}, "name_mismatch"},
      {{Kind::kUri, "spiffe://a/b"}, {{Kind::kUri, "spiffe://a/b"}}, "ok"},
      {{Kind::kUri, "spiffe://a/b"}, {{Kind::kUri, "spiffe://a/B"}}, "name_mismatch"},
      {{Kind::kEmail, "me@Example.com"}, {{Kind::kEmail, "me@example.COM"}}, "ok"},
      {{Kind::kEmail, "Me@example.com"}, {{Kind::kEmail, "me@example.com"}}, "name_mismatch"},
      {{kDns, "leaf"}, {}, "names_missing"},
  };
  for (const NameRow& row : rows) {
    Wanted wanted = Leaf("root");
    wanted.names = row.has;
    EXPECT_EQ(CodeFor(CheckName(Make(wanted), row.expected)), row.code) << row.expected.ToString();
  }
}

}  // namespace
}  // namespace troth
