#include "troth/identity/identity.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troth/identity/identity_testing.h"

namespace troth {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr auto kDay = std::chrono::hours(24);

using Result = absl::StatusOr<std::shared_ptr<const Identity>>;

Result Create(std::string_view certificate, std::string_view key, std::string_view bundle,
              Time now = TestTime()) {
  return Identity::Create(
      {.certificate_pem = certificate, .private_key_pem = key, .trust_bundle_pem = bundle}, now);
}

std::string MessageOf(const Result& result) {
  return std::string(ToStd(result.status().message()));
}

class IdentityTest : public ::testing::Test {
 protected:
  const TestAuthority root_{"root"};
  const Leaf leaf_ = root_.IssueLeaf();
};

TEST_F(IdentityTest, IsMadeOfAKeyItsCertificateAndTheBundle) {
  const Result identity = Create(leaf_.certificate_pem, leaf_.key_pem, root_.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE((*identity)->has_certificate());
  EXPECT_EQ((*identity)->leaf(), leaf_.certificate);
  EXPECT_EQ((*identity)->private_key().public_key(), leaf_.certificate.public_key());
  EXPECT_THAT((*identity)->chain(), ElementsAre(leaf_.certificate));
  EXPECT_EQ((*identity)->ChainPem(), leaf_.certificate_pem);
  EXPECT_THAT((*identity)->trust_bundle().anchors(), ElementsAre(root_.certificate()));
  EXPECT_THAT((*identity)->warnings(), IsEmpty());
}

TEST_F(IdentityTest, WithoutCertificateAndKeyItOnlyTrusts) {
  const Result identity = Create("", "", root_.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_FALSE((*identity)->has_certificate());
  EXPECT_THAT((*identity)->trust_bundle().anchors(), ElementsAre(root_.certificate()));
  EXPECT_EQ((*identity)->expires(), std::nullopt);
  EXPECT_EQ((*identity)->ChainPem(), "");
}

TEST_F(IdentityTest, WithoutABundleItTrustsNobodyAndSendsWhatTheFileHas) {
  const TestAuthority issuer = root_.Intermediate("issuer");
  const Leaf leaf = issuer.IssueLeaf();
  const Result identity =
      Create(root_.pem() + issuer.pem() + leaf.certificate_pem, leaf.key_pem, "");
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE((*identity)->trust_bundle().empty());
  EXPECT_THAT((*identity)->chain(), ElementsAre(leaf.certificate, issuer.certificate()));
}

TEST_F(IdentityTest, KeyAndCertificateMayBeOneText) {
  for (const std::string& both :
       {leaf_.key_pem + leaf_.certificate_pem, leaf_.certificate_pem + leaf_.key_pem}) {
    for (const Result& identity : {Create(both, both, root_.pem()), Create(both, "", root_.pem()),
                                   Create("", both, root_.pem())}) {
      ASSERT_TRUE(identity.ok()) << identity.status();
      EXPECT_EQ((*identity)->leaf(), leaf_.certificate);
    }
  }
}

TEST_F(IdentityTest, OneOfTheTwoAloneIsMissingTheOther) {
  const Result no_key = Create(leaf_.certificate_pem, "", root_.pem());
  EXPECT_EQ(ReasonOf(no_key.status()), Reason::kKeyMalformed);
  const Result no_certificate = Create("", leaf_.key_pem, root_.pem());
  EXPECT_EQ(ReasonOf(no_certificate.status()), Reason::kCertificateMissing);
}

TEST_F(IdentityTest, TheLeafIsTheKeysWhereverItStands) {
  const Leaf old = root_.IssueLeaf();
  for (const std::string& file : {root_.pem() + leaf_.certificate_pem,
                                  old.certificate_pem + leaf_.certificate_pem + root_.pem()}) {
    const Result identity = Create(file, leaf_.key_pem, root_.pem());
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_THAT((*identity)->chain(), ElementsAre(leaf_.certificate));
    EXPECT_THAT((*identity)->warnings(), ElementsAre(HasSubstr("number 2 of the file")));
  }
  // An old leaf behind the new one is nothing unusual.
  const Result identity =
      Create(leaf_.certificate_pem + old.certificate_pem, leaf_.key_pem, root_.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_THAT((*identity)->chain(), ElementsAre(leaf_.certificate));
  EXPECT_THAT((*identity)->warnings(), IsEmpty());
}

TEST_F(IdentityTest, OfSeveralCertificatesForTheKeyTheNewestValidOneCounts) {
  const PrivateKey key = NewKey();
  const auto issue = [&](int from_day, int to_day) {
    return root_.IssueLeaf(
        {.validity = {TestTime() + from_day * kDay, TestTime() + to_day * kDay}, .key = &key});
  };
  const Leaf expired = issue(-20, -10);
  const Leaf older = issue(-10, 10);
  const Leaf newer = issue(-1, 5);
  const Leaf coming = issue(1, 30);
  const std::string all = expired.certificate_pem + older.certificate_pem + newer.certificate_pem +
                          coming.certificate_pem;
  const auto leaf_at = [&](int day) {
    const Result identity = Create(all, expired.key_pem, root_.pem(), TestTime() + day * kDay);
    EXPECT_TRUE(identity.ok()) << identity.status();
    return identity.ok() ? (*identity)->leaf() : root_.certificate();
  };
  EXPECT_EQ(leaf_at(-15), expired.certificate);
  EXPECT_EQ(leaf_at(-5), older.certificate);
  EXPECT_EQ(leaf_at(0), newer.certificate);
  EXPECT_EQ(leaf_at(2), coming.certificate);
  EXPECT_EQ(ReasonOf(Create(all, expired.key_pem, root_.pem(), TestTime() + 40 * kDay).status()),
            Reason::kCertificateExpired);
}

TEST_F(IdentityTest, IntermediatesAreFoundInAnyOrderAndTheAnchorIsLeftOut) {
  const TestAuthority upper = root_.Intermediate("upper");
  const TestAuthority lower = upper.Intermediate("lower");
  const Leaf leaf = lower.IssueLeaf();
  for (const std::string& rest : {upper.pem() + lower.pem(), lower.pem() + upper.pem(),
                                  root_.pem() + upper.pem() + lower.pem()}) {
    const Result identity = Create(leaf.certificate_pem + rest, leaf.key_pem, root_.pem());
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_THAT((*identity)->chain(),
                ElementsAre(leaf.certificate, lower.certificate(), upper.certificate()));
    EXPECT_EQ((*identity)->ChainPem(), leaf.certificate_pem + lower.pem() + upper.pem());
  }
  const Result gap = Create(leaf.certificate_pem + lower.pem(), leaf.key_pem, root_.pem());
  EXPECT_EQ(ReasonOf(gap.status()), Reason::kIssuerUnknown);
}

// Peers who trust only the root need the intermediate that we happen to trust directly.
TEST_F(IdentityTest, AnIntermediateThatIsAnAnchorIsStillSentWhenTheFileHasIt) {
  const TestAuthority issuer = root_.Intermediate("issuer");
  const Leaf leaf = issuer.IssueLeaf();
  const Result with = Create(leaf.certificate_pem + issuer.pem(), leaf.key_pem, issuer.pem());
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_THAT((*with)->chain(), ElementsAre(leaf.certificate, issuer.certificate()));
  const Result without = Create(leaf.certificate_pem, leaf.key_pem, issuer.pem());
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_THAT((*without)->chain(), ElementsAre(leaf.certificate));
}

TEST_F(IdentityTest, ACrossCertificateOfTheRootIsSentWhenTheFileHasIt) {
  const TestAuthority elder("elder root");
  const Certificate cross = root_.CertifiedBy(elder);
  const Result identity = Create(leaf_.certificate_pem + cross.ToPem(), leaf_.key_pem, root_.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_THAT((*identity)->chain(), ElementsAre(leaf_.certificate, cross));

  const Certificate expired =
      root_.CertifiedBy(elder, Validity{TestTime() - 10 * kDay, TestTime() - kDay});
  const Result without =
      Create(leaf_.certificate_pem + expired.ToPem(), leaf_.key_pem, root_.pem());
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_THAT((*without)->chain(), ElementsAre(leaf_.certificate));
}

TEST_F(IdentityTest, AKeyOfAnotherCertificateIsRefusedWithBothNamed) {
  const Leaf other = root_.IssueLeaf({.common_name = "other.example"});
  const PrivateKey rsa = NewKey(KeyType::kRsa2048);
  for (const std::string& key : {other.key_pem, PemOf(rsa)}) {
    const Result result = Identity::Create({.certificate_pem = leaf_.certificate_pem,
                                            .private_key_pem = key,
                                            .trust_bundle_pem = {},
                                            .certificate_name = "'server.pem'",
                                            .private_key_name = "'other.key'"},
                                           TestTime());
    EXPECT_EQ(ReasonOf(result.status()), Reason::kKeyMismatch);
    EXPECT_THAT(MessageOf(result), AllOf(StartsWith("'other.key'"), HasSubstr("'server.pem'"),
                                         HasSubstr("CN=localhost")));
  }
}

TEST_F(IdentityTest, AnEncryptedKeyNeedsItsPassphrase) {
  const PrivateKey key = NewKey(KeyType::kRsa2048);
  const Leaf leaf = root_.IssueLeaf({.key = &key});
  const Secret right(std::string("correct horse"));
  const Secret wrong(std::string("battery staple"));
  for (const auto format : {PrivateKey::Format::kPkcs8, PrivateKey::Format::kTraditional}) {
    const Secret pem = *key.ToEncryptedPem(right, format);
    Identity::Parts parts{.certificate_pem = leaf.certificate_pem,
                          .private_key_pem = pem.Reveal(),
                          .trust_bundle_pem = {}};
    EXPECT_EQ(ReasonOf(Identity::Create(parts, TestTime()).status()), Reason::kKeyEncrypted);
    parts.passphrase = &wrong;
    EXPECT_EQ(ReasonOf(Identity::Create(parts, TestTime()).status()), Reason::kPassphraseWrong);
    parts.passphrase = &right;
    EXPECT_TRUE(Identity::Create(parts, TestTime()).ok());
  }
}

TEST_F(IdentityTest, IsValidFromTheFirstToTheLastSecondOfItsLeaf) {
  const Validity& validity = leaf_.certificate.validity();
  const auto reason_at = [&](Time now) {
    return ReasonOf(Create(leaf_.certificate_pem, leaf_.key_pem, root_.pem(), now).status());
  };
  EXPECT_EQ(reason_at(validity.not_before - Seconds(1)), Reason::kCertificateNotYetValid);
  EXPECT_EQ(reason_at(validity.not_before), std::nullopt);
  EXPECT_EQ(reason_at(validity.not_after), std::nullopt);
  EXPECT_EQ(reason_at(validity.not_after + Seconds(1)), Reason::kCertificateExpired);
  const Result identity = Create(leaf_.certificate_pem, leaf_.key_pem, root_.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ((*identity)->expires(), validity.not_after + Seconds(1));
}

// The leaf is cut to its issuer's end when it is issued, so this takes a second certificate of the
// issuer's key.
TEST_F(IdentityTest, EndsWithTheFirstOfItsChain) {
  const TestAuthority elder("elder root", Validity{TestTime() - kDay, TestTime() + 7 * kDay});
  const Certificate cross = root_.CertifiedBy(elder);
  const std::string file = leaf_.certificate_pem + cross.ToPem();
  const Result identity = Create(file, leaf_.key_pem, elder.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ((*identity)->expires(), TestTime() + 7 * kDay + Seconds(1));
  EXPECT_EQ(ReasonOf(Create(file, leaf_.key_pem, elder.pem(), TestTime() + 8 * kDay).status()),
            Reason::kCertificateExpired);
  // Where the root is trusted, the cross-certificate is an extra whose end does not matter.
  const Result direct = Create(file, leaf_.key_pem, root_.pem());
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ((*direct)->expires(), leaf_.certificate.validity().not_after + Seconds(1));
}

TEST_F(IdentityTest, AChainOfAnotherAuthorityIsRefusedUnlessAllowed) {
  const TestAuthority other("other root");
  const TestAuthority namesake("root");
  const TestAuthority issuer = other.Intermediate("issuer");
  const Leaf foreign = issuer.IssueLeaf();
  const Leaf imitated = namesake.IssueLeaf();
  const PrivateKey key = NewKey();
  const std::string foreign_file = foreign.certificate_pem + issuer.pem();
  for (const auto& [file, key_pem, length] :
       std::initializer_list<std::tuple<std::string, std::string, size_t>>{
           {foreign_file, foreign.key_pem, 2},
           {imitated.certificate_pem, imitated.key_pem, 1},
           {other.pem(), PemOf(other.key()), 1}}) {
    Identity::Parts parts{
        .certificate_pem = file, .private_key_pem = key_pem, .trust_bundle_pem = root_.pem()};
    const std::string bundle = root_.pem();
    parts.trust_bundle_pem = bundle;
    const Result refused = Identity::Create(parts, TestTime());
    EXPECT_THAT(ReasonOf(refused.status()),
                ::testing::AnyOf(Reason::kIssuerUnknown, Reason::kCertificateSelfSigned,
                                 Reason::kSignatureInvalid));
    EXPECT_THAT(MessageOf(refused), AllOf(StartsWith("certificate"), HasSubstr("trust bundle")));
    parts.allow_untrusted_chain = true;
    const Result allowed = Identity::Create(parts, TestTime());
    ASSERT_TRUE(allowed.ok()) << allowed.status();
    EXPECT_EQ((*allowed)->chain().size(), length);
    EXPECT_THAT((*allowed)->warnings(), ::testing::Contains(HasSubstr("another authority")));
  }
}

TEST_F(IdentityTest, OnlyAnotherAuthorityIsAllowedNotABrokenChain) {
  const TestAuthority elder("elder root");
  const Certificate cross =
      root_.CertifiedBy(elder, Validity{TestTime() - 10 * kDay, TestTime() - kDay});
  const std::string file = leaf_.certificate_pem + cross.ToPem();
  const std::string bundle = elder.pem();
  const Result result = Identity::Create({.certificate_pem = file,
                                          .private_key_pem = leaf_.key_pem,
                                          .trust_bundle_pem = bundle,
                                          .allow_untrusted_chain = true},
                                         TestTime());
  EXPECT_EQ(ReasonOf(result.status()), Reason::kCertificateExpired);
}

TEST_F(IdentityTest, ASelfSignedCertificateThatTheBundleHoldsIsItsOwnChain) {
  const TestAuthority self("localhost");
  const Result identity = Create(self.pem(), PemOf(self.key()), self.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_THAT((*identity)->chain(), ElementsAre(self.certificate()));
}

TEST_F(IdentityTest, ABundleIsChecked) {
  EXPECT_EQ(ReasonOf(Create("", "", leaf_.certificate_pem).status()),
            Reason::kNotACertificateAuthority);
  const Result key = Create(leaf_.certificate_pem, leaf_.key_pem, leaf_.key_pem);
  EXPECT_EQ(ReasonOf(key.status()), Reason::kCertificateMissing);
  EXPECT_THAT(MessageOf(key), StartsWith("trust bundle: "));
}

TEST_F(IdentityTest, AnExpiredAuthorityOfTheBundleIsWarnedOf) {
  const TestAuthority old("old root", Validity{TestTime() - 9 * kDay, TestTime() - kDay});
  const Result identity = Create("", "", root_.pem() + old.pem());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_THAT((*identity)->warnings(),
              ElementsAre(AllOf(HasSubstr("CN=old root"), HasSubstr("expired"))));
}

TEST_F(IdentityTest, PoorCertificatesWorkWithAWarning) {
  const TestFolder folder;
  folder.Run(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out "
      "ca.pem -subj /CN=ca -days 365 && "
      "openssl req -new -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj "
      "/CN=localhost && "
      "openssl x509 -req -sha256 -days 365 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
      "-out server.pem");
  for (const std::string& bundle : {*ReadFile(folder / "ca.pem"), std::string()}) {
    const Result identity = Create(*ReadFile(folder / "server.pem"),
                                   *ReadFile(folder / "server.key"), bundle, Clock::System().Now());
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_THAT((*identity)->warnings(), ::testing::Contains(HasSubstr("version 1")));
  }
}

// The key is the certificate's, but nothing could be verified with it in this form.
TEST_F(IdentityTest, AKeyInAFormThatIsNotSupportedIsNamed) {
  const TestFolder folder;
  folder.Run(
      "openssl ecparam -name prime256v1 -genkey -noout -out plain.key && "
      "openssl ec -in plain.key -conv_form compressed -out compressed.key && "
      "openssl req -x509 -new -key compressed.key -out compressed.pem -subj /CN=localhost");
  const Result result = Create(*ReadFile(folder / "compressed.pem"),
                               *ReadFile(folder / "plain.key"), "", Clock::System().Now());
  EXPECT_EQ(ReasonOf(result.status()), Reason::kAlgorithmNotAllowed);
  EXPECT_THAT(MessageOf(result), HasSubstr("compressed"));
}

TEST_F(IdentityTest, WeakKeysAreRefused) {
  const TestFolder folder;
  folder.Run("openssl req -x509 -newkey rsa:1024 -nodes -keyout w.key -out w.pem -subj /CN=weak");
  const Result result =
      Create(*ReadFile(folder / "w.pem"), *ReadFile(folder / "w.key"), "", Clock::System().Now());
  EXPECT_EQ(ReasonOf(result.status()), Reason::kKeyTooWeak);
  EXPECT_THAT(MessageOf(result), StartsWith("certificate: CN=weak"));
}

}  // namespace
}  // namespace troth
