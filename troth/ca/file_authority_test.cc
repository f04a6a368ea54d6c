#include "troth/ca/file_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/depot_listing.h"
#include "troth/ca/key_pair_files.h"

namespace troth {
namespace {

using ca_testing::Content;
using ca_testing::FakeClock;
using ca_testing::ModeOf;
using ca_testing::TestFolder;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kDay = std::chrono::hours(24);

class FileAuthorityTest : public testing::Test {
 protected:
  KeyChoice Key(std::string passphrase = "") {
    return {.type = KeyType::kP256,
            .new_passphrase = [passphrase] { return Secret(std::string(passphrase)); },
            .open_passphrase =
                [passphrase](const std::string&) { return Secret(std::string(passphrase)); }};
  }
  InitOptions Init(const std::string& name) {
    return {.subject = *DistinguishedName::FromCommonName(name), .key = Key()};
  }
  RequestOptions Request(const std::string& name, std::vector<AlternativeName> names = {}) {
    return {.subject = *DistinguishedName::FromCommonName(name),
            .names = std::move(names),
            .name = name,
            .key = Key()};
  }
  SignOptions Sign(const std::string& name, const std::string& authority = "ca") {
    return {.name = name, .authority = authority};
  }
  void MakeAuthority(const std::string& name = "ca") {
    const absl::StatusOr<InitResult> made = InitAuthority(depot_, Init(name), clock_);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  Certificate MakeLeaf(const std::string& name, const std::string& authority = "ca") {
    EXPECT_TRUE(MakeRequest(depot_, Request(name)).ok());
    absl::StatusOr<SignResult> made = SignRequest(depot_, Sign(name, authority), clock_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made->certificate;
  }
  RevokeOptions Revoke(const std::string& name) {
    return {.name = name, .crl = {.authority = "ca"}};
  }
  Crl PresentCrl() {
    return *ReadCrl(depot_.CrlPath("ca"),
                    ReadCertificateFile(depot_.CertificatePath("ca"))->front());
  }

  TestFolder folder_;
  Depot depot_{folder_ / "out"};
  FakeClock clock_;
};

TEST_F(FileAuthorityTest, InitMakesKeyCertificateAndEmptyCrlAsCertstrapExpectsThem) {
  const absl::StatusOr<InitResult> made = InitAuthority(depot_, Init("Cert Auth"), clock_);
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_THAT(made->files, SizeIs(3));
  EXPECT_EQ(made->files[0].path, folder_ / "out/Cert_Auth.key");
  EXPECT_EQ(made->files[1].path, folder_ / "out/Cert_Auth.crt");
  EXPECT_EQ(made->files[2].path, folder_ / "out/Cert_Auth.crl");
  // certstrap refuses files with any bit beyond 0440 and 0444.
  EXPECT_EQ(ModeOf(made->files[0].path), 0400U);
  EXPECT_EQ(ModeOf(made->files[1].path), 0444U);
  EXPECT_EQ(ModeOf(made->files[2].path), 0444U);
  EXPECT_EQ(made->certificate.subject().ToString(), "CN=Cert Auth");
  EXPECT_EQ(FormatTime(made->certificate.validity().not_after), "2028-05-21T02:29:09Z");
  EXPECT_EQ(made->certificate.basic_constraints()->path_length, 0);
  const absl::StatusOr<Crl> crl = ReadCrl(made->files[2].path, made->certificate);
  ASSERT_TRUE(crl.ok()) << crl.status();
  EXPECT_THAT(crl->entries(), IsEmpty());
  EXPECT_EQ(crl->next_update(), made->certificate.validity().not_after);
}

TEST_F(FileAuthorityTest, KeysAreWrittenAsCertstrapReadsThem) {
  struct Case {
    KeyType type;
    const char* passphrase;
    const char* first_line;
    const char* contains;
  };
  for (const Case& c :
       {Case{KeyType::kRsa2048, "", "-----BEGIN RSA PRIVATE KEY-----\n", ""},
        Case{KeyType::kRsa2048, "secret", "-----BEGIN RSA PRIVATE KEY-----\n",
             "DEK-Info: DES-EDE3-CBC"},
        Case{KeyType::kP256, "", "-----BEGIN PRIVATE KEY-----\n", ""},
        Case{KeyType::kP256, "secret", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", ""},
        Case{KeyType::kEd25519, "", "-----BEGIN PRIVATE KEY-----\n", ""}}) {
    const PrivateKey key = *PrivateKey::Generate(c.type);
    const absl::StatusOr<Secret> pem = DepotKeyPem(key, Secret(std::string(c.passphrase)));
    ASSERT_TRUE(pem.ok()) << pem.status();
    EXPECT_TRUE(pem->Reveal().starts_with(c.first_line)) << NameOf(c.type);
    EXPECT_NE(pem->Reveal().find(c.contains), std::string_view::npos);
  }
}

TEST_F(FileAuthorityTest, NamesBecomeFileNames) {
  EXPECT_EQ(*AuthorityFileName("Cert  Auth"), "Cert__Auth");
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "a\nb"}) {
    EXPECT_EQ(ReasonOf(AuthorityFileName(bad).status()), Reason::kUsageError) << bad;
  }
  EXPECT_EQ(RequestFileName("*.example.com"), "_.example.com");
  EXPECT_EQ(RequestFileName("spiffe://example.com/a b"), "spiffe_example.com_a_b");
  EXPECT_EQ(RequestFileName("../../etc/passwd"), ".._.._etc_passwd");
}

TEST_F(FileAuthorityTest, SigningTakesKeySubjectAndNamesOfTheRequest) {
  MakeAuthority();
  ASSERT_TRUE(MakeRequest(depot_, Request("db", {*AlternativeName::Parse("db.example.com"),
                                                 *AlternativeName::Parse("10.0.0.7"),
                                                 *AlternativeName::Parse("spiffe://e.com/db")}))
                  .ok());
  const absl::StatusOr<SignResult> made = SignRequest(depot_, Sign("db"), clock_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->certificate_file, folder_ / "out/db.crt");
  EXPECT_EQ(made->request_file, folder_ / "out/db.csr");
  EXPECT_EQ(made->authority_key_file, folder_ / "out/ca.key");
  EXPECT_THAT(made->certificate.alternative_names(), SizeIs(3));
  EXPECT_EQ(made->certificate.public_key(),
            ReadKeyFile(folder_ / "out/db.key", nullptr)->public_key());
  EXPECT_THAT(*made->certificate.extended_key_usage(),
              ElementsAre(std::string(kServerAuthOid), std::string(kClientAuthOid)));
  EXPECT_TRUE(made->ends_with_authority) << "two years asked for, the CA has eighteen months";
  EXPECT_EQ(made->certificate.validity().not_after,
            ReadCertificateFile(folder_ / "out/ca.crt")->front().validity().not_after);
  EXPECT_THAT(made->warnings, IsEmpty());
}

TEST_F(FileAuthorityTest, TheCommonNameIsTheNameWhenNoneIsAskedFor) {
  MakeAuthority();
  EXPECT_EQ(MakeLeaf("192.168.1.18").alternative_names().front().ToString(), "IP:192.168.1.18");
  EXPECT_EQ(MakeLeaf("alice").alternative_names().front().ToString(), "DNS:alice");

  ASSERT_TRUE(MakeRequest(depot_, Request("Alice Liddell")).ok());
  const absl::StatusOr<SignResult> person = SignRequest(depot_, Sign("Alice Liddell"), clock_);
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_THAT(person->certificate.alternative_names(), IsEmpty());
  EXPECT_THAT(person->warnings, SizeIs(1));
}

// The attestor document's last command signs a certificate over the CA's file.
TEST_F(FileAuthorityTest, SigningNeverOverwritesACaAKeyOrACertificate) {
  MakeAuthority();
  MakeLeaf("old");
  ASSERT_TRUE(MakeRequest(depot_, Request("attestor1")).ok());
  std::filesystem::copy_file(folder_ / "out/ca.crt", folder_ / "ca.cer");
  std::filesystem::create_symlink(folder_ / "out/ca.crt", folder_ / "link.cer");
  for (const std::string& target :
       {folder_ / "ca.cer", folder_ / "out/ca.crt", folder_ / "out/ca.key", folder_ / "out/ca.crl",
        folder_ / "out/attestor1.key", folder_ / "out/old.crt", folder_ / "link.cer"}) {
    SCOPED_TRACE(target);
    const std::string before = Content(target);
    SignOptions options = Sign("attestor1");
    options.certificate_file = target;
    EXPECT_EQ(ReasonOf(SignRequest(depot_, options, clock_).status()), Reason::kFileExists);
    EXPECT_EQ(Content(target), before);
  }
  SignOptions options{.name = "attestor1",
                      .authority_certificate_file = folder_ / "ca.cer",
                      .authority_key_file = folder_ / "out/ca.key"};
  options.certificate_file = folder_ / "attestor1.cer";
  EXPECT_TRUE(SignRequest(depot_, options, clock_).ok());
}

TEST_F(FileAuthorityTest, NothingThatIsThereIsMadeAgain) {
  MakeAuthority();
  MakeLeaf("db");
  EXPECT_EQ(ReasonOf(InitAuthority(depot_, Init("ca"), clock_).status()), Reason::kFileExists);
  EXPECT_EQ(ReasonOf(MakeRequest(depot_, Request("db")).status()), Reason::kFileExists);
  EXPECT_EQ(ReasonOf(SignRequest(depot_, Sign("db"), clock_).status()), Reason::kFileExists);
  std::filesystem::remove(folder_ / "out/db.csr");
  EXPECT_EQ(ReasonOf(MakeRequest(depot_, Request("db")).status()), Reason::kFileExists)
      << "its key is there";
}

TEST_F(FileAuthorityTest, ARequestThatCannotBeSignedIsRefused) {
  MakeAuthority();
  // The CA's own name, as the default answers of openssl give it; the CA's own key; names of other
  // kinds.
  RequestOptions same_name = Request("CA");
  RequestOptions same_key = Request("thief");
  same_key.key.file = folder_ / "out/ca.key";
  RequestOptions email = Request("mail", {*AlternativeName::Parse("a@example.com")});
  for (const RequestOptions& options : {same_name, same_key, email}) {
    ASSERT_TRUE(MakeRequest(depot_, options).ok());
    EXPECT_EQ(ReasonOf(SignRequest(depot_, Sign(options.name), clock_).status()),
              Reason::kRequestMalformed)
        << options.name;
    EXPECT_FALSE(FileExists(depot_.CertificatePath(options.name)));
  }
}

TEST_F(FileAuthorityTest, ACaSignsOnlyInItsDomainsTimeAndDepth) {
  InitOptions init = Init("ca");
  init.permit_domains = {"example.com"};
  ASSERT_TRUE(InitAuthority(depot_, init, clock_).ok());
  ASSERT_TRUE(MakeRequest(depot_, Request("db.example.com")).ok());
  ASSERT_TRUE(MakeRequest(depot_, Request("db.example.net")).ok());
  EXPECT_TRUE(SignRequest(depot_, Sign("db.example.com"), clock_).ok());
  EXPECT_EQ(ReasonOf(SignRequest(depot_, Sign("db.example.net"), clock_).status()),
            Reason::kNameNotPermitted);

  SignOptions below = Sign("db.example.net");
  below.intermediate = true;
  EXPECT_EQ(ReasonOf(SignRequest(depot_, below, clock_).status()), Reason::kPathLengthExceeded);

  clock_.now += 600 * kDay;
  EXPECT_EQ(ReasonOf(SignRequest(depot_, Sign("db.example.net"), clock_).status()),
            Reason::kCertificateExpired);
}

TEST_F(FileAuthorityTest, AnIntermediateSignsBelowItsRoot) {
  InitOptions init = Init("root");
  init.path_length = 1;
  ASSERT_TRUE(InitAuthority(depot_, init, clock_).ok());
  ASSERT_TRUE(MakeRequest(depot_, Request("issuer")).ok());
  SignOptions sign = Sign("issuer", "root");
  sign.intermediate = true;
  const absl::StatusOr<SignResult> issuer = SignRequest(depot_, sign, clock_);
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  EXPECT_TRUE(issuer->certificate.is_ca());
  EXPECT_EQ(issuer->certificate.basic_constraints()->path_length, 0);
  EXPECT_THAT(issuer->certificate.alternative_names(), IsEmpty());
  EXPECT_EQ(MakeLeaf("db", "issuer").issuer(), issuer->certificate.subject());

  ASSERT_TRUE(MakeRequest(depot_, Request("deeper")).ok());
  SignOptions deeper = Sign("deeper", "root");
  deeper.intermediate = true;
  deeper.path_length = 1;
  EXPECT_EQ(ReasonOf(SignRequest(depot_, deeper, clock_).status()), Reason::kPathLengthExceeded);
}

TEST_F(FileAuthorityTest, ALeafSignsNothing) {
  MakeAuthority();
  MakeLeaf("leaf");
  ASSERT_TRUE(MakeRequest(depot_, Request("victim")).ok());
  EXPECT_EQ(ReasonOf(SignRequest(depot_, Sign("victim", "leaf"), clock_).status()),
            Reason::kNotACertificateAuthority);
}

TEST_F(FileAuthorityTest, AnEncryptedCaKeyIsOpenedByItsPassphrase) {
  InitOptions init = Init("ca");
  init.key = Key("secret");
  const absl::StatusOr<InitResult> made = InitAuthority(depot_, init, clock_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->files[0].encrypted);
  ASSERT_TRUE(MakeRequest(depot_, Request("db")).ok());

  SignOptions sign = Sign("db");
  EXPECT_EQ(ReasonOf(SignRequest(depot_, sign, clock_).status()), Reason::kKeyEncrypted);
  sign.open_passphrase = [](const std::string&) { return Secret(std::string("wrong")); };
  EXPECT_EQ(ReasonOf(SignRequest(depot_, sign, clock_).status()), Reason::kPassphraseWrong);
  sign.open_passphrase = Key("secret").open_passphrase;
  EXPECT_TRUE(SignRequest(depot_, sign, clock_).ok());
}

TEST_F(FileAuthorityTest, AGivenKeyIsUsedAndANewOneWrittenWhereItIsAskedFor) {
  const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  ASSERT_TRUE(WriteFile(folder_ / "own.key", key.ToPem().Reveal(), {.mode = 0600}).ok());
  RequestOptions request = Request("own");
  request.key.file = folder_ / "own.key";
  absl::StatusOr<RequestResult> made = MakeRequest(depot_, request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->files[0].was_there);
  EXPECT_EQ(made->request.public_key(), key.public_key());
  EXPECT_FALSE(FileExists(depot_.KeyPath("own")));

  InitOptions init = Init("ca");
  init.key.file = folder_ / "own.key";
  ASSERT_TRUE(InitAuthority(depot_, init, clock_).ok());
  EXPECT_EQ(ReadKeyFile(depot_.KeyPath("ca"), nullptr)->public_key(), key.public_key());

  request = Request("elsewhere");
  request.key.file = folder_ / "new/elsewhere.key";
  request.request_file = folder_ / "new/elsewhere.csr";
  made = MakeRequest(depot_, request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(ModeOf(folder_ / "new/elsewhere.key"), 0400U);
  EXPECT_TRUE(FileExists(folder_ / "new/elsewhere.csr"));
}

TEST_F(FileAuthorityTest, ARevokedCertificateIsOnTheCrlOnceAndStaysThere) {
  MakeAuthority();
  const Certificate db = MakeLeaf("db");
  const Certificate web = MakeLeaf("web");
  const std::string first_number = *PresentCrl().number();

  RevokeOptions options = Revoke("db");
  options.reason = 1;
  const absl::StatusOr<RevokeResult> revoked = RevokeCertificate(depot_, options, clock_);
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_FALSE(revoked->was_revoked);
  EXPECT_EQ(ModeOf(depot_.CrlPath("ca")), 0444U);

  clock_.now += kDay;
  const absl::StatusOr<RevokeResult> again = RevokeCertificate(depot_, options, clock_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->was_revoked);
  EXPECT_EQ(again->revoked_at, revoked->revoked_at);

  ASSERT_TRUE(RevokeCertificate(depot_, Revoke("web"), clock_).ok());
  ASSERT_TRUE(RenewCrl(depot_, {.authority = "ca", .expires = "30 days"}, clock_).ok());
  const Crl crl = PresentCrl();
  ASSERT_THAT(crl.entries(), SizeIs(2));
  ASSERT_NE(crl.Find(db.serial_number()), nullptr);
  EXPECT_EQ(crl.Find(db.serial_number())->reason, 1);
  EXPECT_EQ(crl.Find(db.serial_number())->revoked_at, revoked->revoked_at);
  EXPECT_NE(crl.Find(web.serial_number()), nullptr);
  EXPECT_EQ(crl.next_update(), clock_.now + 30 * kDay);
  EXPECT_GT(*crl.number(), first_number);
}

TEST_F(FileAuthorityTest, ACrlNumberRisesWithinOneSecondAndWhenTheClockFalls) {
  MakeAuthority();
  std::string last = *PresentCrl().number();
  for (int i = 0; i < 3; ++i) {
    clock_.now -= Seconds(i);
    ASSERT_TRUE(RenewCrl(depot_, {.authority = "ca"}, clock_).ok());
    EXPECT_GT(*PresentCrl().number(), last);
    last = *PresentCrl().number();
  }
}

TEST_F(FileAuthorityTest, ACaThatHasEndedOrNotBegunMakesNoList) {
  MakeAuthority();
  clock_.now += 600 * kDay;
  EXPECT_EQ(ReasonOf(RenewCrl(depot_, {.authority = "ca"}, clock_).status()),
            Reason::kCertificateExpired);
  clock_.now -= 700 * kDay;
  EXPECT_EQ(ReasonOf(RenewCrl(depot_, {.authority = "ca"}, clock_).status()),
            Reason::kCertificateNotYetValid);
}

TEST_F(FileAuthorityTest, RevokingRefusesWhatItCannotDo) {
  MakeAuthority();
  MakeAuthority("other");
  MakeLeaf("db");
  MakeLeaf("foreign", "other");
  EXPECT_EQ(ReasonOf(RevokeCertificate(depot_, Revoke("nobody"), clock_).status()),
            Reason::kFileNotFound);
  EXPECT_EQ(ReasonOf(RevokeCertificate(depot_, Revoke("foreign"), clock_).status()),
            Reason::kIssuerUnknown);
  EXPECT_EQ(ReasonOf(RevokeCertificate(depot_, Revoke("ca"), clock_).status()),
            Reason::kUsageError);
  for (const int reason : {-1, 7, 8, 11}) {
    RevokeOptions options = Revoke("db");
    options.reason = reason;
    EXPECT_EQ(ReasonOf(RevokeCertificate(depot_, options, clock_).status()), Reason::kUsageError);
  }
  EXPECT_THAT(PresentCrl().entries(), IsEmpty());
}

TEST_F(FileAuthorityTest, ALostOrForeignCrlIsNotReplacedByAnEmptyOne) {
  MakeAuthority();
  MakeAuthority("other");
  MakeLeaf("db");
  std::filesystem::remove(depot_.CrlPath("ca"));
  EXPECT_EQ(ReasonOf(RevokeCertificate(depot_, Revoke("db"), clock_).status()),
            Reason::kFileNotFound);
  std::filesystem::copy_file(depot_.CrlPath("other"), depot_.CrlPath("ca"));
  EXPECT_EQ(ReasonOf(RevokeCertificate(depot_, Revoke("db"), clock_).status()),
            Reason::kCrlMalformed);
  EXPECT_EQ(ReasonOf(RenewCrl(depot_, {.authority = "ca"}, clock_).status()),
            Reason::kCrlMalformed);
  std::filesystem::remove(depot_.CrlPath("ca"));
  EXPECT_TRUE(RenewCrl(depot_, {.authority = "ca"}, clock_).ok()) << "asked for in so many words";
}

TEST_F(FileAuthorityTest, TheListingTellsEveryState) {
  MakeAuthority();
  MakeLeaf("valid");
  MakeLeaf("revoked");
  ASSERT_TRUE(RevokeCertificate(depot_, Revoke("revoked"), clock_).ok());
  ASSERT_TRUE(MakeRequest(depot_, Request("waiting")).ok());
  ASSERT_TRUE(MakeRequest(depot_, Request("short")).ok());
  SignOptions sign = Sign("short");
  sign.expires = "1 hour";
  ASSERT_TRUE(SignRequest(depot_, sign, clock_).ok());
  ASSERT_TRUE(WriteFile(depot_.CertificatePath("broken"), "not a certificate", {}).ok());
  clock_.now += kDay;

  const DepotListing listing = ListDepot(depot_, clock_.now);
  std::vector<std::string> lines;
  for (const DepotEntry& entry : listing.entries) {
    lines.push_back(entry.name + " " + std::string(NameOf(entry.state)) + " " + entry.authority);
  }
  EXPECT_THAT(lines, ElementsAre("ca valid ca", "revoked revoked ca", "short expired ca",
                                 "valid valid ca", "waiting requested "));
  EXPECT_THAT(listing.problems, ElementsAre(testing::HasSubstr("broken.crt")));
}

TEST_F(FileAuthorityTest, AnAbsentFolderListsNothing) {
  const DepotListing listing = ListDepot(Depot("/nonexistent"), clock_.now);
  EXPECT_THAT(listing.entries, IsEmpty());
  EXPECT_THAT(listing.problems, IsEmpty());
}

}  // namespace
}  // namespace troth
