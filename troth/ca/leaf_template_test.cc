#include "troth/ca/leaf_template.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/ca/templates.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using std::chrono::hours;
using testing::At;
using testing::MakeKey;
using testing::MakeRoot;
using testing::Value;

const Time kNow = At("2026-11-21T02:29:09Z");

const PrivateKey& TheKey() {
  static const PrivateKey key = MakeKey();
  return key;
}

const Signer& TheSigner() {
  static const Signer signer = MakeRoot();
  return signer;
}

Asked Ask(std::string_view common_name, const std::vector<std::string>& names = {}) {
  Asked asked{.key = TheKey().public_key(), .common_name = std::string(common_name)};
  for (const std::string& name : names) asked.names.push_back(Value(AlternativeName::Parse(name)));
  return asked;
}

Profile WebProfile() {
  Profile profile{.name = "web", .max_lifetime = hours(24 * 60)};
  profile.names.dns = {"*.internal"};
  return profile;
}

const ReservedNames& ExampleReserved() {
  static const ReservedNames reserved{.names = {Value(AlternativeName::Parse("ca.internal"))},
                                      .trust_domain = "example.org"};
  return reserved;
}

CertificateTemplate Build(const Asked& asked, const Profile& profile) {
  return Value(BuildTemplate(asked, profile, ExampleReserved(), {}, kNow));
}

TEST(BuildTemplateTest, IsWhatTheProfileSays) {
  const CertificateTemplate what = Build(Ask("db.internal", {"db.internal"}), WebProfile());
  EXPECT_EQ(what.subject.ToString(), "CN=db.internal");
  EXPECT_EQ(what.public_key, TheKey().public_key());
  EXPECT_EQ(what.validity.not_before, kNow - std::chrono::minutes(5));
  EXPECT_EQ(what.validity.not_after, kNow + hours(24 * 30));
  EXPECT_FALSE(what.basic_constraints->is_ca);
  EXPECT_EQ(what.extended_key_usage,
            (std::vector<std::string>{std::string(kServerAuthOid), std::string(kClientAuthOid)}));
  EXPECT_FALSE(what.extended_key_usage_critical);
  EXPECT_TRUE(what.crl_urls.empty());
}

TEST(BuildTemplateTest, UsagesAreTheProfiles) {
  Profile profile = WebProfile();
  profile.usages_critical = true;
  profile.usages = LeafUsages::kServer;
  CertificateTemplate what = Build(Ask("db.internal"), profile);
  EXPECT_EQ(what.extended_key_usage, std::vector<std::string>{std::string(kServerAuthOid)});
  EXPECT_TRUE(what.extended_key_usage_critical);
  profile.usages = LeafUsages::kClient;
  what = Build(Ask("db.internal"), profile);
  EXPECT_EQ(what.extended_key_usage, std::vector<std::string>{std::string(kClientAuthOid)});
}

TEST(BuildTemplateTest, SerialsAreFresh) {
  EXPECT_NE(Build(Ask("db.internal"), WebProfile()).serial,
            Build(Ask("db.internal"), WebProfile()).serial);
}

TEST(BuildTemplateTest, ALifetimeIsTheProfilesAtMost) {
  const Profile profile = WebProfile();
  const auto with = [&](Seconds lifetime) {
    return BuildTemplate(Ask("db.internal"), profile, {}, lifetime, kNow);
  };
  EXPECT_EQ(Value(with(hours(1))).validity.not_after, kNow + hours(1));
  EXPECT_TRUE(with(profile.max_lifetime).ok());
  for (const Seconds lifetime : {profile.max_lifetime + Seconds(1), Seconds(0), Seconds(-1)}) {
    EXPECT_EQ(ReasonOf(with(lifetime).status()), Reason::kUsageError) << lifetime.count();
  }
}

TEST(BuildTemplateTest, RefusesWhatTheProfileDoesNotAllow) {
  const auto reason = [](const Asked& asked) {
    return ReasonOf(BuildTemplate(asked, WebProfile(), ExampleReserved(), {}, kNow).status());
  };
  EXPECT_EQ(reason(Ask("db.example")), Reason::kNameNotPermitted);
  EXPECT_EQ(reason(Ask("ca.internal")), Reason::kNameNotPermitted);
  EXPECT_EQ(reason(Ask("")), Reason::kNamesMissing);
}

TEST(BuildTemplateTest, ACommonNameAloneBecomesAnAlternativeNameWhereItIsAllowedAsOne) {
  Profile uuids{.name = "phone"};
  uuids.names.common_name = "uuid";
  Profile any{.name = "any"};
  any.names.any = true;
  const std::string uuid = "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d";
  const struct {
    Profile profile;
    std::string common_name;
    std::string names;
  } cases[] = {{WebProfile(), "DB.internal", "DNS:db.internal"},
               {any, "10.0.0.1", "IP:10.0.0.1"},
               {any, uuid, "DNS:" + uuid},
               {any, "Robot 7", ""},
               // Not as a DNS name: the profile names none.
               {uuids, uuid, ""}};
  for (const auto& test : cases) {
    const CertificateTemplate what = Build(Ask(test.common_name), test.profile);
    EXPECT_EQ(what.subject.common_name(), test.common_name);
    EXPECT_EQ(what.alternative_names.empty() ? "" : what.alternative_names[0].ToString(),
              test.names);
    EXPECT_LE(what.alternative_names.size(), 1U);
  }
  EXPECT_EQ(Build(Ask("db.internal", {"web.internal"}), WebProfile()).alternative_names.size(), 1U);
}

TEST(BuildTemplateTest, TheSubjectIsTheCommonNameAloneOrTheRequestsInFull) {
  Asked asked = Ask("db.internal");
  asked.subject = Value(DistinguishedName::FromSlashes("/C=SE/O=Example/CN=db.internal"));
  EXPECT_EQ(Build(asked, WebProfile()).subject.ToString(), "CN=db.internal");
  const CertificateTemplate what = Build(asked, Profiles::CaramelBuiltIn(false).standard());
  EXPECT_EQ(what.subject, asked.subject);
  EXPECT_TRUE(what.extended_key_usage_critical);
  EXPECT_EQ(what.alternative_names[0].ToString(), "DNS:db.internal");
  EXPECT_EQ(what.validity.not_after, kNow + hours(48));
  EXPECT_TRUE(Build(Ask("", {"db.internal"}), WebProfile()).subject.empty());
}

TEST(CheckAgainstProfileTest, AFinishedLeafOfTheProfilePasses) {
  Profile rsa = WebProfile();
  rsa.usages = LeafUsages::kServer;
  Asked whole = Ask("db.internal");
  whole.subject = Value(DistinguishedName::FromSlashes("/C=SE/O=Example/CN=db.internal"));
  Asked rsa_asked = Ask("db.internal", {"db.internal", "web.internal"});
  rsa_asked.key = MakeKey(KeyType::kRsa2048).public_key();
  const struct {
    Asked asked;
    Profile profile;
  } cases[] = {
      {Ask("db.internal"), WebProfile()},
      {Ask("", {"db.internal", "web.internal"}), WebProfile()},
      {rsa_asked, rsa},
      {whole, Profiles::CaramelBuiltIn(false).standard()},
      {Ask("alice", {"spiffe://example.org/troth/admin/alice"}),
       *Profiles(Profiles::BuiltIn()).Find("admin")},
  };
  for (const auto& test : cases) {
    CertificateTemplate what = Build(test.asked, test.profile);
    what.crl_urls = {"http://ca.internal/crl/1"};
    what.ca_issuer_urls = {"http://ca.internal/issuer/1"};
    const Certificate certificate = Value(Issue(what, TheSigner()));
    const absl::Status status =
        CheckAgainstProfile(certificate, test.asked, test.profile, ExampleReserved());
    EXPECT_TRUE(status.ok()) << status;
  }
}

// Whatever else a template might have come to hold, the second reader sees it in the finished
// certificate.
TEST(CheckAgainstProfileTest, EveryDeviationIsSeen) {
  const Asked asked = Ask("db.internal", {"db.internal", "web.internal"});
  const Profile profile = WebProfile();
  struct Case {
    const char* what;
    std::function<void(CertificateTemplate&)> change;
  };
  const Case cases[] = {
      {"a CA",
       [](CertificateTemplate& what) { what.basic_constraints = BasicConstraints{.is_ca = true}; }},
      {"no basicConstraints", [](CertificateTemplate& what) { what.basic_constraints.reset(); }},
      {"key usage",
       [](CertificateTemplate& what) { what.key_usage = kDigitalSignature | kKeyAgreement; }},
      {"key usage of lists", [](CertificateTemplate& what) { what.key_usage = kCrlSign; }},
      {"no EKU", [](CertificateTemplate& what) { what.extended_key_usage.clear(); }},
      {"one EKU fewer", [](CertificateTemplate& what) { what.extended_key_usage.pop_back(); }},
      {"any EKU",
       [](CertificateTemplate& what) {
         what.extended_key_usage.emplace_back(kAnyExtendedKeyUsageOid);
       }},
      {"another EKU",
       [](CertificateTemplate& what) { what.extended_key_usage[0] = "1.3.6.1.5.5.7.3.3"; }},
      {"a critical EKU",
       [](CertificateTemplate& what) { what.extended_key_usage_critical = true; }},
      {"one name fewer", [](CertificateTemplate& what) { what.alternative_names.pop_back(); }},
      {"no name", [](CertificateTemplate& what) { what.alternative_names.clear(); }},
      {"one name more",
       [](CertificateTemplate& what) {
         what.alternative_names.push_back(Value(AlternativeName::Parse("x.internal")));
       }},
      {"another name",
       [](CertificateTemplate& what) {
         what.alternative_names[0] = Value(AlternativeName::Parse("x.internal"));
       }},
      {"a name twice, another not at all",
       [](CertificateTemplate& what) { what.alternative_names[1] = what.alternative_names[0]; }},
      {"another common name",
       [](CertificateTemplate& what) {
         what.subject = Value(DistinguishedName::FromCommonName("web.internal"));
       }},
      {"more in the subject",
       [](CertificateTemplate& what) {
         what.subject = Value(DistinguishedName::FromSlashes("/O=Example/CN=db.internal"));
       }},
      {"no subject", [](CertificateTemplate& what) { what.subject = DistinguishedName(); }},
      {"another key", [](CertificateTemplate& what) { what.public_key = MakeKey().public_key(); }},
      {"too long",
       [](CertificateTemplate& what) {
         what.validity.not_after = kNow + hours(24 * 60) + Seconds(1);
       }},
      {"too early",
       [](CertificateTemplate& what) { what.validity.not_before = kNow - hours(24 * 60); }},
      {"a short serial",
       [](CertificateTemplate& what) {
         what.serial = Value(SerialNumber::FromDerContent("\x41"));
       }},
      {"a serial of another kind",
       [](CertificateTemplate& what) {
         what.serial = Value(SerialNumber::FromDerContent("\x01" + std::string(19, 'x')));
       }},
  };
  for (const Case& test : cases) {
    CertificateTemplate what = Build(asked, profile);
    test.change(what);
    const Certificate certificate = Value(Issue(what, TheSigner()));
    EXPECT_EQ(ReasonOf(CheckAgainstProfile(certificate, asked, profile, ExampleReserved())),
              Reason::kInternal)
        << test.what;
  }
}

TEST(CheckAgainstProfileTest, NamesThatTheProfileDoesNotIssueAreSeenEvenWhenAskedFor) {
  for (const char* name :
       {"ca.internal", "db.example", "10.0.0.1", "spiffe://example.org/troth/admin/alice"}) {
    const Asked asked = Ask("", {name});
    CertificateTemplate what = Build(Ask("", {"db.internal"}), WebProfile());
    what.alternative_names = asked.names;
    const Certificate certificate = Value(Issue(what, TheSigner()));
    EXPECT_EQ(ReasonOf(CheckAgainstProfile(certificate, asked, WebProfile(), ExampleReserved())),
              Reason::kInternal)
        << name;
  }
  const Asked asked = Ask("ca.internal", {"db.internal"});
  CertificateTemplate what = Build(Ask("", {"db.internal"}), WebProfile());
  what.subject = Value(DistinguishedName::FromCommonName("ca.internal"));
  EXPECT_EQ(ReasonOf(CheckAgainstProfile(Value(Issue(what, TheSigner())), asked, WebProfile(),
                                         ExampleReserved())),
            Reason::kInternal);
}

TEST(CheckAgainstProfileTest, ACommonNameAloneMayBecomeItselfAndNothingElse) {
  const Asked asked = Ask("db.internal");
  CertificateTemplate what = Build(asked, WebProfile());
  what.alternative_names = {Value(AlternativeName::Parse("web.internal"))};
  EXPECT_EQ(ReasonOf(CheckAgainstProfile(Value(Issue(what, TheSigner())), asked, WebProfile(),
                                         ExampleReserved())),
            Reason::kInternal);
}

// Extensions that no template of ours can hold.
TEST(CheckAgainstProfileTest, AnExtensionThatIsNotKnownIsSeen) {
  const Asked asked = Ask("db.internal");
  CertificateTemplate what = Build(asked, WebProfile());
  what.ocsp_urls = {"http://ca.internal/ocsp"};
  const Certificate with_ocsp = Value(Issue(what, TheSigner()));
  EXPECT_TRUE(CheckAgainstProfile(with_ocsp, asked, WebProfile(), ExampleReserved()).ok());
  // The OID of authorityInfoAccess becomes one that nobody knows.
  const std::string known("\x2b\x06\x01\x05\x05\x07\x01\x01", 8);
  std::string der = with_ocsp.der();
  der.replace(der.find(known), known.size(), std::string("\x2b\x06\x01\x05\x05\x07\x01\x7f", 8));
  const Certificate unknown = Value(Certificate::FromDer(der));
  EXPECT_EQ(ReasonOf(CheckAgainstProfile(unknown, asked, WebProfile(), ExampleReserved())),
            Reason::kInternal);
}

}  // namespace
}  // namespace troth
