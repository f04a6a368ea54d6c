// The commands that the doctor prints: each is run, and what it made is examined again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/doctor/doctor_testing.h"
#include "troth/doctor/file_doctor.h"
#include "troth/doctor/file_doctor_testing.h"

namespace troth::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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
      {"EncryptedKey", rewritten("server.key", Encrypting("server.key")), "key_encrypted",
       "server.key", "server.key.plain", "secret\n"},
      {"EncryptedKeyOfOld",
       rewritten("server.key", "openssl ec -in old -aes256 -passout pass:secret -out server.key"),
       "key_encrypted", "server.key", "server.key.plain", "secret\n"},
      {"DerKey", rewritten("server.key", "openssl pkey -in old -outform DER -out server.key"),
       "file_wrong_format", "server.key", "server.key.pem"},
      {"EncryptedDerKey",
       rewritten("server.key",
                 "openssl pkcs8 -topk8 -passout pass:secret -in old -outform DER -out server.key"),
       "file_wrong_format", "server.key", "server.key.pem", "secret\n"},
      {"Pkcs12",
       rewritten("server.pem",
                 "openssl pkcs12 -export -inkey server.key -in old -passout pass:secret -out "
                 "server.pem"),
       "file_wrong_format", "server.pem", "server.pem.pem", "secret\n"},
      {"Pkcs7InDer",
       rewritten("server.pem",
                 "openssl crl2pkcs7 -nocrl -certfile old -outform DER -out server.pem"),
       "file_wrong_format", "server.pem", "server.pem.pem"},
      {"Pkcs7", rewritten("server.pem", "openssl crl2pkcs7 -nocrl -certfile old -out server.pem"),
       "certificate_missing", "server.pem", "server.pem.pem"},
      {"TrustedCertificate",
       rewritten("server.pem", "openssl x509 -in old -trustout -out server.pem"),
       "certificate_missing", "server.pem", "server.pem.pem"},
      {"KeyInUtf16", rewritten("server.key", "iconv -f UTF-8 -t UTF-16 old > server.key"),
       "file_wrong_format", "server.key", "server.key.pem"},
      {"KeyWithoutBeginAndEnd", rewritten("server.key", "sed '/^--/d' old > server.key"),
       "file_wrong_format", "server.key", "server.key.pem"},
      {"KeyWithAByteOrderMark",
       rewritten("server.key", "(printf '\\357\\273\\277'; cat old) > server.key"),
       "file_wrong_format"},
      {"CarriageReturns", rewritten("server.pem", "tr '\\n' '\\r' < old > server.pem"),
       "file_wrong_format"},
      {"LettersBeyondAscii",
       [](Patient& p) {
         p.Give("szerver \xc3\xa9s kulcs.key", KeyOf("leaf").ToPem().Reveal(), 0644);
         p.Give("server.pem", {Make(Server())});
         GiveRoot(p);
       },
       "key_file_too_open"},
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
      {"TwoLeaves",
       [](Patient& p) {
         Wanted other = Server();
         other.subject = "other";
         p.Give("server.pem", {Make(other), Make(Server())});
         p.GiveKey("server.key", "leaf");
       },
       "key_mismatch"},
      {"ConvertWouldOverwrite",
       rewritten("server.pem",
                 "openssl x509 -in old -outform DER -out server.pem && touch server.pem.pem"),
       "file_wrong_format"},
      {"ArmourWouldOverwrite",
       rewritten("server.pem", "sed '/^--/d' old > server.pem && ln -s none server.pem.pem"),
       "file_wrong_format"},
      {"DamagedBase64", rewritten("server.pem", "sed '/^--/d;$d' old | head -c 100 > server.pem"),
       "file_wrong_format"},
      {"EncryptedKeyBesideItsCertificate",
       rewritten("server.key", Encrypting("server.key") + " && cat server.pem >> server.key"),
       "key_encrypted"},
      {"DecryptWouldOverwrite",
       rewritten("server.key", Encrypting("server.key") + " && touch server.key.plain"),
       "key_encrypted"},
      {"DerKeyWouldOverwrite",
       rewritten("server.key",
                 "openssl pkey -in old -outform DER -out server.key && ln -s none server.key.pem"),
       "file_wrong_format"},
      {"ByteOrderMarkBehindALink",
       rewritten("server.key",
                 "(printf '\\357\\273\\277'; cat old) > real && chmod 600 real && ln -sf "
                 "real server.key"),
       "file_wrong_format"},
      {"CrlfInAFileOfTwoNames",
       rewritten("server.key", "sed -i 's/$/\\r/' server.key && ln server.key second.key"),
       "file_wrong_format"},
      {"Pkcs7BesideAnother",
       rewritten("server.pem",
                 "openssl crl2pkcs7 -nocrl -certfile old > p7 && cat old p7 > server.pem"),
       "certificate_missing"},
      {"DirectionMarksInAName",
       [](Patient& p) { p.Give("k\xe2\x80\xaeyek.key", KeyOf("leaf").ToPem().Reveal(), 0644); },
       "key_file_too_open"},
      {"NoUtf8InAName",
       [](Patient& p) { p.Give("k\xe9.key", KeyOf("leaf").ToPem().Reveal(), 0644); },
       "key_file_too_open"},
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
      {"SubjectWithAControlCharacter",
       [](Patient& p) {
         Wanted leaf = Renewable();
         leaf.subject =
             "x\xc2\x9b"
             "31m";
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

TEST(Mending, IssuesAnewForTheSameTimeAndNothingMore) {
  Patient patient;
  GiveRenewable(patient);
  const Diagnosis diagnosis = patient.Examine();
  ASSERT_THAT(FaultsOf(diagnosis), ElementsAre("certificate_expired server.pem"));
  EXPECT_NE(diagnosis.findings[0].command.find("--expires '30 days'"), std::string::npos)
      << diagnosis.findings[0].command;
}

TEST(Mending, ReorderingKeepsTheTextAroundTheCertificates) {
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

TEST(Mending, MendingKeepsModeAndOwner) {
  Patient patient;
  patient.GiveKey("server.key", "leaf");
  const std::string path = patient.Path("server.key");
  for (const char* damage :
       {"sed -i 's/$/\\r/' server.key", "{ printf '\\357\\273\\277'; cat old; } > server.key",
        "tr '\\n' ' ' < old > server.key"}) {
    patient.Run(std::string("cp -p server.key old && ") + damage);
    patient.Run(geteuid() == 0 ? "chown 65534:65533 server.key && chmod 640 server.key"
                               : "chmod 640 server.key");
    struct stat before {};
    ASSERT_EQ(stat(path.c_str(), &before), 0);
    const Diagnosis diagnosis = patient.Examine();
    const auto finding = std::ranges::find_if(diagnosis.findings, [](const Finding& one) {
      return one.reason == Reason::kFileWrongFormat && !one.command.empty();
    });
    ASSERT_NE(finding, diagnosis.findings.end()) << damage << "\n" << Text(diagnosis);
    ASSERT_EQ(patient.Run(finding->command), 0);
    struct stat after {};
    ASSERT_EQ(stat(path.c_str(), &after), 0);
    EXPECT_EQ(after.st_mode, before.st_mode) << damage;
    EXPECT_EQ(after.st_uid, before.st_uid) << damage;
    EXPECT_EQ(after.st_gid, before.st_gid) << damage;
    patient.Run("openssl pkey -noout -in server.key");
  }
}

TEST(Mending, AKeyThatACommandWritesIsForItsOwnerOnlyAndNeverAHalfOfIt) {
  Patient patient;
  GiveServer(patient);
  patient.Run(Encrypting("server.key"));
  const Diagnosis diagnosis = patient.Examine();
  ASSERT_THAT(FaultsOf(diagnosis), ElementsAre("key_encrypted server.key"));
  const std::string command = diagnosis.findings[0].command;
  // With a wrong passphrase nothing is left that would stop the next try.
  patient.Run("! { " + command + "; }", "wrong\n");
  EXPECT_FALSE(FileExists(patient.Path("server.key.plain")));
  patient.Run("umask 0 && " + command, "secret\n");
  const std::optional<FileVersion> made = VersionOf(patient.Path("server.key.plain"));
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->mode & 0777, 0600U);
  // A file that came to be meanwhile stays as it is.
  patient.Write("server.key.plain", "mine");
  patient.Run("! { " + command + "; }", "secret\n");
  EXPECT_EQ(*ReadFile(patient.Path("server.key.plain")), "mine");
}

}  // namespace
}  // namespace troth::testing
