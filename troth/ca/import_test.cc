#include "troth/ca/import.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/crl_file.h"
#include "troth/pki/issue_testing.h"

namespace troth {
namespace {

using ca_testing::Content;
using ca_testing::ModeOf;
using testing::CaTemplate;
using testing::MakeKey;
using testing::MakeSigner;
using testing::Value;

class ImportTest : public ::testing::Test {
 protected:
  ImportTest() { MakeCa(CaTemplate(key_.public_key(), "/C=SE/O=Example/CN=CA")); }

  // Writes a CA's files, its key encrypted when there is a passphrase.
  void MakeCa(const CertificateTemplate& what, const Secret* passphrase = nullptr) {
    const Certificate certificate = Value(IssueSelfSigned(what, key_));
    const Secret pem =
        passphrase == nullptr ? key_.ToPem() : Value(key_.ToEncryptedPem(*passphrase));
    Write("ca.key", pem.Reveal());
    Write("ca.crt", certificate.ToPem());
  }
  void Write(std::string_view name, std::string_view content) {
    ASSERT_TRUE(
        WriteFile(folder_ / name, content, {.mode = 0600, .overwrite = Overwrite::kReplace}).ok());
  }
  ImportSpec Spec(bool one_tier) const {
    return {.settings = {.one_tier = one_tier, .trust_domain = "example.org"},
            .certificate = folder_ / "ca.crt",
            .private_key = folder_ / "ca.key",
            .ask = ask_};
  }
  absl::Status Import(bool one_tier) { return ImportAuthority(to_, Spec(one_tier), clock_); }

  ca_testing::TestFolder folder_;
  ca_testing::FakeClock clock_;
  const PrivateKey key_ = MakeKey();
  const AuthorityFolder to_{folder_ / "data"};
  AskPassphrase ask_ = [](const std::string&) { return Secret("secret"); };
};

TEST_F(ImportTest, TheKeyBecomesTheAuthoritysWithOneTier) {
  const std::string certificate = Content(folder_ / "ca.crt"), key = Content(folder_ / "ca.key");
  ASSERT_TRUE(Import(true).ok());
  const auto keys = OpenAuthority(to_, nullptr, clock_.Now());
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->root.ToPem(), certificate);
  EXPECT_EQ(keys->issuer.certificate(), keys->root);
  EXPECT_TRUE(Value(ReadSettings(to_)).one_tier);
  EXPECT_EQ(ModeOf(to_.RootKey()), 0600u);
  EXPECT_EQ(ModeOf(to_.path()), 0700u);
  // The source is as it was.
  EXPECT_EQ(Content(folder_ / "ca.crt"), certificate);
  EXPECT_EQ(Content(folder_ / "ca.key"), key);
}

TEST_F(ImportTest, TheKeySignsAnIssuerWithTwoTiers) {
  ASSERT_TRUE(Import(false).ok());
  const auto keys = OpenAuthority(to_, nullptr, clock_.Now());
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->root.ToPem(), Content(folder_ / "ca.crt"));
  EXPECT_NE(keys->issuer.certificate(), keys->root);
  EXPECT_EQ(keys->issuer.certificate().issuer(), keys->root.subject());
}

TEST_F(ImportTest, AnEncryptedKeyStaysUnderItsPassphrase) {
  const Secret passphrase("secret");
  MakeCa(CaTemplate(key_.public_key()), &passphrase);
  ASSERT_TRUE(Import(true).ok());
  EXPECT_NE(Content(to_.RootKey()).find("ENCRYPTED"), std::string::npos);
  EXPECT_TRUE(OpenAuthority(to_, ask_, clock_.Now()).ok());
  const auto wrong = OpenAuthority(
      to_, [](const std::string&) { return Secret("other"); }, clock_.Now());
  EXPECT_EQ(ReasonOf(wrong.status()), Reason::kPassphraseWrong);
}

TEST_F(ImportTest, ASecondRunLeavesTheAuthorityAsItIs) {
  ASSERT_TRUE(Import(false).ok());
  const std::string issuer = Content(to_.IssuerCertificate());
  EXPECT_TRUE(Import(false).ok());
  EXPECT_EQ(Content(to_.IssuerCertificate()), issuer);
  EXPECT_EQ(ReasonOf(Import(true)), Reason::kFileExists);
}

TEST_F(ImportTest, WhatTheCaRevokedStaysRevokedBelowTheNewIssuerToo) {
  const Certificate ca = Value(Certificate::FromPem(Content(folder_ / "ca.crt")));
  const Signer signer =
      Value(Signer::Create(ca, Value(PrivateKey::FromPem(key_.ToPem().Reveal()))));
  const auto list_of = [&](std::vector<RevokedEntry> entries, std::uint64_t number) {
    return Value(IssueCrl({.this_update = clock_.Now(),
                           .next_update = clock_.Now() + Seconds(3600),
                           .number = number,
                           .entries = std::move(entries)},
                          signer));
  };
  const auto entry = [&](int reason) {
    return RevokedEntry{.serial = SerialNumber::Generate(clock_.Now()),
                        .revoked_at = clock_.Now(),
                        .reason = reason};
  };
  const RevokedEntry bad = entry(1), worse = entry(0);
  constexpr std::uint64_t kFar = std::uint64_t{1} << 60;
  ImportSpec spec = Spec(false);
  spec.lists = {list_of({bad}, kFar)};
  ASSERT_TRUE(ImportAuthority(to_, spec, clock_).ok());
  Crl root_list = Value(ReadCrl(to_.CrlFile(0), ca));
  ASSERT_NE(root_list.Find(bad.serial), nullptr);
  EXPECT_EQ(root_list.Find(bad.serial)->reason, 1);
  EXPECT_EQ(ToHex(*root_list.number()), "1000000000000001") << "it follows the CA's own";
  EXPECT_GT(*root_list.next_update(), clock_.Now() + Seconds(3600 * 24 * 365));

  // What came since is added, and what is there is not taken away.
  spec.lists = {list_of({worse}, kFar)};
  ASSERT_TRUE(ImportAuthority(to_, spec, clock_).ok());
  root_list = Value(ReadCrl(to_.CrlFile(0), ca));
  EXPECT_NE(root_list.Find(bad.serial), nullptr);
  EXPECT_NE(root_list.Find(worse.serial), nullptr);
  ASSERT_TRUE(ImportAuthority(to_, spec, clock_).ok());
  EXPECT_EQ(Value(ReadCrl(to_.CrlFile(0), ca)).der(), root_list.der()) << "nothing was new";
}

TEST_F(ImportTest, AListOfAnotherCaIsRefusedBeforeAnythingIsMade) {
  PrivateKey key = MakeKey();
  const CertificateTemplate what = CaTemplate(key.public_key(), "/CN=other");
  const Signer other = MakeSigner(what, std::move(key));
  ImportSpec spec = Spec(false);
  spec.lists = {Value(
      IssueCrl({.this_update = clock_.Now(), .next_update = clock_.Now() + Seconds(60)}, other))};
  EXPECT_EQ(ReasonOf(ImportAuthority(to_, spec, clock_)), Reason::kIssuerUnknown);
  EXPECT_FALSE(FileExists(to_.path()));
}

TEST_F(ImportTest, AnInterruptedRunIsFinished) {
  // The pair is there; the settings, which are written last, are not.
  ASSERT_TRUE(Import(true).ok());
  ASSERT_EQ(std::remove(to_.Settings().c_str()), 0);
  ASSERT_FALSE(AuthorityExists(to_));
  EXPECT_TRUE(Import(true).ok());
  EXPECT_TRUE(AuthorityExists(to_));
}

TEST_F(ImportTest, AnotherAuthorityIsNotTouched) {
  ASSERT_TRUE(CreateAuthority(to_, {.settings = {.one_tier = true}}, clock_).ok());
  const std::string root = Content(to_.RootCertificate()), key = Content(to_.RootKey());
  EXPECT_EQ(ReasonOf(Import(true)), Reason::kFileExists);
  ASSERT_EQ(std::remove(to_.Settings().c_str()), 0);  // one whose making was interrupted
  EXPECT_EQ(ReasonOf(Import(true)), Reason::kFileExists);
  ASSERT_EQ(std::remove(to_.RootCertificate().c_str()), 0);
  EXPECT_EQ(ReasonOf(Import(true)), Reason::kFileExists);
  EXPECT_EQ(Content(to_.RootKey()), key);
}

TEST_F(ImportTest, WhatCannotBeARootIsRefused) {
  CertificateTemplate what = CaTemplate(key_.public_key());
  what.basic_constraints->path_length = 0;
  MakeCa(what);
  EXPECT_EQ(ReasonOf(Import(false)), Reason::kUsageError);
  EXPECT_FALSE(FileExists(to_.RootKey()));
  EXPECT_TRUE(Import(true).ok());
}

TEST_F(ImportTest, FilesThatDoNotFitAreRefused) {
  struct Row {
    std::string what;
    std::function<void()> damage;
    Reason reason;
  };
  const auto expired = [&] {
    CertificateTemplate what = CaTemplate(key_.public_key());
    what.validity = {testing::At("2020-01-01"), testing::At("2021-01-01")};
    MakeCa(what);
  };
  const auto leaf = [&] {
    CertificateTemplate what = testing::LeafTemplate(key_.public_key());
    MakeCa(what);
  };
  const auto below_another = [&] {
    PrivateKey other = MakeKey();
    const CertificateTemplate root = CaTemplate(other.public_key(), "/CN=above");
    const Signer above = MakeSigner(root, std::move(other));
    Write("ca.crt", Value(Issue(CaTemplate(key_.public_key()), above)).ToPem());
  };
  for (const Row& row :
       {Row{"another key", [&] { Write("ca.key", MakeKey().ToPem().Reveal()); },
            Reason::kKeyMismatch},
        Row{"no key", [&] { std::filesystem::remove(folder_ / "ca.key"); }, Reason::kFileNotFound},
        Row{"no certificate", [&] { Write("ca.crt", "hello"); }, Reason::kFileWrongFormat},
        Row{"expired", expired, Reason::kCertificateExpired},
        Row{"a leaf", leaf, Reason::kNotACertificateAuthority},
        Row{"an intermediate", below_another, Reason::kUsageError}}) {
    MakeCa(CaTemplate(key_.public_key()));
    row.damage();
    EXPECT_EQ(ReasonOf(Import(true)), row.reason) << row.what << ": " << Import(true);
    EXPECT_FALSE(FileExists(to_.path())) << row.what;
  }
}

}  // namespace
}  // namespace troth
