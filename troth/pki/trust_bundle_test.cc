#include "troth/pki/trust_bundle.h"

#include <gtest/gtest.h>

#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der_testing.h"
#include "troth/pki/openssl_testing.h"

namespace troth {
namespace {

using testing::Bytes;
using testing::ExtensionOf;
using testing::NameOf;
using testing::RawCertificate;
using testing::Workshop;

Certificate Ca(std::string_view name) {
  RawCertificate raw;
  raw.subject = NameOf(name);
  raw.extensions = {ExtensionOf("2.5.29.19", Bytes("\x30\x03\x01\x01\xff"), true)};
  return *Certificate::FromDer(raw.Build());
}

Certificate Leaf() { return *Certificate::FromDer(RawCertificate{}.Build()); }

TEST(TrustBundleTest, DefaultTrustsNobody) {
  EXPECT_TRUE(TrustBundle().empty());
  EXPECT_EQ(TrustBundle().ToPem(), "");
  EXPECT_TRUE(TrustBundle().FindBySubject(Ca("a").subject()).empty());
}

TEST(TrustBundleTest, KeepsOrderAndDropsDuplicates) {
  const Certificate a = Ca("a");
  const Certificate b = Ca("b");
  const auto bundle = TrustBundle::FromPem(b.ToPem() + a.ToPem() + b.ToPem());
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(bundle->anchors(), (std::vector<Certificate>{b, a}));
  EXPECT_EQ(bundle->ToPem(), b.ToPem() + a.ToPem());
}

TEST(TrustBundleTest, EqualityIsThatOfTheAnchors) {
  const TrustBundle ab = TrustBundle::FromCertificates({Ca("a"), Ca("b")});
  EXPECT_EQ(ab, TrustBundle::FromCertificates({Ca("b"), Ca("a")}));
  EXPECT_FALSE(ab == TrustBundle::FromCertificates({Ca("a")}));
  EXPECT_EQ(TrustBundle(), TrustBundle::FromCertificates({}));
}

TEST(TrustBundleTest, FindsBySubjectAsNamesMatch) {
  const TrustBundle bundle = TrustBundle::FromCertificates({Ca("Root One"), Ca("other")});
  const auto found = bundle.FindBySubject(*DistinguishedName::FromCommonName("ROOT  one"));
  EXPECT_EQ(found, std::vector<Certificate>{Ca("Root One")});
  EXPECT_TRUE(bundle.FindBySubject(*DistinguishedName::FromCommonName("issuer")).empty());
}

TEST(TrustBundleTest, RefusesACertificateThatIsNoCaAndSaysWhich) {
  const absl::Status status = TrustBundle::FromPem(Ca("a").ToPem() + Leaf().ToPem()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kNotACertificateAuthority);
  EXPECT_NE(ToStd(status.message()).find("certificate 2 of 2"), std::string_view::npos) << status;
  EXPECT_NE(ToStd(status.message()).find("CN=subject"), std::string_view::npos) << status;
}

TEST(TrustBundleTest, VersionOneNeedsItsOwnSignature) {
  // Self-issued, but signed by somebody else: the attestor's certificate with openssl's default
  // answers.
  RawCertificate raw;
  raw.version = "";
  raw.issuer = raw.subject;
  const Certificate impostor = *Certificate::FromDer(raw.Build());
  EXPECT_EQ(ReasonOf(TrustBundle::FromPem(impostor.ToPem()).status()),
            Reason::kNotACertificateAuthority);

  const Workshop workshop;
  workshop.Run(
      "openssl ecparam -name prime256v1 -genkey -noout -out key.pem && "
      "openssl req -new -key key.pem -subj /CN=old -out r.csr && "
      "openssl x509 -req -in r.csr -signkey key.pem -out old.pem");
  const auto bundle = TrustBundle::FromFile(workshop.PathOf("old.pem"));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  ASSERT_EQ(bundle->anchors().size(), 1u);
  EXPECT_EQ(bundle->anchors()[0].version(), 1);
}

TEST(TrustBundleTest, ErrorsNameTheFile) {
  const Workshop workshop;
  workshop.Write("leaf.pem", Leaf().ToPem());
  workshop.Write("empty.pem", "");
  workshop.Write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  const struct {
    std::string_view file;
    Reason reason;
  } kCases[] = {
      {"leaf.pem", Reason::kNotACertificateAuthority},
      {"empty.pem", Reason::kFileEmpty},
      {"key.pem", Reason::kCertificateMissing},
      {"missing.pem", Reason::kFileNotFound},
  };
  for (const auto& test : kCases) {
    const absl::Status status = TrustBundle::FromFile(workshop.PathOf(test.file)).status();
    EXPECT_EQ(ReasonOf(status), test.reason) << status;
    EXPECT_NE(ToStd(status.message()).find(test.file), std::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace troth
