#include "troth/doctor/file_doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/doctor/doctor_testing.h"
#include "troth/doctor/file_doctor_testing.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/pem.h"

namespace troth::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// What certbot leaves in a folder.
void GiveLetsEncrypt(Patient& p) {
  const Certificate leaf = Make(ServerOf("middle"));
  const Certificate middle = Make(Intermediate("middle", "root"));
  p.Give("cert.pem", {leaf});
  p.Give("chain.pem", {middle});
  p.Give("fullchain.pem", {leaf, middle});
  p.GiveKey("privkey.pem", "leaf");
}

struct Case {
  std::string name;
  std::function<void(Patient&)> make;
  std::vector<std::string> faults;  // all of them, and no other
};

void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

std::vector<Case> Cases() {
  return {
      {"AHealthyServer", [](Patient& p) { GiveServer(p); }, {}},
      {"AHealthyServerByName",
       [](Patient& p) {
         GiveServer(p);
         p.options.purpose = Usage::kServer;
         p.options.server_name = Named("leaf.example.com");
       },
       {}},
      {"AHealthyChain",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("middle")), Make(Intermediate("middle", "root"))});
         p.GiveKey("server.key", "leaf");
         GiveRoot(p);
       },
       {}},
      {"AHealthyAuthority",
       [](Patient& p) {
         GiveRoot(p);
         p.GiveKey("ca.key", "root");
         p.Give("ca.crl", MakeCrl({}).ToPem());
       },
       {}},
      {"AHealthyCombinedFile",
       [](Patient& p) {
         p.Give("server.pem", std::string(KeyOf("leaf").ToPem().Reveal()) + Make(Server()).ToPem());
         GiveRoot(p);
       },
       {}},
      {"KeyAndRequestBelongTogether",
       [](Patient& p) {
         p.GiveKey("new.key", "leaf");
         p.Give("new.csr",
                CertificateRequest::Create(KeyOf("leaf"), NameFrom("leaf"), {})->ToPem());
       },
       {}},
      {"CrlfIsFine",
       [](Patient& p) {
         GiveServer(p);
         p.Run("sed -i 's/$/\\r/' server.pem server.key ca.pem");
       },
       {}},

      {"AHealthyFolderOfLetsEncrypt", [](Patient& p) { GiveLetsEncrypt(p); }, {}},
      {"AHealthyFolderOfLetsEncryptWithTheRoot",
       [](Patient& p) {
         GiveLetsEncrypt(p);
         GiveRoot(p);
       },
       {}},
      {"ATrustBundleThatPinsALeaf",
       [](Patient& p) {
         Wanted pinned = Server();
         pinned.subject = "pinned";
         pinned.issuer = "pinned";
         GiveServer(p);
         p.Give("bundle.pem", {Make(Root("root")), Make(Root("other")), Make(pinned)});
       },
       {}},
      {"ATrustBundleThatPinsALeafOfItsRoot",
       [](Patient& p) {
         Wanted pinned = Server();
         pinned.subject = "pinned";
         p.Give("server.pem", {Make(Server())});
         p.GiveKey("server.key", "leaf");
         p.Give("ca.pem", {Make(Root("root")), Make(pinned)});
       },
       {}},
      {"AnEncryptedKeyOfACa",
       [](Patient& p) {
         GiveRoot(p);
         p.GiveKey("ca.key", "root");
         p.Run(Encrypting("ca.key"));
       },
       {}},
      {"AnEncryptedKeyOfACaBesideAServer",
       [](Patient& p) {
         GiveServer(p);
         p.GiveKey("ca.key", "root");
         p.Run(Encrypting("ca.key"));
         p.options.purpose = Usage::kServer;
       },
       {}},
      {"ANameForTheServerOfAFolderWithAClient",
       [](Patient& p) {
         GiveServer(p);
         Wanted client = Leaf("root");
         client.subject = "client";
         client.extended_key_usage = {std::string(kClientAuthOid)};
         client.names.clear();
         p.Give("client.pem", {Make(client)});
         p.options.server_name = Named("leaf.example.com");
       },
       {}},
      {"ATrustBundleWithWhatNothingNeeds",
       [](Patient& p) {
         Wanted old = Root("old");
         old.to = kNow - kDay;
         p.Give("ca.pem", {Make(Root("root")), Make(old)});
         p.Run(
             "openssl req -x509 -newkey rsa:1024 -noenc -keyout weak.key -subj /CN=weak >> ca.pem");
       },
       {}},

      // Files.
      {"Missing",
       [](Patient& p) { p.paths.push_back(p.Path("none.pem")); },
       {"file_not_found none.pem"}},
      {"Empty",
       [](Patient& p) {
         p.Give("empty.pem", "x");
         p.Run(": > empty.pem");
       },
       {"file_empty empty.pem"}},
      {"Garbage",
       [](Patient& p) { p.Give("garbage.pem", "hello, world\n"); },
       {"file_wrong_format garbage.pem"}},
      {"Huge",
       [](Patient& p) {
         p.Give("huge.pem", "x");
         p.Run("truncate -s 200M huge.pem");
       },
       {"file_too_large huge.pem"}},
      {"AFolder",
       [](Patient& p) {
         p.Run("mkdir folder.pem");
         p.paths.push_back(p.Path("folder.pem"));
       },
       {"file_not_regular folder.pem"}},
      {"CutShort",
       [](Patient& p) { p.Give("cut.pem", Make(Server()).ToPem().substr(0, 300)); },
       {"file_wrong_format cut.pem"}},
      {"DamagedCertificate",
       [](Patient& p) { p.Give("bad.pem", FormatPem("CERTIFICATE", "\x30\x03\x02\x01\x05")); },
       {"certificate_malformed bad.pem"}},
      {"JavaKeyStore",
       [](Patient& p) { p.Give("keys.jks", "\xfe\xed\xfe\xed and more"); },
       {"file_wrong_format keys.jks"}},

      // Keys.
      {"WorldReadableKey",
       [](Patient& p) {
         GiveServer(p);
         p.Run("chmod 644 server.key");
       },
       {"key_file_too_open server.key"}},
      {"KeyOfAnother",
       [](Patient& p) {
         p.Give("server.pem", {Make(Server())});
         p.GiveKey("server.key", "another");
         GiveRoot(p);
       },
       {"key_mismatch server.key"}},
      {"CaInPlaceOfTheLeaf",
       [](Patient& p) {
         GiveRoot(p);
         p.GiveKey("server.key", "leaf");
       },
       {"key_mismatch server.key"}},
      {"OpensshKey",
       [](Patient& p) { p.Give("id", FormatPem("OPENSSH PRIVATE KEY", "openssh-key-v1")); },
       {"key_malformed id"}},
      {"TwoKeys",
       [](Patient& p) {
         p.Give("two.key", std::string(KeyOf("leaf").ToPem().Reveal()) +
                               std::string(KeyOf("other").ToPem().Reveal()));
       },
       {"key_malformed two.key"}},

      {"WorldReadableKeyInDer",
       [](Patient& p) {
         GiveServer(p);
         p.Run(
             "openssl pkey -in server.key -outform DER -out der && mv der server.key && "
             "chmod 644 server.key");
       },
       {"file_wrong_format server.key", "key_file_too_open server.key"}},
      {"KeyOfAnotherInBase64",
       [](Patient& p) {
         p.Give("server.pem", {Make(Server())});
         p.GiveKey("server.key", "another");
         GiveRoot(p);
         p.Run("sed -i '/^--/d' server.key");
       },
       {"file_wrong_format server.key", "key_mismatch server.key"}},
      {"EncryptedKeyOfALeaf",
       [](Patient& p) {
         GiveServer(p);
         p.Run(Encrypting("server.key"));
       },
       {"key_encrypted server.key"}},
      {"EncryptedKeyOfNobodyKnowsWhat",
       [](Patient& p) {
         p.GiveKey("some.key", "leaf");
         p.Run(Encrypting("some.key"));
       },
       {"key_encrypted some.key"}},

      // Chains.
      {"RootInTheLeafsPlace",
       [](Patient& p) {
         p.Give("server.pem", {Make(Root("root")), Make(Server())});
         p.GiveKey("server.key", "leaf");
         GiveRoot(p);
       },
       {"key_mismatch server.pem"}},
      {"RootInTheLeafsPlaceWithoutTheKey",
       [](Patient& p) {
         p.Give("server.pem", {Make(Root("root")), Make(Server())});
         GiveRoot(p);
       },
       {"key_mismatch server.pem"}},
      {"CaOfTheSameNameButAnotherKey",
       [](Patient& p) {
         p.Give("server.pem", {Make(Server())});
         Wanted other = Root("root");
         other.key = other.issuer_key = "another root";
         p.Give("ca.pem", {Make(other)});
       },
       {"signature_invalid server.pem"}},
      {"AnotherCa",
       [](Patient& p) {
         p.Give("server.pem", {Make(Server())});
         p.Give("ca.pem", {Make(Root("other"))});
       },
       {"issuer_unknown server.pem"}},
      {"LeafNamedLikeItsCa",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.subject = "root";
         leaf.key = "leaf";
         GiveServer(p, leaf);
       },
       {"certificate_self_signed server.pem"}},
      {"LeafOfVersion1NamedLikeItsCa",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.subject = "root";
         leaf.key = "leaf";
         leaf.version = 1;
         leaf.names.clear();
         p.options.purpose = Usage::kClient;
         GiveServer(p, leaf);
       },
       {"certificate_self_signed server.pem"}},
      {"SelfSignedLeaf",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.issuer = "leaf";
         p.Give("server.pem", {Make(leaf)});
         p.GiveKey("server.key", "leaf");
       },
       {"certificate_self_signed server.pem"}},
      {"IntermediateIsNotTrustedAlone",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("middle"))});
         p.Give("ca.pem", {Make(Intermediate("middle", "root"))});
       },
       {"issuer_unknown ca.pem"}},
      {"CaUsedAsLeafBesideAServer",
       [](Patient& p) {
         GiveServer(p);
         p.Give("both.pem",
                std::string(KeyOf("root").ToPem().Reveal()) + Make(Root("root")).ToPem());
         p.options.purpose = Usage::kServer;
       },
       {"usage_not_allowed both.pem"}},
      {"UpperIntermediateIsMissing",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("lower")), Make(Intermediate("lower", "upper"))});
         GiveRoot(p);
       },
       {"issuer_unknown server.pem"}},
      {"RevokedIntermediateInAnotherFile",
       [](Patient& p) {
         Wanted middle = Intermediate("middle", "root");
         middle.serial = 78;
         p.Give("server.pem", {Make(ServerOf("middle"))});
         p.Give("middle.pem", {Make(middle)});
         GiveRoot(p);
         p.Give("ca.crl", MakeCrl({.revoked = {{78, 1}}}).ToPem());
       },
       {"issuer_unknown server.pem", "certificate_revoked server.pem"}},
      {"CaUsedAsLeaf",
       [](Patient& p) {
         GiveRoot(p);
         p.GiveKey("ca.key", "root");
         p.options.purpose = Usage::kServer;
       },
       {"usage_not_allowed ca.pem"}},
      {"IntermediateIsNoCa",
       [](Patient& p) {
         Wanted middle = Intermediate("middle", "root");
         middle.ca = false;
         p.Give("server.pem", {Make(ServerOf("middle")), Make(middle)});
         GiveRoot(p);
       },
       {"not_a_certificate_authority server.pem"}},

      // Times.
      {"ExpiredLeaf",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.to = kNow - Seconds(1);
         GiveServer(p, leaf);
       },
       {"certificate_expired server.pem"}},
      {"ExpiredIntermediate",
       [](Patient& p) {
         Wanted middle = Intermediate("middle", "root");
         middle.to = kNow - Seconds(1);
         p.Give("server.pem", {Make(ServerOf("middle")), Make(middle)});
         GiveRoot(p);
       },
       {"certificate_expired server.pem"}},
      {"ExpiredCa",
       [](Patient& p) {
         Wanted root = Root("root");
         root.to = kNow - Seconds(1);
         p.Give("server.pem", {Make(Server())});
         p.Give("ca.pem", {Make(root)});
       },
       {"certificate_expired ca.pem"}},
      {"NotYetValid",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.from = kNow + Seconds(60);
         GiveServer(p, leaf);
       },
       {"certificate_not_yet_valid server.pem"}},
      {"ExpiredAndOfTheWrongName",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.to = kNow - Seconds(1);
         GiveServer(p, leaf);
         p.options.server_name = Named("other.example.com");
       },
       {"certificate_expired server.pem", "name_mismatch server.pem"}},

      // Names and usages.
      {"CommonNameOnly",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.names.clear();
         GiveServer(p, leaf);
       },
       {"names_missing server.pem"}},
      {"IpAddressIsNotAmongTheNames",
       [](Patient& p) {
         GiveServer(p);
         p.options.server_name = Named("10.0.0.1");
       },
       {"name_mismatch server.pem"}},
      {"WildcardOfOneLabel",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.names = {Named("*.example.com")};
         GiveServer(p, leaf);
         p.options.server_name = Named("a.b.example.com");
       },
       {"name_mismatch server.pem"}},
      {"NoServerAuth",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.extended_key_usage = {std::string(kClientAuthOid)};
         GiveServer(p, leaf);
         p.options.purpose = Usage::kServer;
       },
       {"usage_not_allowed server.pem"}},
      {"NoClientAuth",
       [](Patient& p) {
         GiveServer(p);
         p.options.purpose = Usage::kClient;
       },
       {"usage_not_allowed server.pem"}},

      // Revocation.
      {"Revoked",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.serial = 77;
         GiveServer(p, leaf);
         p.Give("ca.crl", MakeCrl({.revoked = {{77, 1}}}).ToPem());
       },
       {"certificate_revoked server.pem"}},
      {"RevokedBesideAnExpiredRootOfOthers",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.serial = 77;
         leaf.from = kNow - 30 * kDay;
         Wanted old = Root("old root");
         old.from = kNow - 90 * kDay;
         old.to = kNow - 10 * kDay;
         p.Give("server.pem", {Make(leaf)});
         p.GiveKey("server.key", "leaf");
         p.Give("ca.pem", {Make(Root("root")), Make(old)});
         p.Give("ca.crl", MakeCrl({.revoked = {{77, 1}}}).ToPem());
       },
       {"certificate_revoked server.pem"}},
      {"RevokedAndExpired",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.serial = 77;
         leaf.from = kNow - 30 * kDay;
         leaf.to = kNow - 10 * kDay;
         GiveServer(p, leaf);
         p.Give("ca.crl", MakeCrl({.revoked = {{77, 1}}}).ToPem());
       },
       {"certificate_expired server.pem", "certificate_revoked server.pem"}},
      {"RevokedWithoutATrustBundle",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.serial = 77;
         p.Give("server.pem", {Make(leaf)});
         p.GiveKey("server.key", "leaf");
         p.Give("ca.crl", MakeCrl({.revoked = {{77, 1}}}).ToPem());
       },
       {"certificate_revoked server.pem"}},
      {"CrlExpired",
       [](Patient& p) {
         GiveServer(p);
         p.Give("ca.crl", MakeCrl({.from = kNow - 2 * kDay, .to = kNow - kDay}).ToPem());
       },
       {"crl_expired ca.crl"}},
      {"CrlOfAnotherKey",
       [](Patient& p) {
         GiveServer(p);
         p.Give("ca.crl", MakeCrl({.key = "another root"}).ToPem());
       },
       {"signature_invalid ca.crl"}},

      // Strength.
      {"Sha1",
       [](Patient& p) {
         Wanted leaf = Server();
         leaf.sha1 = true;
         GiveServer(p, leaf);
       },
       {"algorithm_not_allowed server.pem"}},
      {"ServerBelowARootWithSha1",
       [](Patient& p) {
         Wanted root = Root("root");
         root.sha1 = true;
         p.Give("server.pem", {Make(Server())});
         p.GiveKey("server.key", "leaf");
         p.Give("ca.pem", {Make(root)});
       },
       {}},
      {"ServerBelowARootWithSaltedSha256",
       [](Patient& p) {
         p.Run(
             "openssl req -x509 -newkey rsa:2048 -noenc -keyout ca.key -out ca.pem -subj /CN=pss "
             "-days 90 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20");
         p.Run("openssl req -newkey rsa:2048 -noenc -keyout server.key -out csr -subj /CN=server");
         p.Run(
             "printf 'subjectAltName=DNS:server\nbasicConstraints=CA:FALSE\n' > ext && openssl "
             "x509 "
             "-req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 60 -extfile ext "
             "-out server.pem");
         p.paths = {p.Path("server.pem"), p.Path("server.key"), p.Path("ca.pem")};
         p.options.now = Clock::System().Now();
       },
       {}},
      {"WeakKeyOfACaThatIsUsed",
       [](Patient& p) {
         p.Run(
             "openssl req -x509 -newkey rsa:1024 -noenc -keyout ca.key -out ca.pem -subj /CN=weak "
             "-days 90");
         p.Run("openssl req -newkey rsa:2048 -noenc -keyout server.key -out csr -subj /CN=server");
         p.Run(
             "printf 'subjectAltName=DNS:server\nbasicConstraints=CA:FALSE\n' > ext && openssl "
             "x509 "
             "-req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 60 -extfile ext "
             "-out server.pem");
         p.paths = {p.Path("server.pem"), p.Path("server.key"), p.Path("ca.pem")};
         p.options.now = Clock::System().Now();
       },
       {"key_too_weak ca.pem"}},
      {"WeakKey",
       [](Patient& p) {
         p.Run(
             "openssl req -x509 -newkey rsa:1024 -noenc -keyout weak.key -out ca.pem "
             "-subj /CN=weak -days 90 -addext basicConstraints=critical,CA:FALSE "
             "-addext subjectAltName=DNS:weak");
         p.paths = {p.Path("ca.pem"), p.Path("weak.key")};
         p.options.now = Clock::System().Now();
       },
       {"key_too_weak ca.pem", "certificate_self_signed ca.pem"}},
  };
}

class FileDoctorTest : public ::testing::TestWithParam<Case> {};

TEST_P(FileDoctorTest, FindsWhatIsWrongAndNothingElse) {
  Patient patient;
  GetParam().make(patient);
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_THAT(FaultsOf(diagnosis), ::testing::UnorderedElementsAreArray(GetParam().faults))
      << Text(diagnosis);
  EXPECT_EQ(diagnosis.healthy(), GetParam().faults.empty());
  EXPECT_EQ(diagnosis.recognised.size(), patient.paths.size());
  for (const Finding& finding : diagnosis.findings) {
    EXPECT_FALSE(finding.title.empty());
    EXPECT_FALSE(finding.fix.empty()) << finding.title;
    EXPECT_FALSE(finding.subject.empty()) << finding.title;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, FileDoctorTest, ::testing::ValuesIn(Cases()),
                         [](const auto& test) { return test.param.name; });

TEST(FileDoctor, WarnsOfWhatEndsSoonButNotAllTheLifeOfAShortLivedOne) {
  Patient patient;
  Wanted leaf = Server();
  leaf.from = kNow - 80 * kDay;
  leaf.to = kNow + 10 * kDay;
  GiveServer(patient, leaf);
  EXPECT_THAT(OfSeverity(patient.Examine(), Severity::kWarning),
              ElementsAre("certificate_expired"));
  patient.options.warn_before = 9 * kDay;
  EXPECT_THAT(OfSeverity(patient.Examine(), Severity::kWarning), IsEmpty());

  patient.options.warn_before = 30 * kDay;
  leaf.from = kNow - kDay;
  patient.Write("server.pem", Make(leaf).ToPem());
  EXPECT_THAT(OfSeverity(patient.Examine(), Severity::kWarning), IsEmpty());
}

TEST(FileDoctor, AnExpiredCaThatNothingNeedsIsAWarning) {
  Patient patient;
  Wanted old = Root("old root");
  old.to = kNow - kDay;
  patient.Give("server.pem", {Make(Server())});
  patient.Give("ca.pem", {Make(Root("root")), Make(old)});
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_THAT(OfSeverity(diagnosis, Severity::kWarning), ElementsAre("certificate_expired"));
}

TEST(FileDoctor, LetsEncryptsFilesAreHealthyInAnyOrderAndWithoutSomeOfThem) {
  Patient patient;
  GiveLetsEncrypt(patient);
  std::ranges::sort(patient.paths);
  const std::vector<std::string> all = patient.paths;
  do {
    EXPECT_TRUE(patient.Examine().healthy()) << Text(patient.Examine());
  } while (std::ranges::next_permutation(patient.paths).found);
  for (const std::string& left_out : {all[0], all[1]}) {
    patient.paths = all;
    std::erase(patient.paths, left_out);
    EXPECT_TRUE(patient.Examine().healthy()) << left_out << "\n" << Text(patient.Examine());
  }
}

TEST(FileDoctor, ATrustBundleWithoutARootIsTheFaultOfTheBundle) {
  Patient patient;
  const Certificate middle = Make(Intermediate("middle", "root"));
  const Certificate other = Make(Intermediate("other", "root"));
  patient.Give("server.pem", {Make(ServerOf("middle")), middle});
  patient.Give("ca.pem", {middle, other});
  EXPECT_THAT(FaultsOf(patient.Examine()), ElementsAre("issuer_unknown ca.pem"));
}

TEST(FileDoctor, APinnedLeafIsAWarningAndItsBundleStillTrustsItsRoots) {
  Patient patient;
  Wanted pinned = Server();
  pinned.subject = "pinned";
  GiveServer(patient);
  patient.Write("ca.pem",
                Make(Root("root")).ToPem() + Make(Root("two")).ToPem() + Make(pinned).ToPem());
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_THAT(OfSeverity(diagnosis, Severity::kWarning),
              ElementsAre("not_a_certificate_authority"));
  patient.Write("ca.pem",
                Make(Root("other")).ToPem() + Make(Root("two")).ToPem() + Make(pinned).ToPem());
  EXPECT_THAT(FaultsOf(patient.Examine()), ElementsAre("issuer_unknown server.pem"));
}

TEST(FileDoctor, ACertificateThatIsItsOwnTrustBundleIsWarnedOfOnce) {
  Patient patient;
  Wanted leaf = Server();
  leaf.issuer = "leaf";
  const Certificate certificate = Make(leaf);
  patient.Give("server.pem", {certificate});
  patient.GiveKey("server.key", "leaf");
  patient.Give("ca.pem", {certificate});
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_THAT(OfSeverity(diagnosis, Severity::kWarning), ElementsAre("certificate_self_signed"));
}

TEST(FileDoctor, TheSystemsTrustBundleIsHealthyInAFewLines) {
  Patient patient;
  patient.paths = {"/etc/ssl/certs/ca-certificates.crt"};
  if (!FileExists(patient.paths[0])) GTEST_SKIP() << "no ca-certificates";
  patient.options.now = Clock::System().Now();
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_LE(diagnosis.findings.size(), 1U) << Text(diagnosis);
  ASSERT_EQ(diagnosis.recognised.size(), 1U);
  EXPECT_LT(diagnosis.recognised[0].what.size(), 80U) << diagnosis.recognised[0].what;
}

TEST(FileDoctor, ManyCasOfOneNameTakeLittleTimeAndAFewLines) {
  Patient patient;
  GiveServer(patient);
  // Each claims to have signed itself, and did not.
  Wanted ca = Root("root");
  ca.issuer_key = "another";
  std::string text;
  while (text.size() < kMaxFileBytes - 2000) text += Make(ca).ToPem();
  for (const size_t size : {text.size() / 10, text.size()}) {
    SCOPED_TRACE(size);
    const size_t end = text.find("-----BEGIN", size);
    patient.Write("many.pem", text.substr(0, end));
    patient.paths.resize(3);
    patient.paths.push_back(patient.Path("many.pem"));
    const std::clock_t start = std::clock();
    const Diagnosis diagnosis = patient.Examine();
    EXPECT_LT(std::clock() - start, 2 * CLOCKS_PER_SEC);
    EXPECT_EQ(FaultsOf(diagnosis).size(), size == text.size() ? 1 : 0) << Text(diagnosis);
    EXPECT_THAT(OfSeverity(diagnosis, Severity::kWarning), Contains("signature_invalid"));
    EXPECT_LT(diagnosis.findings.size(), 30U) << Text(diagnosis);
  }
}

TEST(FileDoctor, ManyBrokenBlocksTakeAFewLines) {
  Patient patient;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += FormatPem("CERTIFICATE", "\x30\x03\x02\x01\x05");
  patient.Give("bad.pem", text);
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_FALSE(diagnosis.healthy());
  EXPECT_LT(diagnosis.findings.size(), 30U);
  EXPECT_NE(Text(diagnosis).find("19990 blocks"), std::string::npos) << Text(diagnosis);
}

TEST(FileDoctor, SaysWhereAChainEndsHoweverFarTheFilesLead) {
  Patient patient;
  patient.Give("server.pem", {Make(ServerOf("lower"))});
  patient.Give("lower.pem", {Make(Intermediate("lower", "upper"))});
  GiveRoot(patient);
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_THAT(FaultsOf(diagnosis),
              ElementsAre("issuer_unknown server.pem", "issuer_unknown server.pem"));
  EXPECT_NE(Text(diagnosis).find("'CN=upper'"), std::string::npos) << Text(diagnosis);
}

TEST(FileDoctor, LinesThatEndInCarriageReturnsAreNoCrlf) {
  Patient patient;
  GiveServer(patient);
  patient.Run("cp -p server.pem old && tr '\\n' '\\r' < old > server.pem");
  const Diagnosis diagnosis = patient.Examine();
  ASSERT_THAT(FaultsOf(diagnosis), ElementsAre("file_wrong_format server.pem"));
  EXPECT_THAT(OfSeverity(diagnosis, Severity::kNote), Not(Contains("file_wrong_format")));
}

TEST(FileDoctor, AnEncryptedKeyOfACaIsANoteWithoutACommand) {
  Patient patient;
  GiveRoot(patient);
  patient.GiveKey("ca.key", "root");
  patient.Run(Encrypting("ca.key"));
  const Diagnosis diagnosis = patient.Examine();
  ASSERT_THAT(OfSeverity(diagnosis, Severity::kNote), ElementsAre("key_encrypted"));
  EXPECT_EQ(diagnosis.findings[0].command, "");
}

TEST(FileDoctor, AMissingCrlIsOnlyANote) {
  Patient patient;
  GiveServer(patient);
  EXPECT_THAT(OfSeverity(patient.Examine(), Severity::kNote), Contains("revocation_unknown"));
}

TEST(FileDoctor, AGroupThatReadsTheKeyIsAWarning) {
  Patient patient;
  GiveServer(patient);
  patient.Run("chmod 640 server.key");
  const Diagnosis diagnosis = patient.Examine();
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_THAT(OfSeverity(diagnosis, Severity::kWarning), ElementsAre("key_file_too_open"));
}

TEST(FileDoctor, OfSeveralCertificatesTheOneWithTheKeyIsExamined) {
  Patient patient;
  Wanted other = Server();
  other.subject = "other";
  patient.Give("server.pem", {Make(other), Make(Server())});
  patient.GiveKey("server.key", "leaf");
  GiveRoot(patient);
  EXPECT_THAT(FaultsOf(patient.Examine()), ElementsAre("key_mismatch server.pem"));
}

TEST(FileDoctor, AnExpiredLeafWithACurrentListIsExpiredAndNothingElse) {
  Patient patient;
  Wanted leaf = Server();
  leaf.from = kNow - 30 * kDay;
  leaf.to = kNow - 10 * kDay;
  GiveServer(patient, leaf);
  patient.Give("ca.crl", MakeCrl({}).ToPem());
  EXPECT_THAT(FaultsOf(patient.Examine()), ElementsAre("certificate_expired server.pem"));
}

TEST(FileDoctor, OrderAndNamesOfTheFilesDoNotMatter) {
  Patient patient;
  patient.Give("b", Make(Root("root")).ToPem());
  patient.GiveKey("c", "leaf");
  patient.Give("a", {Make(Server())});
  EXPECT_TRUE(patient.Examine().healthy()) << Text(patient.Examine());
}

}  // namespace
}  // namespace troth::testing
