#include "troth/pki/issue.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/issue_testing.h"
#include "troth/pki/openssl_testing.h"

namespace troth {
namespace {

using testing::At;
using testing::Bytes;
using testing::CaTemplate;
using testing::LeafTemplate;
using testing::MakeKey;
using testing::MakeRoot;
using testing::MakeSigner;
using testing::Workshop;
using testing::X509Ptr;
using Kind = AlternativeName::Kind;

constexpr KeyType kTypes[] = {KeyType::kP256, KeyType::kP384, KeyType::kEd25519, KeyType::kRsa2048};

// OpenSSL's certificate with the content of `what`, signed by `key`, built by its own API.
std::string BuiltByOpenssl(const Certificate& issued, const PrivateKey& key,
                           const std::vector<std::pair<int, std::string>>& extensions) {
  const std::string pem(key.ToPem().Reveal());
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* private_key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  const X509Ptr like = testing::ReadWithOpenssl(issued.der());
  const X509Ptr built(X509_new());
  X509_set_version(built.get(), X509_VERSION_3);
  X509_set_serialNumber(built.get(), X509_get_serialNumber(like.get()));
  X509_set_issuer_name(built.get(), X509_get_issuer_name(like.get()));
  X509_set_subject_name(built.get(), X509_get_subject_name(like.get()));
  ASN1_TIME_set(X509_getm_notBefore(built.get()),
                issued.validity().not_before.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(built.get()),
                issued.validity().not_after.time_since_epoch().count());
  X509_set_pubkey(built.get(), X509_get0_pubkey(like.get()));
  X509V3_CTX context;
  X509V3_set_ctx(&context, built.get(), built.get(), nullptr, nullptr, 0);
  for (const auto& [nid, value] : extensions) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    EXPECT_NE(extension, nullptr) << value;
    X509_add_ext(built.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  EXPECT_GT(X509_sign(built.get(), private_key, nullptr), 0);
  EVP_PKEY_free(private_key);
  unsigned char* der = nullptr;
  const int length = i2d_X509(built.get(), &der);
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return out;
}

// Ed25519 signs deterministically, so the whole certificates can be compared.
TEST(IssueTest, ALeafIsByteForByteWhatOpensslMakesOfTheSameContent) {
  const PrivateKey key = MakeKey(KeyType::kEd25519);
  CertificateTemplate what = LeafTemplate(key.public_key());
  what.alternative_names = {{Kind::kDns, "localhost"},
                            {Kind::kDns, "*.docker.internal"},
                            {Kind::kIp, Bytes("\x7f\x00\x00\x01")},
                            {Kind::kIp, std::string(15, '\0') + "\x01"},
                            {Kind::kUri, "spiffe://bridge.example/operator/1"},
                            {Kind::kEmail, "ops@example.com"}};
  what.extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)};
  what.crl_urls = {"http://ca.example/1.crl", "http://ca.example/2.crl"};
  what.ocsp_urls = {"http://ocsp.example/"};
  what.ca_issuer_urls = {"http://ca.example/ca.crt"};
  const auto issued = IssueSelfSigned(what, key);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(
      issued->der(),
      BuiltByOpenssl(
          *issued, key,
          {{NID_basic_constraints, "critical,CA:FALSE"},
           {NID_key_usage, "critical,digitalSignature"},
           {NID_ext_key_usage, "serverAuth,clientAuth"},
           {NID_subject_key_identifier, "hash"},
           {NID_authority_key_identifier, "keyid:always"},
           {NID_subject_alt_name,
            "DNS:localhost,DNS:*.docker.internal,IP:127.0.0.1,IP:::1,"
            "URI:spiffe://bridge.example/operator/1,email:ops@example.com"},
           {NID_crl_distribution_points, "URI:http://ca.example/1.crl,URI:http://ca.example/2.crl"},
           {NID_info_access,
            "OCSP;URI:http://ocsp.example/,caIssuers;URI:http://ca.example/ca.crt"}}));
}

TEST(IssueTest, ACaIsByteForByteWhatOpensslMakesOfTheSameContent) {
  const PrivateKey key = MakeKey(KeyType::kEd25519);
  CertificateTemplate what = CaTemplate(key.public_key());
  what.basic_constraints = BasicConstraints{.is_ca = true, .path_length = 1};
  what.validity.not_after = At("2060-01-02");
  what.name_constraints = NameConstraints{
      .permitted = {{Kind::kDns, "example.com"},
                    {Kind::kIp, Bytes("\x0a\x00\x00\x00\xff\x00\x00\x00")},
                    {Kind::kEmail, "example.com"}},
      .excluded = {{Kind::kDns, "secret.example.com"}, {Kind::kUri, ".example.org"}}};
  const auto issued = IssueSelfSigned(what, key);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->der(),
            BuiltByOpenssl(*issued, key,
                           {{NID_basic_constraints, "critical,CA:TRUE,pathlen:1"},
                            {NID_key_usage, "critical,keyCertSign,cRLSign"},
                            {NID_subject_key_identifier, "hash"},
                            {NID_authority_key_identifier, "keyid:always"},
                            {NID_name_constraints,
                             "critical,permitted;DNS:example.com,permitted;IP:10.0.0.0/255.0.0.0,"
                             "permitted;email:example.com,excluded;DNS:secret.example.com,"
                             "excluded;URI:.example.org"}}));
}

TEST(IssueTest, EveryKeyUsageIsByteForByteWhatOpensslMakes) {
  const PrivateKey key = MakeKey(KeyType::kEd25519);
  const struct {
    std::uint16_t usage;
    const char* openssl;
  } kCases[] = {
      {kDigitalSignature | kContentCommitment, "digitalSignature,nonRepudiation"},
      {kKeyEncipherment, "keyEncipherment"},
      {kDataEncipherment | kKeyAgreement, "dataEncipherment,keyAgreement"},
      {kCrlSign, "cRLSign"},
      {kKeyAgreement | kEncipherOnly, "keyAgreement,encipherOnly"},
      {kKeyAgreement | kDecipherOnly, "keyAgreement,decipherOnly"},
  };
  for (const auto& test : kCases) {
    CertificateTemplate what = LeafTemplate(key.public_key());
    what.key_usage = test.usage;
    what.alternative_names.clear();
    what.extended_key_usage.clear();
    const auto issued = IssueSelfSigned(what, key);
    ASSERT_TRUE(issued.ok()) << issued.status();
    EXPECT_EQ(issued->der(),
              BuiltByOpenssl(*issued, key,
                             {{NID_basic_constraints, "critical,CA:FALSE"},
                              {NID_key_usage, std::string("critical,") + test.openssl},
                              {NID_subject_key_identifier, "hash"},
                              {NID_authority_key_identifier, "keyid:always"}}))
        << test.openssl;
  }
}

// GnuTLS tells the time by the machine's clock only, so these are valid today.
Signer MakeRootOfToday(KeyType type, Time now) {
  PrivateKey key = MakeKey(type);
  CertificateTemplate what = CaTemplate(key.public_key());
  what.validity = {now - Seconds(300), now + Seconds(86400)};
  return MakeSigner(what, std::move(key));
}

TEST(IssueTest, OpensslAndGnutlsAcceptEveryChainWithoutWarning) {
  const Workshop shop;
  const Time now = Clock::System().Now();
  for (const KeyType root_type : kTypes) {
    const Signer root = MakeRootOfToday(root_type, now);
    PrivateKey issuer_key = MakeKey(root_type);
    CertificateTemplate issuer_template = CaTemplate(issuer_key.public_key(), "/CN=Issuer");
    issuer_template.validity = root.certificate().validity();
    issuer_template.basic_constraints->path_length = 0;
    issuer_template.crl_urls = {"http://ca.example/root.crl"};
    const auto issuer_certificate = Issue(issuer_template, root);
    ASSERT_TRUE(issuer_certificate.ok()) << issuer_certificate.status();
    const auto issuer = Signer::Create(*issuer_certificate, std::move(issuer_key));
    ASSERT_TRUE(issuer.ok()) << issuer.status();
    shop.Write("root", root.certificate().ToPem());
    shop.Write("issuer", issuer_certificate->ToPem());
    shop.Run("openssl verify -x509_strict -check_ss_sig -CAfile root issuer root");
    for (const KeyType leaf_type : kTypes) {
      CertificateTemplate what = LeafTemplate(MakeKey(leaf_type).public_key());
      what.validity = {now - Seconds(300), now + Seconds(3600)};
      what.extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)};
      const auto leaf = Issue(what, *issuer);
      ASSERT_TRUE(leaf.ok()) << leaf.status();
      shop.Write("leaf", leaf->ToPem());
      for (const std::string purpose : {"sslserver", "sslclient"}) {
        shop.Run(
            "openssl verify -x509_strict -check_ss_sig -CAfile root -untrusted issuer -purpose " +
            purpose + " -verify_hostname localhost leaf");
      }
      shop.Run(
          "cat leaf issuer root >chain && certtool --verify --load-ca-certificate root "
          "--verify-hostname localhost --infile chain >out 2>&1 && grep -q 'Verified' out && "
          "(! grep -iE 'warn|insecure|not ' out)");
      shop.Run(
          "certtool --certificate-info --infile leaf >out 2>&1 && (! grep -iE 'warn|error|unknown' "
          "out)");
    }
  }
}

TEST(IssueTest, KeyUsageIsThatOfTheKeyAndKind) {
  const Signer root = MakeRoot(KeyType::kP256);
  for (const KeyType type : kTypes) {
    const PublicKey key = MakeKey(type).public_key();
    const auto leaf = Issue(LeafTemplate(key), root);
    const auto ca = Issue(CaTemplate(key), root);
    ASSERT_TRUE(leaf.ok() && ca.ok()) << leaf.status() << ca.status();
    EXPECT_EQ(leaf->key_usage(),
              type == KeyType::kRsa2048 ? kDigitalSignature | kKeyEncipherment : kDigitalSignature);
    EXPECT_EQ(ca->key_usage(), kKeyCertSign | kCrlSign);
  }
}

TEST(IssueTest, KeyIdsLinkACertificateToItsIssuer) {
  const Signer root = MakeRoot(KeyType::kP256);
  const auto leaf = Issue(LeafTemplate(MakeKey(KeyType::kP256).public_key()), root);
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  EXPECT_EQ(leaf->authority_key_id(), root.certificate().subject_key_id());
  EXPECT_NE(leaf->subject_key_id(), root.certificate().subject_key_id());
  EXPECT_EQ(leaf->subject_key_id()->size(), 20U);
  EXPECT_EQ(leaf->issuer(), root.certificate().subject());
}

TEST(IssueTest, AlternativeNamesAreCriticalWhenThereIsNoSubject) {
  const Signer root = MakeRoot(KeyType::kP256);
  CertificateTemplate what = LeafTemplate(MakeKey(KeyType::kP256).public_key());
  const auto named = Issue(what, root);
  what.subject = DistinguishedName();
  const auto nameless = Issue(what, root);
  ASSERT_TRUE(named.ok() && nameless.ok()) << nameless.status();
  EXPECT_FALSE(named->alternative_names_critical());
  EXPECT_TRUE(nameless->alternative_names_critical());
  what.alternative_names.clear();
  EXPECT_EQ(ReasonOf(Issue(what, root).status()), Reason::kNamesMissing);
}

TEST(IssueTest, ExtendedKeyUsageIsCriticalOnlyWhenAskedFor) {
  const Signer root = MakeRoot(KeyType::kP256);
  CertificateTemplate what = LeafTemplate(MakeKey(KeyType::kP256).public_key());
  for (const bool critical : {false, true}) {
    what.extended_key_usage_critical = critical;
    const auto issued = Issue(what, root);
    ASSERT_TRUE(issued.ok());
    for (const Extension& extension : issued->extensions()) {
      if (extension.oid == "2.5.29.37") {
        EXPECT_EQ(extension.critical, critical);
      }
    }
  }
}

TEST(IssueTest, WithoutBasicConstraintsThereIsNoSuchExtension) {
  CertificateTemplate what = LeafTemplate(MakeKey(KeyType::kP256).public_key());
  what.basic_constraints = std::nullopt;
  const auto issued = Issue(what, MakeRoot(KeyType::kP256));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->basic_constraints().has_value(), false);
  EXPECT_FALSE(issued->is_ca());
}

TEST(IssueTest, ACertificateNeverOutlivesItsIssuer) {
  const Signer root = MakeRoot(KeyType::kP256);  // 2026-01-01 to 2036-01-01
  CertificateTemplate what = LeafTemplate(MakeKey(KeyType::kP256).public_key());
  const struct {
    const char* asked;
    const char* given;
  } kCases[] = {{"2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
                {"2036-01-01T00:00:00Z", "2036-01-01T00:00:00Z"},
                {"2036-01-01T00:00:01Z", "2036-01-01T00:00:00Z"},
                {"9999-12-31T23:59:59Z", "2036-01-01T00:00:00Z"}};
  for (const auto& test : kCases) {
    what.validity.not_after = At(test.asked);
    const auto issued = Issue(what, root);
    ASSERT_TRUE(issued.ok()) << issued.status();
    EXPECT_EQ(FormatTime(issued->validity().not_after), test.given);
  }
  what.validity = {At("2036-01-01T00:00:01Z"), At("2037-01-01")};
  EXPECT_EQ(ReasonOf(Issue(what, root).status()), Reason::kCertificateExpired);
}

TEST(IssueTest, ValiditiesReachFrom1950To9999) {
  const PrivateKey key = MakeKey(KeyType::kP256);
  CertificateTemplate what = CaTemplate(key.public_key());
  const struct {
    const char* not_before;
    const char* not_after;
  } kCases[] = {{"1950-01-01T00:00:00Z", "2049-12-31T23:59:59Z"},
                {"2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z"},
                {"2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z"},
                {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"}};
  for (const auto& test : kCases) {
    what.validity = {At(test.not_before), At(test.not_after)};
    const auto issued = IssueSelfSigned(what, key);
    ASSERT_TRUE(issued.ok()) << issued.status();
    EXPECT_EQ(FormatTime(issued->validity().not_before), test.not_before);
    EXPECT_EQ(FormatTime(issued->validity().not_after), test.not_after);
  }
  for (const Validity& validity : {
           Validity{At("1949-12-31T23:59:59Z"), At("2030-01-01")},
           Validity{At("2026-01-01"), At("9999-12-31T23:59:59Z") + Seconds(1)},
           Validity{At("2026-01-01"), At("2025-12-31T23:59:59Z")},
       }) {
    what.validity = validity;
    EXPECT_EQ(ReasonOf(IssueSelfSigned(what, key).status()), Reason::kRequestMalformed);
  }
}

TEST(IssueTest, RefusesTemplatesThatCannotBeACertificate) {
  const Signer root = MakeRoot(KeyType::kP256);
  const PublicKey key = MakeKey(KeyType::kP256).public_key();
  const struct {
    const char* what;
    std::function<void(CertificateTemplate&)> spoil;
  } kCases[] = {
      {"serial zero", [](auto& t) { t.serial = *SerialNumber::FromDerContent(Bytes("\x00")); }},
      {"negative serial", [](auto& t) { t.serial = *SerialNumber::FromDerContent("\x80"); }},
      {"serial of 21 octets",
       [](auto& t) { t.serial = *SerialNumber::FromDerContent(std::string(21, '\x11')); }},
      {"malformed name",
       [](auto& t) {
         t.alternative_names = {{Kind::kDns, "a b"}};
       }},
      {"malformed address",
       [](auto& t) {
         t.alternative_names = {{Kind::kIp, "abc"}};
       }},
      {"malformed CRL URL", [](auto& t) { t.crl_urls = {"ca.example/crl"}; }},
      {"malformed OCSP URL", [](auto& t) { t.ocsp_urls = {""}; }},
      {"malformed issuer URL", [](auto& t) { t.ca_issuer_urls = {"http://a b"}; }},
      {"malformed usage", [](auto& t) { t.extended_key_usage = {"serverAuth"}; }},
      {"usage twice",
       [](auto& t) {
         t.extended_key_usage = {"1.2.3", "1.2.3"};
       }},
      {"unknown key usage", [](auto& t) { t.key_usage = 1 << 9 | 1; }},
      {"keyCertSign in a leaf", [](auto& t) { t.key_usage = kDigitalSignature | kKeyCertSign; }},
      {"encipherOnly alone", [](auto& t) { t.key_usage = kEncipherOnly; }},
      {"CA without keyCertSign",
       [](auto& t) {
         t.basic_constraints->is_ca = true;
         t.key_usage = kDigitalSignature;
       }},
      {"CA without subject",
       [](auto& t) {
         t.basic_constraints->is_ca = true;
         t.subject = DistinguishedName();
       }},
      {"path length of a leaf", [](auto& t) { t.basic_constraints->path_length = 0; }},
      {"negative path length",
       [](auto& t) { t.basic_constraints = BasicConstraints{.is_ca = true, .path_length = -1}; }},
      {"name constraints of a leaf",
       [](auto& t) {
         t.name_constraints = NameConstraints{.permitted = {{Kind::kDns, "a"}}};
       }},
      {"empty name constraints",
       [](auto& t) {
         t.basic_constraints->is_ca = true;
         t.name_constraints = NameConstraints{};
       }},
      {"a name constraint that is none",
       [](auto& t) {
         t.basic_constraints->is_ca = true;
         t.name_constraints = NameConstraints{.permitted = {{Kind::kIp, "abcd"}}};
       }},
      {"more names than a certificate holds",
       [](auto& t) {
         t.alternative_names.assign(5000, AlternativeName{Kind::kDns, "a-long-name.example.com"});
       }},
  };
  for (const auto& test : kCases) {
    CertificateTemplate what = LeafTemplate(key);
    ASSERT_TRUE(Issue(what, root).ok());
    test.spoil(what);
    const auto issued = Issue(what, root);
    EXPECT_EQ(ReasonOf(issued.status()), Reason::kRequestMalformed)
        << test.what << ": " << issued.status();
  }
}

TEST(IssueTest, RefusesWeakKeys) {
  const Workshop shop;
  shop.Run("openssl genrsa -out key 1024");
  const auto weak = PrivateKey::FromPem(shop.Read("key"));
  ASSERT_TRUE(weak.ok()) << weak.status();
  EXPECT_EQ(ReasonOf(Issue(LeafTemplate(weak->public_key()), MakeRoot(KeyType::kP256)).status()),
            Reason::kKeyTooWeak);
  EXPECT_EQ(ReasonOf(IssueSelfSigned(CaTemplate(weak->public_key()), *weak).status()),
            Reason::kKeyTooWeak);
}

TEST(IssueTest, ACaWhosePathLengthIsZeroIssuesNoCa) {
  PrivateKey key = MakeKey(KeyType::kP256);
  CertificateTemplate what = CaTemplate(key.public_key());
  what.basic_constraints->path_length = 0;
  const Signer signer = MakeSigner(what, std::move(key));
  const PublicKey below = MakeKey(KeyType::kP256).public_key();
  EXPECT_TRUE(Issue(LeafTemplate(below), signer).ok());
  EXPECT_EQ(ReasonOf(Issue(CaTemplate(below), signer).status()), Reason::kPathLengthExceeded);
}

TEST(IssueTest, ANameOutsideTheIssuersConstraintsIsNotIssued) {
  PrivateKey key = MakeKey(KeyType::kP256);
  CertificateTemplate what = CaTemplate(key.public_key());
  what.name_constraints = NameConstraints{.permitted = {{Kind::kDns, "example.com"}}};
  const Signer signer = MakeSigner(what, std::move(key));
  CertificateTemplate leaf = LeafTemplate(MakeKey(KeyType::kP256).public_key());
  leaf.alternative_names = {{Kind::kDns, "api.example.com"}};
  EXPECT_TRUE(Issue(leaf, signer).ok()) << Issue(leaf, signer).status();
  leaf.alternative_names = {{Kind::kDns, "api.example.com"}, {Kind::kDns, "api.example.org"}};
  EXPECT_EQ(ReasonOf(Issue(leaf, signer).status()), Reason::kNameNotPermitted);
}

TEST(IssueTest, ASelfSignedCertificateIsForItsOwnKey) {
  const PrivateKey key = MakeKey(KeyType::kP256);
  const auto leaf = IssueSelfSigned(LeafTemplate(key.public_key()), key);
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  EXPECT_TRUE(leaf->IsSelfSigned());
  EXPECT_FALSE(leaf->is_ca());
  EXPECT_EQ(leaf->authority_key_id(), leaf->subject_key_id());
  EXPECT_EQ(
      ReasonOf(IssueSelfSigned(LeafTemplate(MakeKey(KeyType::kP256).public_key()), key).status()),
      Reason::kKeyMismatch);
  CertificateTemplate nameless = LeafTemplate(key.public_key());
  nameless.subject = DistinguishedName();
  EXPECT_EQ(ReasonOf(IssueSelfSigned(nameless, key).status()), Reason::kRequestMalformed);
}

TEST(SignerTest, IsACaWithItsOwnKey) {
  const PrivateKey key = MakeKey(KeyType::kP256);
  const Signer root = MakeRoot(KeyType::kP256);
  const auto leaf = Issue(LeafTemplate(key.public_key()), root);
  ASSERT_TRUE(leaf.ok());
  EXPECT_EQ(ReasonOf(Signer::Create(root.certificate(), MakeKey(KeyType::kP256)).status()),
            Reason::kKeyMismatch);
  PrivateKey leaf_key = MakeKey(KeyType::kP256);
  const auto own_leaf = Issue(LeafTemplate(leaf_key.public_key()), root);
  ASSERT_TRUE(own_leaf.ok());
  EXPECT_EQ(ReasonOf(Signer::Create(*own_leaf, std::move(leaf_key)).status()),
            Reason::kNotACertificateAuthority);
}

TEST(SignerTest, ASeedsCaWithoutKeyUsageSignsAndOneThatMayNotSignDoesNot) {
  const Workshop shop;
  const struct {
    const char* options;
    std::optional<Reason> expected;
  } kCases[] = {
      {"-newkey rsa:2048", {}},
      {"-newkey rsa:2048 -addext keyUsage=cRLSign", Reason::kNotACertificateAuthority},
      {"-newkey rsa:1024", Reason::kKeyTooWeak},
  };
  for (const auto& test : kCases) {
    shop.Run(
        "openssl req -x509 -noenc -subj /C=US/O=Clementine/CN=ca -keyout key -out ca -days 3650 " +
        std::string(test.options));
    auto key = PrivateKey::FromPem(shop.Read("key"));
    const auto ca = Certificate::FromPem(shop.Read("ca"));
    ASSERT_TRUE(key.ok() && ca.ok()) << key.status() << ca.status();
    const auto signer = Signer::Create(*ca, *std::move(key));
    EXPECT_EQ(ReasonOf(signer.status()), test.expected) << test.options;
    if (!signer.ok()) continue;
    CertificateTemplate what = LeafTemplate(MakeKey(KeyType::kP256).public_key());
    what.validity = {ca->validity().not_before, ca->validity().not_before + Seconds(86400)};
    const auto leaf = Issue(what, *signer);
    ASSERT_TRUE(leaf.ok()) << leaf.status();
    shop.Write("leaf", leaf->ToPem());
    shop.Run("openssl verify -CAfile ca leaf");
  }
}

TEST(SignerTest, AnIssuerWithoutSubjectKeyIdIsNamedByTheHashOfItsKey) {
  const Workshop shop;
  shop.Write("config",
             "[req]\ndistinguished_name=d\nx509_extensions=e\n[d]\n[e]\nbasicConstraints=critical,"
             "CA:TRUE\n"
             "subjectKeyIdentifier=none\n");
  shop.Run(
      "openssl req -x509 -config config -newkey ed25519 -noenc -subj /CN=ca -keyout key -out ca");
  auto key = PrivateKey::FromPem(shop.Read("key"));
  const auto ca = Certificate::FromPem(shop.Read("ca"));
  ASSERT_TRUE(key.ok() && ca.ok()) << ca.status();
  ASSERT_FALSE(ca->subject_key_id().has_value());
  const auto signer = Signer::Create(*ca, *std::move(key));
  ASSERT_TRUE(signer.ok());
  CertificateTemplate what = LeafTemplate(MakeKey(KeyType::kP256).public_key());
  what.validity = {ca->validity().not_before, ca->validity().not_after};
  const auto leaf = Issue(what, *signer);
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  EXPECT_EQ(leaf->authority_key_id()->size(), 20U);
  shop.Write("leaf", leaf->ToPem());
  shop.Run("openssl verify -CAfile ca leaf");
}

}  // namespace
}  // namespace troth
