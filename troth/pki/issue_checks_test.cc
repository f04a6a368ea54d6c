#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/issue_internal.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using testing::At;
using testing::Bytes;
using testing::CaTemplate;
using testing::LeafTemplate;
using testing::MakeKey;
using testing::MakeRoot;
using testing::Value;
using Kind = AlternativeName::Kind;

// Something in every field, so that each can differ.
CertificateTemplate FullLeaf() {
  CertificateTemplate what = LeafTemplate(MakeKey().public_key());
  what.crl_urls = {"http://ca.example/crl"};
  what.ocsp_urls = {"http://ca.example/ocsp"};
  what.ca_issuer_urls = {"http://ca.example/ca"};
  return what;
}

CertificateTemplate FullCa() {
  CertificateTemplate what = CaTemplate(MakeKey().public_key());
  what.basic_constraints->path_length = 1;
  what.name_constraints =
      NameConstraints{.permitted = {{Kind::kDns, "example.com"}}, .excluded = {}};
  return what;
}

// A defect between template and certificate must not get out: the certificate of one template is
// held against another that differs in one field.
TEST(CheckIssuedTest, FindsADifferenceInEveryField) {
  using Template = CertificateTemplate;
  const struct {
    const char* field;  // named in the message
    bool ca;
    std::function<void(Template&)> change;
  } kCases[] = {
      {"serial number", false,
       [](Template& t) { t.serial = SerialNumber::Generate(At("2026-11-02")); }},
      {"validity", false, [](Template& t) { t.validity.not_before += Seconds(1); }},
      {"validity", false, [](Template& t) { t.validity.not_after += Seconds(1); }},
      {"subject", false,
       [](Template& t) { t.subject = Value(DistinguishedName::FromCommonName("x")); }},
      {"public key", false, [](Template& t) { t.public_key = MakeKey().public_key(); }},
      {"extensions", false, [](Template& t) { t.extended_key_usage_critical = true; }},
      {"extensions", false, [](Template& t) { t.extended_key_usage.clear(); }},
      {"extensions", false, [](Template& t) { t.alternative_names.clear(); }},
      {"extensions", false, [](Template& t) { t.basic_constraints.reset(); }},
      {"extensions", false, [](Template& t) { t.crl_urls.clear(); }},
      {"extensions", true, [](Template& t) { t.name_constraints.reset(); }},
      {"basic constraints", true, [](Template& t) { t.basic_constraints->path_length = 2; }},
      {"basic constraints", true, [](Template& t) { t.basic_constraints->path_length.reset(); }},
      {"basic constraints", false, [](Template& t) { t.basic_constraints->is_ca = true; }},
      {"key usage", false, [](Template& t) { t.key_usage = kKeyAgreement; }},
      {"extended key usage", false,
       [](Template& t) { t.extended_key_usage.emplace_back("1.2.3"); }},
      {"alternative names", false, [](Template& t) { t.alternative_names[0].value = "evil"; }},
      {"alternative names", false, [](Template& t) { t.alternative_names[0].kind = Kind::kUri; }},
      {"alternative names", false,
       [](Template& t) {
         t.alternative_names.push_back({Kind::kDns, "evil"});
       }},
      {"name constraints", true,
       [](Template& t) { t.name_constraints->permitted[0].base = "evil"; }},
      {"name constraints", true,
       [](Template& t) { std::swap(t.name_constraints->permitted, t.name_constraints->excluded); }},
      {"CRL distribution points", false, [](Template& t) { t.crl_urls[0] = "http://evil"; }},
      {"authority information access", false, [](Template& t) { t.ocsp_urls[0] = "http://evil"; }},
      {"authority information access", false, [](Template& t) { t.ca_issuer_urls.clear(); }},
  };
  const Signer root = MakeRoot();
  const IssuerFields issuer{.name_der = root.certificate().subject().der(),
                            .key_id = *root.certificate().subject_key_id(),
                            .algorithm = SignatureAlgorithm::kEcdsaSha256};
  for (const auto& test : kCases) {
    CertificateTemplate what = test.ca ? FullCa() : FullLeaf();
    const Certificate issued = Value(Issue(what, root));
    EXPECT_TRUE(CheckIssued(issued, what, issuer).ok()) << CheckIssued(issued, what, issuer);
    test.change(what);
    const absl::Status checked = CheckIssued(issued, what, issuer);
    EXPECT_EQ(ReasonOf(checked), Reason::kInternal) << test.field;
    EXPECT_NE(ToStd(checked.message()).find(std::string(test.field) + " differs"),
              std::string_view::npos)
        << checked;
  }
}

TEST(CheckIssuedTest, FindsADifferenceInTheIssuer) {
  const Signer root = MakeRoot();
  const CertificateTemplate what = FullLeaf();
  const Certificate issued = Value(Issue(what, root));
  const IssuerFields right{.name_der = root.certificate().subject().der(),
                           .key_id = *root.certificate().subject_key_id(),
                           .algorithm = SignatureAlgorithm::kEcdsaSha256};
  IssuerFields other_name = right;
  const DistinguishedName x = Value(DistinguishedName::FromCommonName("x"));
  other_name.name_der = x.der();
  IssuerFields other_key = right;
  other_key.key_id[0] = static_cast<char>(other_key.key_id[0] ^ 1);
  IssuerFields other_algorithm = right;
  other_algorithm.algorithm = SignatureAlgorithm::kEcdsaSha384;
  EXPECT_TRUE(CheckIssued(issued, what, right).ok());
  for (const IssuerFields& wrong : {other_name, other_key, other_algorithm}) {
    EXPECT_EQ(ReasonOf(CheckIssued(issued, what, wrong)), Reason::kInternal);
  }
}

TEST(IsWritableTest, ReachesFrom1950To9999) {
  EXPECT_FALSE(IsWritable(At("1949-12-31T23:59:59Z")));
  EXPECT_TRUE(IsWritable(At("1950-01-01")));
  EXPECT_TRUE(IsWritable(At("9999-12-31T23:59:59Z")));
  EXPECT_FALSE(IsWritable(At("9999-12-31T23:59:59Z") + Seconds(1)));
}

}  // namespace
}  // namespace troth
