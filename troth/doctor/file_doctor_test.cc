#include "troth/doctor/file_doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/doctor/doctor_testing.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/pem.h"

namespace troth::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

AlternativeName Named(std::string_view text) { return *AlternativeName::Parse(text); }

// A server's leaf below the root.
Wanted Server() {
  Wanted wanted = Leaf("root");
  wanted.extended_key_usage = {std::string(kServerAuthOid)};
  return wanted;
}

void GiveRoot(Patient& p) { p.Give("ca.pem", {Make(Root("root"))}); }

// A server's certificate, key and trust bundle, with `leaf` for the certificate.
void GiveServer(Patient& p, const Wanted& leaf = Server()) {
  p.Give("server.pem", {Make(leaf)});
  p.GiveKey("server.key", "leaf", leaf.key_type);
  GiveRoot(p);
}

Wanted ServerOf(const std::string& issuer) {
  Wanted wanted = Server();
  wanted.issuer = issuer;
  return wanted;
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

      // Chains.
      {"RootInTheLeafsPlace",
       [](Patient& p) {
         p.Give("server.pem", {Make(Root("root")), Make(Server())});
         p.GiveKey("server.key", "leaf");
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

std::vector<std::string> OfSeverity(const Diagnosis& diagnosis, Severity severity) {
  std::vector<std::string> codes;
  for (const Finding& finding : diagnosis.findings) {
    if (finding.severity == severity) codes.emplace_back(CodeOf(finding.reason));
  }
  return codes;
}

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

// What is printed is run by a shell, in a folder whose name has a blank; then the same files, with
// those that the command made in place of those that it read, must be healthy.
struct Mended {
  std::string name;
  std::function<void(Patient&)> make;
  std::string reason;
  std::string replaces = {};  // of this file, when the command makes another one ...
  std::string by = {};        // ... this one
  std::string input = {};     // what the command asks for
};

void PrintTo(const Mended& test, std::ostream* out) { *out << test.name; }

std::vector<Mended> MendedCases() {
  const auto rewritten = [](const std::string& name, const std::string& command) {
    return [=](Patient& p) {
      GiveServer(p);
      p.Run("cp -p " + name + " old && " + command);
    };
  };
  return {
      {"OpenKey", rewritten("server.key", "chmod 644 server.key"), "key_file_too_open"},
      {"DerCertificate",
       rewritten("server.pem", "openssl x509 -in old -outform DER -out server.pem"),
       "file_wrong_format", "server.pem", "server.pem.pem"},
      {"Utf16", rewritten("server.pem", "iconv -f UTF-8 -t UTF-16 old > server.pem"),
       "file_wrong_format", "server.pem", "server.pem.pem"},
      {"ByteOrderMark", rewritten("server.pem", "(printf '\\357\\273\\277'; cat old) > server.pem"),
       "file_wrong_format"},
      {"Crlf", rewritten("server.pem", "sed -i 's/$/\\r/' server.pem"), "file_wrong_format"},
      {"OneLine", rewritten("server.pem", "tr -d '\\n' < old > server.pem"), "file_wrong_format"},
      {"OneLineWithBlanks", rewritten("server.key", "tr '\\n' ' ' < old > server.key"),
       "file_wrong_format"},
      {"LineEndsWrittenOut", rewritten("server.pem", "sed -z 's/\\n/\\\\n/g' old > server.pem"),
       "file_wrong_format"},
      {"WithoutBeginAndEnd", rewritten("server.pem", "sed '/^--/d' old > server.pem"),
       "file_wrong_format", "server.pem", "server.pem.pem"},
      {"Incomplete",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("middle"))});
         p.GiveKey("server.key", "leaf");
         p.Give("middle.pem", {Make(Intermediate("middle", "root"))});
         GiveRoot(p);
       },
       "issuer_unknown"},
      {"IncompleteWithoutLineEnds",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("lower"))});
         p.GiveKey("server.key", "leaf");
         p.Give("lower.pem", {Make(Intermediate("lower", "upper"))});
         p.Give("upper.pem", {Make(Intermediate("upper", "root"))});
         GiveRoot(p);
         p.Run("for f in server lower upper; do truncate -s -1 $f.pem; done");
       },
       "issuer_unknown"},
      {"WrongOrder",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("lower")), Make(Intermediate("upper", "root")),
                               Make(Intermediate("lower", "upper"))});
         p.GiveKey("server.key", "leaf");
         GiveRoot(p);
       },
       "issuer_unknown"},
      {"RootFirst",
       [](Patient& p) {
         p.Give("server.pem", {Make(Root("root")), Make(Intermediate("middle", "root")),
                               Make(ServerOf("middle"))});
         p.GiveKey("server.key", "leaf");
         GiveRoot(p);
       },
       "key_mismatch"},
  };
}

class MendingTest : public ::testing::TestWithParam<Mended> {};

TEST_P(MendingTest, TheCommandThatIsPrintedMends) {
  const Mended& test = GetParam();
  Patient patient;
  test.make(patient);
  const Diagnosis before = patient.Examine();
  const auto finding = std::ranges::find_if(before.findings, [&](const Finding& one) {
    return CodeOf(one.reason) == test.reason && !one.command.empty();
  });
  ASSERT_NE(finding, before.findings.end()) << Text(before);
  ASSERT_EQ(patient.Run(finding->command, test.input), 0);
  for (std::string& path : patient.paths) {
    if (!test.replaces.empty() && path == patient.Path(test.replaces)) path = patient.Path(test.by);
  }
  const Diagnosis after = patient.Examine();
  EXPECT_TRUE(after.healthy()) << finding->command << "\n" << Text(after);
  EXPECT_THAT(OfSeverity(after, Severity::kWarning), IsEmpty()) << Text(after);
  for (const Finding& left : after.findings) {
    EXPECT_NE(left.title, finding->title) << finding->command;
  }
  // What the command wrote is what OpenSSL reads too.
  for (const std::string& path : patient.paths) {
    patient.Run("openssl " + std::string(path.find(".key") == std::string::npos ? "x509" : "pkey") +
                " -noout -in '" + path + "'");
  }
}

INSTANTIATE_TEST_SUITE_P(Files, MendingTest, ::testing::ValuesIn(MendedCases()),
                         [](const auto& test) { return test.param.name; });

// Where a command could lose something, or make a copy of a key, words have to do.
struct Uncommanded {
  std::string name;
  std::function<void(Patient&)> make;
  std::string reason;
};

void PrintTo(const Uncommanded& test, std::ostream* out) { *out << test.name; }

// The leaf with both usages, with its CA's key: what can be issued anew.
Wanted Renewable() {
  Wanted leaf = Server();
  leaf.extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)};
  leaf.serial = 77;
  leaf.from = kNow - 31 * kDay;
  leaf.to = kNow - kDay;
  return leaf;
}

void GiveRenewable(Patient& p, const Wanted& leaf = Renewable()) {
  GiveServer(p, leaf);
  p.GiveKey("ca.key", "root");
}

std::vector<Uncommanded> UncommandedCases() {
  const auto chain_with = [](const std::string& command) {
    return [=](Patient& p) {
      p.Give("server.pem", {Make(ServerOf("lower")), Make(Intermediate("upper", "root")),
                            Make(Intermediate("lower", "upper"))});
      p.GiveKey("server.key", "leaf");
      GiveRoot(p);
      p.Run(command);
    };
  };
  const auto incomplete_with = [](const std::string& command) {
    return [=](Patient& p) {
      p.Give("server.pem", {Make(ServerOf("middle"))});
      p.Give("middle.pem", {Make(Intermediate("middle", "root"))});
      GiveRoot(p);
      p.Run(command);
    };
  };
  const auto rewritten = [](const std::string& name, const std::string& command) {
    return [=](Patient& p) {
      GiveServer(p);
      p.Run("cp -p " + name + " old && " + command);
    };
  };
  const std::string swap = "cp -p server.pem old && ";
  return {
      {"SourceHoldsAKey", incomplete_with("openssl genpkey -algorithm ED25519 >> middle.pem"),
       "issuer_unknown"},
      {"SourceHoldsAKeyThatIsNotRead",
       incomplete_with("openssl genpkey -algorithm ED448 >> middle.pem"), "issuer_unknown"},
      {"LowerIntermediateIsMissing",
       [](Patient& p) {
         p.Give("server.pem", {Make(ServerOf("lower")), Make(Intermediate("upper", "root"))});
         p.Give("lower.pem", {Make(Intermediate("lower", "upper"))});
         GiveRoot(p);
       },
       "issuer_unknown"},
      {"ReorderOnOneLine", chain_with(swap + "tr '\\n' ' ' < old > server.pem"), "issuer_unknown"},
      {"ReorderAfterAByteOrderMark",
       chain_with(swap + "(printf '\\357\\273\\277'; cat old) > server.pem"), "issuer_unknown"},
      {"ReorderWithAKeyThatIsNotRead", chain_with("openssl genpkey -algorithm ED448 >> server.pem"),
       "issuer_unknown"},
      {"ReorderWithParameters", chain_with("openssl ecparam -name prime256v1 >> server.pem"),
       "issuer_unknown"},
      {"ReorderOfALink", chain_with("mv server.pem real.pem && ln -s real.pem server.pem"),
       "issuer_unknown"},
      {"ReorderWouldOverwrite", chain_with("touch server.pem.new"), "issuer_unknown"},
      {"PinnedLeafAmongRoots",
       [](Patient& p) {
         p.Give("ca.pem", {Make(Root("root")), Make(Root("two")), Make(Server())});
       },
       "key_mismatch"},
      {"TwoLeaves",
       [](Patient& p) {
         Wanted other = Server();
         other.subject = "other";
         p.Give("server.pem", {Make(other), Make(Server())});
         p.GiveKey("server.key", "leaf");
       },
       "key_mismatch"},
      {"Base64OfAKey", rewritten("server.key", "sed '/^--/d' old > server.key"),
       "file_wrong_format"},
      {"ConvertWouldOverwrite",
       rewritten("server.pem",
                 "openssl x509 -in old -outform DER -out server.pem && touch server.pem.pem"),
       "file_wrong_format"},
      {"ArmourWouldOverwrite",
       rewritten("server.pem", "sed '/^--/d' old > server.pem && ln -s none server.pem.pem"),
       "file_wrong_format"},
      {"EncryptedKey",
       rewritten("server.key",
                 "openssl pkey -in old -aes-256-cbc -passout pass:secret -out server.key"),
       "key_encrypted"},
      {"DerKey", rewritten("server.key", "openssl pkey -in old -outform DER -out server.key"),
       "file_wrong_format"},
      {"Pkcs12",
       rewritten("server.pem",
                 "openssl pkcs12 -export -inkey server.key -in old -passout pass: -out server.pem"),
       "file_wrong_format"},
      {"KeyInUtf16", rewritten("server.key", "iconv -f UTF-8 -t UTF-16 old > server.key"),
       "file_wrong_format"},
      {"ControlCharacters",
       [](Patient& p) { p.Give("k\033[31m.key", KeyOf("leaf").ToPem().Reveal(), 0644); },
       "key_file_too_open"},
      {"Revoked",
       [](Patient& p) {
         GiveRenewable(p);
         p.Give("ca.crl", MakeCrl({.revoked = {{77, 1}}}).ToPem());
       },
       "certificate_expired"},
      {"KeyThatEverybodyKnows",
       [](Patient& p) {
         GiveRenewable(p);
         p.Run("chmod 644 server.key");
       },
       "certificate_expired"},
      {"ServersOnlyWouldBecomeClient",
       [](Patient& p) {
         Wanted leaf = Renewable();
         leaf.extended_key_usage.pop_back();
         GiveRenewable(p, leaf);
       },
       "certificate_expired"},
      {"NamesThatOpensslWouldExpand",
       [](Patient& p) {
         Wanted leaf = Renewable();
         leaf.names.push_back({AlternativeName::Kind::kUri, "https://x/$ENV::HOME"});
         GiveRenewable(p, leaf);
       },
       "certificate_expired"},
      {"SubjectBeyondAscii",
       [](Patient& p) {
         Wanted leaf = Renewable();
         leaf.subject = "Tan\xc3\xbas";
         leaf.key = "leaf";
         GiveRenewable(p, leaf);
       },
       "certificate_expired"},
  };
}

class NoCommandTest : public ::testing::TestWithParam<Uncommanded> {};

TEST_P(NoCommandTest, IsPrinted) {
  Patient patient;
  GetParam().make(patient);
  const Diagnosis diagnosis = patient.Examine();
  bool found = false;
  for (const Finding& finding : diagnosis.findings) {
    if (CodeOf(finding.reason) != GetParam().reason) continue;
    // A mark or line ends may be mended in place all the same.
    found = true;
    EXPECT_EQ(finding.command, "") << finding.title;
  }
  EXPECT_TRUE(found) << Text(diagnosis);
}

INSTANTIATE_TEST_SUITE_P(Files, NoCommandTest, ::testing::ValuesIn(UncommandedCases()),
                         [](const auto& test) { return test.param.name; });

TEST(FileDoctor, IssuesAnewForTheSameTimeAndNothingMore) {
  Patient patient;
  GiveRenewable(patient);
  const Diagnosis diagnosis = patient.Examine();
  ASSERT_THAT(FaultsOf(diagnosis), ElementsAre("certificate_expired server.pem"));
  EXPECT_NE(diagnosis.findings[0].command.find("--expires '30 days'"), std::string::npos)
      << diagnosis.findings[0].command;
}

TEST(FileDoctor, ReorderingKeepsTheTextAroundTheCertificates) {
  Patient patient;
  const std::string root = "# root\n" + Make(Root("root")).ToPem();
  const std::string leaf = "# leaf\n" + Make(Server()).ToPem();
  patient.Give("server.pem", root + leaf + "# end\n");
  patient.GiveKey("server.key", "leaf");
  const Diagnosis diagnosis = patient.Examine();
  ASSERT_THAT(FaultsOf(diagnosis), ElementsAre("key_mismatch server.pem"));
  ASSERT_EQ(patient.Run(diagnosis.findings[0].command), 0);
  EXPECT_EQ(*ReadFile(patient.Path("server.pem")), leaf + root + "# end\n");
}

}  // namespace
}  // namespace troth::testing
