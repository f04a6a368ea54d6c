// What a service is told that is started with a file that is not what it should be.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troth/base/log.h"
#include "troth/identity/identity_source.h"
#include "troth/identity/identity_testing.h"
#include "troth/pki/certificate_request.h"

namespace troth {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

constexpr auto kDay = std::chrono::hours(24);

// A good set of files, of which a test spoils one.
class Files {
 public:
  Files() {
    RewriteFile(certificate, leaf.certificate_pem);
    WriteKey(leaf.key_pem);
    RewriteFile(bundle, authority.pem());
  }

  void WriteKey(std::string_view pem) const {
    RewriteFile(key, pem);
    ASSERT_EQ(chmod(key.c_str(), 0600), 0);
  }
  void Write(const Leaf& other) const {
    RewriteFile(certificate, other.certificate_pem);
    WriteKey(other.key_pem);
  }
  std::string RequestPem() const {
    return CertificateRequest::Create(NewKey(), *DistinguishedName::FromCommonName("localhost"), {})
        ->ToPem();
  }

  absl::StatusOr<std::shared_ptr<IdentitySource>> Watch() const {
    return IdentitySource::WatchFiles(
        {.certificate = certificate, .private_key = key, .trust_bundle = bundle, .clock = &clock});
  }

  const TestFolder folder;
  const TestAuthority authority;
  const Leaf leaf = authority.IssueLeaf();
  const std::string certificate = folder / "server.pem";
  const std::string key = folder / "server.key";
  const std::string bundle = folder / "ca.pem";
  FakeClock clock;
};

enum class Which { kCertificate, kKey, kBundle };

const std::string& PathOf(const Files& files, Which which) {
  switch (which) {
    case Which::kCertificate:
      return files.certificate;
    case Which::kKey:
      return files.key;
    case Which::kBundle:
      return files.bundle;
  }
  return files.certificate;
}

const char* NameOf(Which which) {
  switch (which) {
    case Which::kCertificate:
      return "Certificate";
    case Which::kKey:
      return "Key";
    case Which::kBundle:
      return "Bundle";
  }
  return "";
}

// Ways to spoil any of the three files.
struct Flaw {
  const char* name;
  std::function<void(const Files& files, const std::string& path)> make;
  Reason reason;
  Reason key_reason;  // of the private key, when it is another
};

void Convert(const Files& files, const std::string& path, const std::string& command) {
  files.folder.Run(command + " <'" + path + "' >converted && cat converted >'" + path + "'");
}

const Flaw kFlaws[] = {
    {"Missing", [](const Files&, const std::string& path) { fs::remove(path); },
     Reason::kFileNotFound, Reason::kFileNotFound},
    {"DanglingLink",
     [](const Files&, const std::string& path) {
       fs::remove(path);
       fs::create_symlink("nowhere", path);
     },
     Reason::kFileNotFound, Reason::kFileNotFound},
    {"Empty", [](const Files&, const std::string& path) { RewriteFile(path, ""); },
     Reason::kFileEmpty, Reason::kFileEmpty},
    {"Blank", [](const Files&, const std::string& path) { RewriteFile(path, "\n\n"); },
     Reason::kFileWrongFormat, Reason::kKeyMalformed},
    {"Binary",
     [](const Files&, const std::string& path) {
       std::string bytes;
       for (int i = 0; i < 4096; ++i) bytes += static_cast<char>(i * 37 % 251);
       RewriteFile(path, bytes);
     },
     Reason::kFileWrongFormat, Reason::kKeyMalformed},
    {"Huge", [](const Files&, const std::string& path) { fs::resize_file(path, 100 << 20); },
     Reason::kFileTooLarge, Reason::kFileTooLarge},
    {"Folder",
     [](const Files&, const std::string& path) {
       fs::remove(path);
       fs::create_directory(path);
     },
     Reason::kFileNotRegular, Reason::kFileNotRegular},
    {"Fifo",
     [](const Files&, const std::string& path) {
       fs::remove(path);
       ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
     },
     Reason::kFileNotRegular, Reason::kFileNotRegular},
    {"Device",
     [](const Files&, const std::string& path) {
       fs::remove(path);
       fs::create_symlink("/dev/zero", path);
     },
     Reason::kFileNotRegular, Reason::kFileNotRegular},
    {"Request",
     [](const Files& files, const std::string& path) { RewriteFile(path, files.RequestPem()); },
     Reason::kCertificateMissing, Reason::kKeyMalformed},
    {"PublicKey",
     [](const Files& files, const std::string& path) {
       files.folder.Run("openssl pkey -in server.key -pubout -out public.pem");
       RewriteFile(path, *ReadFile(files.folder / "public.pem"));
     },
     Reason::kCertificateMissing, Reason::kKeyMalformed},
    {"Utf16",
     [](const Files& files, const std::string& path) {
       Convert(files, path, "iconv -f US-ASCII -t UTF-16");
     },
     Reason::kFileWrongFormat, Reason::kKeyMalformed},
    {"Pkcs12",
     [](const Files& files, const std::string& path) {
       files.folder.Run(
           "openssl pkcs12 -export -in server.pem -inkey server.key -passout pass: -out all.p12");
       RewriteFile(path, *ReadFile(files.folder / "all.p12"));
     },
     Reason::kFileWrongFormat, Reason::kKeyMalformed},
    {"CutOff",
     [](const Files&, const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); },
     Reason::kFileWrongFormat, Reason::kKeyMalformed},
    {"NotPem",
     [](const Files&, const std::string& path) { RewriteFile(path, "<html>404</html>\n"); },
     Reason::kFileWrongFormat, Reason::kKeyMalformed},
};

void ExpectHelpful(const absl::Status& status, const std::string& path) {
  const std::string message(ToStd(status.message()));
  EXPECT_THAT(message, HasSubstr(path));
  EXPECT_LT(message.size(), 500u) << message;
  for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20u) << message;
  EXPECT_GE(message.size(), path.size() + 15) << "says no more than where: " << message;
}

class BadFileTest : public ::testing::TestWithParam<std::tuple<Flaw, Which>> {};

TEST_P(BadFileTest, IsNamedWithItsReason) {
  const auto& [flaw, which] = GetParam();
  const Files files;
  const std::string& path = PathOf(files, which);
  flaw.make(files, path);
  const absl::Status status = files.Watch().status();
  EXPECT_EQ(CodeOf(status), CodeOf(which == Which::kKey ? flaw.key_reason : flaw.reason)) << status;
  ExpectHelpful(status, path);
}

INSTANTIATE_TEST_SUITE_P(All, BadFileTest,
                         ::testing::Combine(::testing::ValuesIn(kFlaws),
                                            ::testing::Values(Which::kCertificate, Which::kKey,
                                                              Which::kBundle)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) +
                                  NameOf(std::get<1>(info.param));
                         });

// What is wrong with a certain file, or with two that do not fit.
struct Misfit {
  const char* name;
  std::function<void(const Files&)> make;
  Reason reason;
  Which named;
};

const Misfit kMisfits[] = {
    {"CertificateAndKeySwapped",
     [](const Files& f) {
       RewriteFile(f.certificate, f.leaf.key_pem);
       f.WriteKey(f.leaf.certificate_pem);
     },
     Reason::kCertificateMissing, Which::kCertificate},
    {"KeyInPlaceOfCertificate", [](const Files& f) { RewriteFile(f.certificate, f.leaf.key_pem); },
     Reason::kCertificateMissing, Which::kCertificate},
    {"CertificateInPlaceOfKey", [](const Files& f) { f.WriteKey(f.leaf.certificate_pem); },
     Reason::kKeyMalformed, Which::kKey},
    {"KeyInPlaceOfBundle", [](const Files& f) { RewriteFile(f.bundle, f.leaf.key_pem); },
     Reason::kCertificateMissing, Which::kBundle},
    {"LeafInPlaceOfBundle", [](const Files& f) { RewriteFile(f.bundle, f.leaf.certificate_pem); },
     Reason::kNotACertificateAuthority, Which::kBundle},
    {"TwoKeys",
     [](const Files& f) { f.WriteKey(f.leaf.key_pem + f.authority.IssueLeaf().key_pem); },
     Reason::kKeyMalformed, Which::kKey},
    {"KeyOfAnotherCertificate", [](const Files& f) { f.WriteKey(f.authority.IssueLeaf().key_pem); },
     Reason::kKeyMismatch, Which::kKey},
    {"KeyOfAnotherKindOfCertificate",
     [](const Files& f) { f.WriteKey(PemOf(NewKey(KeyType::kEd25519))); }, Reason::kKeyMismatch,
     Which::kKey},
    {"CertificateOfAnotherKey",
     [](const Files& f) { RewriteFile(f.certificate, f.authority.IssueLeaf().certificate_pem); },
     Reason::kKeyMismatch, Which::kCertificate},
    {"EncryptedKeyWithoutPassphrase",
     [](const Files& f) {
       const PrivateKey key = *PrivateKey::FromPem(f.leaf.key_pem);
       f.WriteKey(key.ToEncryptedPem(Secret(std::string("x")))->Reveal());
     },
     Reason::kKeyEncrypted, Which::kKey},
    {"Expired",
     [](const Files& f) {
       f.Write(f.authority.IssueLeaf({.validity = {TestTime() - 2 * kDay, TestTime() - kDay}}));
     },
     Reason::kCertificateExpired, Which::kCertificate},
    {"NotYetValid",
     [](const Files& f) {
       f.Write(f.authority.IssueLeaf({.validity = {TestTime() + kDay, TestTime() + 2 * kDay}}));
     },
     Reason::kCertificateNotYetValid, Which::kCertificate},
    {"RsaUnder2048",
     [](const Files& f) {
       f.folder.Run(
           "openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=weak -keyout server.key -out "
           "server.pem");
     },
     Reason::kKeyTooWeak, Which::kCertificate},
    {"OfAnotherAuthority", [](const Files& f) { f.Write(TestAuthority("other").IssueLeaf()); },
     Reason::kIssuerUnknown, Which::kCertificate},
    {"SelfSigned",
     [](const Files& f) {
       const TestAuthority self("localhost");
       f.Write({.certificate = self.certificate(),
                .certificate_pem = self.pem(),
                .key_pem = PemOf(self.key())});
     },
     Reason::kCertificateSelfSigned, Which::kCertificate},
};

class MisfitTest : public ::testing::TestWithParam<Misfit> {};

TEST_P(MisfitTest, IsNamedWithItsReason) {
  const Files files;
  GetParam().make(files);
  const absl::Status status = files.Watch().status();
  EXPECT_EQ(CodeOf(status), CodeOf(GetParam().reason)) << status;
  ExpectHelpful(status, PathOf(files, GetParam().named));
}

INSTANTIATE_TEST_SUITE_P(All, MisfitTest, ::testing::ValuesIn(kMisfits),
                         [](const auto& info) { return info.param.name; });

// Oddities that are no reason to refuse.
class OddFileTest : public ::testing::Test {
 protected:
  OddFileTest() {
    SetLogSink([this](const LogEntry& entry) { logged_.push_back(FormatLogEntry(entry)); });
  }
  ~OddFileTest() override { SetLogSink(nullptr); }

  // What is logged while the files are loaded, which must succeed.
  std::vector<std::string> Load() {
    const auto source = files_.Watch();
    EXPECT_TRUE(source.ok()) << source.status();
    if (!source.ok()) return {};
    EXPECT_EQ((*source)->Current()->leaf(), files_.leaf.certificate);
    return logged_;
  }

  const Files files_;
  std::vector<std::string> logged_;
};

TEST_F(OddFileTest, LineEndsOfWindowsWork) {
  for (const std::string& path : {files_.certificate, files_.key, files_.bundle}) {
    Convert(files_, path, "sed 's/$/\\r/'");
    ASSERT_THAT(*ReadFile(path), HasSubstr("\r\n"));
  }
  EXPECT_THAT(Load(), IsEmpty());
}

TEST_F(OddFileTest, TheLeafAfterItsAuthorityWorksWithAWarning) {
  RewriteFile(files_.certificate, files_.authority.pem() + files_.leaf.certificate_pem);
  EXPECT_THAT(Load(), ElementsAre(AllOf(HasSubstr(files_.certificate), HasSubstr("number 2"))));
}

TEST_F(OddFileTest, AKeyThatOthersMayReadWorksWithAWarning) {
  for (const mode_t mode : {0644, 0640, 0660, 0604}) {
    logged_.clear();
    ASSERT_EQ(chmod(files_.key.c_str(), mode), 0);
    EXPECT_THAT(Load(), ElementsAre(HasSubstr("chmod 600 " + files_.key))) << mode;
  }
  for (const mode_t mode : {0600, 0400}) {
    logged_.clear();
    ASSERT_EQ(chmod(files_.key.c_str(), mode), 0);
    EXPECT_THAT(Load(), IsEmpty()) << mode;
  }
}

// The administrator may read everything, so a child without rights tries; its exit code is the
// reason's.
TEST(UnreadableFileTest, IsNamedWithItsReason) {
  const Files files;
  ASSERT_EQ(chmod(files.folder.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(files.key.c_str(), 0), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && seteuid(kNobody) != 0) _exit(1);
    const absl::Status status = files.Watch().status();
    const bool named = ToStd(status.message()).find(files.key) != std::string_view::npos;
    _exit(named && ReasonOf(status) == Reason::kFileUnreadable ? 0 : 2);
  }
  int result = 0;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_TRUE(WIFEXITED(result));
  EXPECT_EQ(WEXITSTATUS(result), 0);
}

}  // namespace
}  // namespace troth
