#include "troth/ca/authority_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <random>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/key_pair_files.h"
#include "troth/ca/revoked_list.h"
#include "troth/ca/templates.h"
#include "troth/pki/certificate_request.h"

namespace troth {
namespace {

using ca_testing::Content;
using ca_testing::FakeClock;
using ca_testing::ModeOf;
using ca_testing::TestFolder;

constexpr Seconds kYear = std::chrono::hours(24 * 365);
constexpr Seconds kDay = std::chrono::hours(24);

AuthoritySpec TwoTier() {
  return {.settings = {.trust_domain = "ca.example.org",
                       .dns_names = {"ca.example.org", "192.0.2.1"},
                       .public_url = "http://ca.example.org:8080/"}};
}

AskPassphrase NeverAsked() {
  return [](const std::string& path) -> absl::StatusOr<Secret> {
    ADD_FAILURE() << "asked for the passphrase of " << path;
    return MakeError(Reason::kKeyEncrypted, path);
  };
}

AskPassphrase Answer(std::string text) {
  return [text](const std::string&) -> absl::StatusOr<Secret> { return Secret(std::string(text)); };
}

bool Holds(const std::vector<std::string>& warnings, std::string_view word) {
  for (const std::string& warning : warnings) {
    if (warning.find(word) != std::string::npos) return true;
  }
  return false;
}

class AuthorityFolderTest : public testing::Test {
 protected:
  void Create(const AuthoritySpec& spec = TwoTier()) {
    const absl::Status created = CreateAuthority(folder_, spec, clock_);
    ASSERT_TRUE(created.ok()) << created;
  }
  AuthorityKeys Open(const AskPassphrase& ask = NeverAsked()) {
    absl::StatusOr<AuthorityKeys> keys = OpenAuthority(folder_, ask, clock_.now);
    EXPECT_TRUE(keys.ok()) << keys.status();
    return *std::move(keys);
  }
  // The root's key, taken away from the folder.
  Signer TakeRootAway() {
    absl::StatusOr<PrivateKey> key = ReadKeyFile(folder_.RootKey(), nullptr);
    absl::StatusOr<std::vector<Certificate>> root = ReadCertificateFile(folder_.RootCertificate());
    EXPECT_EQ(unlink(folder_.RootKey().c_str()), 0);
    return *Signer::Create(root->front(), *std::move(key));
  }

  TestFolder root_;
  AuthorityFolder folder_{root_ / "data"};
  FakeClock clock_;
};

TEST_F(AuthorityFolderTest, ATwoTierAuthorityHasRootIssuerListAndSettings) {
  EXPECT_FALSE(AuthorityExists(folder_));
  Create();
  EXPECT_TRUE(AuthorityExists(folder_));

  const AuthorityKeys keys = Open();
  EXPECT_EQ(keys.root.subject().ToString(), "CN=Troth Root CA ca.example.org");
  EXPECT_TRUE(keys.root.IsSelfSigned());
  EXPECT_EQ(keys.root.basic_constraints()->path_length, 1);
  const Certificate& issuer = keys.issuer.certificate();
  EXPECT_EQ(issuer.basic_constraints()->path_length, 0);
  EXPECT_EQ(issuer.issuer(), keys.root.subject());
  EXPECT_EQ(issuer.crl_distribution_points(),
            std::vector<std::string>{"http://ca.example.org:8080/crl/0"});
  EXPECT_EQ(issuer.authority_info_access(),
            std::vector<std::string>{"caIssuers http://ca.example.org:8080/issuer/0"});
  EXPECT_TRUE(keys.older_issuers.empty());

  const absl::StatusOr<Crl> list = ReadCrl(folder_.CrlFile(0), keys.root);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->entries().empty());
  EXPECT_GT(*list->next_update(), issuer.validity().not_after);
}

TEST_F(AuthorityFolderTest, OnlyTheOwnerReadsFolderKeysAndSettings) {
  Create();
  EXPECT_EQ(ModeOf(folder_.path()), 0700U);
  EXPECT_EQ(ModeOf(folder_.RootKey()), 0600U);
  EXPECT_EQ(ModeOf(folder_.IssuerKey()), 0600U);
  EXPECT_EQ(ModeOf(folder_.Settings()), 0600U);
}

TEST_F(AuthorityFolderTest, SettingsAreReadAsWritten) {
  AuthoritySettings settings{.one_tier = true,
                             .trust_domain = "a\"b\\c\n",
                             .dns_names = {"x.example.org", "::1"},
                             .public_url = "http://h:1"};
  ASSERT_TRUE(MakeFolder(folder_.path()).ok());
  ASSERT_TRUE(WriteSettings(folder_, settings).ok());
  const absl::StatusOr<AuthoritySettings> read = ReadSettings(folder_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->one_tier, settings.one_tier);
  EXPECT_EQ(read->trust_domain, settings.trust_domain);
  EXPECT_EQ(read->dns_names, settings.dns_names);
  EXPECT_EQ(read->public_url, settings.public_url);
}

TEST_F(AuthorityFolderTest, SettingsThatAreNoneAreRefused) {
  ASSERT_TRUE(MakeFolder(folder_.path()).ok());
  for (const std::string_view text :
       {"one_tier = \"yes\"\n", "trust_domian = \"x\"\n", "dns_names = \"x\"\n",
        "dns_names = [1]\n", "public_url = 1\n", "= 3\n"}) {
    ASSERT_TRUE(WriteFile(folder_.Settings(), text, {.overwrite = Overwrite::kReplace}).ok());
    EXPECT_EQ(ReasonOf(ReadSettings(folder_).status()), Reason::kConfigurationInvalid) << text;
  }
}

TEST_F(AuthorityFolderTest, AOneTierAuthorityIsOneKey) {
  AuthoritySpec spec = TwoTier();
  spec.settings.one_tier = true;
  Create(spec);
  const AuthorityKeys keys = Open();
  EXPECT_EQ(keys.issuer.certificate(), keys.root);
  EXPECT_EQ(keys.root.basic_constraints()->path_length, 0);
  EXPECT_FALSE(FileExists(folder_.IssuerCertificate()));
  EXPECT_EQ(ReasonOf(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_)), Reason::kUsageError);
}

TEST_F(AuthorityFolderTest, AnAuthorityIsNotMadeTwice) {
  Create();
  const std::string root = Content(folder_.RootCertificate());
  EXPECT_EQ(ReasonOf(CreateAuthority(folder_, TwoTier(), clock_)), Reason::kFileExists);
  EXPECT_EQ(Content(folder_.RootCertificate()), root);
}

TEST_F(AuthorityFolderTest, AnInterruptedMakingGoesOnWithTheSameRoot) {
  Create();
  const std::string root = Content(folder_.RootCertificate());
  unlink(folder_.Settings().c_str());
  unlink(folder_.IssuerCertificate().c_str());
  unlink(folder_.IssuerKey().c_str());
  Create();
  EXPECT_EQ(Content(folder_.RootCertificate()), root);
  Open();
}

TEST_F(AuthorityFolderTest, ADatabaseOrKeyWithoutItsAuthorityIsLeftAlone) {
  Create();
  ASSERT_TRUE(WriteFile(folder_.Database(), "db", {}).ok());
  unlink(folder_.Settings().c_str());
  EXPECT_EQ(ReasonOf(CreateAuthority(folder_, TwoTier(), clock_)), Reason::kFileExists);
  unlink(folder_.Database().c_str());
  unlink(folder_.RootCertificate().c_str());
  EXPECT_EQ(ReasonOf(CreateAuthority(folder_, TwoTier(), clock_)), Reason::kFileExists);
}

TEST_F(AuthorityFolderTest, PassphrasesEncryptTheKeysAndAreAskedFor) {
  const Secret root(std::string("of the root"));
  const Secret issuer(std::string("of the issuer"));
  AuthoritySpec spec = TwoTier();
  spec.root_passphrase = &root;
  spec.issuer_passphrase = &issuer;
  Create(spec);
  EXPECT_NE(Content(folder_.RootKey()).find("ENCRYPTED"), std::string::npos);

  std::vector<std::string> asked;
  const AuthorityKeys keys = Open([&](const std::string& path) -> absl::StatusOr<Secret> {
    asked.push_back(path);
    return issuer.Clone();
  });
  EXPECT_EQ(asked, std::vector<std::string>{folder_.IssuerKey()});
  EXPECT_FALSE(Holds(keys.warnings, "in the clear"));
  EXPECT_EQ(ReasonOf(OpenAuthority(folder_, Answer("wrong"), clock_.now).status()),
            Reason::kPassphraseWrong);
}

TEST_F(AuthorityFolderTest, ARootKeyInTheClearIsNamedInAWarning) {
  Create();
  EXPECT_TRUE(Holds(Open().warnings, folder_.RootKey()));
  TakeRootAway();
  const AuthorityKeys keys = Open();
  EXPECT_FALSE(Holds(keys.warnings, "in the clear"));
  EXPECT_FALSE(Holds(keys.warnings, "revocation list"));
}

TEST_F(AuthorityFolderTest, TheRootsKeyIsNotReadToOpen) {
  Create();
  ASSERT_TRUE(
      WriteFile(folder_.RootKey(), "not a key", {.mode = 0600, .overwrite = Overwrite::kReplace})
          .ok());
  Open();
}

TEST_F(AuthorityFolderTest, WhatCannotServeIsRefusedWithItsReason) {
  struct Case {
    const char* name;
    std::function<void()> spoil;
    Reason reason;
  };
  const std::vector<Case> cases = {
      {"key open to others", [&] { chmod(folder_.IssuerKey().c_str(), 0640); },
       Reason::kKeyFileTooOpen},
      {"another key",
       [&] {
         const auto key = PrivateKey::Generate(KeyType::kP256);
         ASSERT_TRUE(WriteFile(folder_.IssuerKey(), key->ToPem().Reveal(),
                               {.mode = 0600, .overwrite = Overwrite::kReplace})
                         .ok());
       },
       Reason::kKeyMismatch},
      {"no key", [&] { unlink(folder_.IssuerKey().c_str()); }, Reason::kFileNotFound},
      {"an ended issuer", [&] { clock_.now += kYear + kDay; }, Reason::kCertificateExpired},
      {"an issuer that is yet to begin", [&] { clock_.now -= kDay; },
       Reason::kCertificateNotYetValid},
      {"an issuer of another root",
       [&] {
         const AuthorityFolder other(root_ / "other");
         ASSERT_TRUE(CreateAuthority(other, TwoTier(), clock_).ok());
         ASSERT_TRUE(WriteFile(folder_.IssuerCertificate(), Content(other.IssuerCertificate()),
                               {.overwrite = Overwrite::kReplace})
                         .ok());
       },
       Reason::kIssuerUnknown},
  };
  for (const Case& c : cases) {
    folder_ = AuthorityFolder(root_ / c.name);
    const Time now = clock_.now;
    Create();
    c.spoil();
    EXPECT_EQ(ReasonOf(OpenAuthority(folder_, NeverAsked(), clock_.now).status()), c.reason)
        << c.name;
    clock_.now = now;
    std::filesystem::remove_all(root_ / "other");
  }
}

TEST_F(AuthorityFolderTest, ARenewedIssuerSignsAndItsPredecessorIsKeptForItsLists) {
  Create();
  const Certificate first = Open().issuer.certificate();
  clock_.now += kDay;
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
  const AuthorityKeys keys = Open();
  EXPECT_NE(keys.issuer.certificate(), first);
  EXPECT_FALSE(keys.issuer.certificate().subject().Matches(first.subject()));
  ASSERT_EQ(keys.older_issuers.size(), 1U);
  EXPECT_EQ(keys.older_issuers[0].certificate(), first);
  EXPECT_EQ(ModeOf(folder_.OlderIssuerKey(first.public_key())), 0600U);
  EXPECT_EQ(ReadCrl(folder_.CrlFile(0), keys.root)->this_update(), clock_.now - kBackdate);
  EXPECT_FALSE(FileExists(folder_.NextIssuerKey()));
  EXPECT_FALSE(FileExists(folder_.NextIssuerRequest()));
}

TEST_F(AuthorityFolderTest, AnOlderIssuerIsRetiredWhenItHasEnded) {
  Create();
  const Certificate first = Open().issuer.certificate();
  clock_.now += kYear - kDay;
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
  ASSERT_TRUE(RetireIssuers(folder_, clock_.now).ok());
  EXPECT_EQ(Open().older_issuers.size(), 1U);
  // A clock that is ahead for a start takes no key away for good.
  clock_.now += 90 * kDay;
  ASSERT_TRUE(RetireIssuers(folder_, clock_.now).ok());
  EXPECT_EQ(Open().older_issuers.size(), 1U);
  EXPECT_TRUE(FileExists(folder_.OlderIssuerKey(first.public_key())));
  clock_.now += 2 * kDay;
  ASSERT_TRUE(RetireIssuers(folder_, clock_.now).ok());
  EXPECT_TRUE(Open().older_issuers.empty());
  EXPECT_FALSE(FileExists(folder_.OlderIssuerKey(first.public_key())));
  EXPECT_EQ(ReadCertificateFile(folder_.IssuerCertificate())->size(), 1U);
}

// The server has what opens the present key, and nothing else.
TEST_F(AuthorityFolderTest, ANewIssuersKeyIsKeptAsThePresentOneIs) {
  const Secret of_root("of the root"), of_issuer("of the issuer");
  struct Case {
    const char* name;
    const Secret *root, *issuer;
    AskPassphrase ask, server;
  };
  const AskPassphrase each = [](const std::string& path) -> absl::StatusOr<Secret> {
    return Secret(path.ends_with("root.key") ? "of the root" : "of the issuer");
  };
  for (const Case& c :
       {Case{"both in the clear", nullptr, nullptr, Answer("given all the same"), NeverAsked()},
        Case{"the root encrypted", &of_root, nullptr, Answer("of the root"), NeverAsked()},
        Case{"the issuer encrypted", nullptr, &of_issuer, Answer("of the issuer"),
             Answer("of the issuer")},
        Case{"both, with two passphrases", &of_root, &of_issuer, each, Answer("of the issuer")}}) {
    folder_ = AuthorityFolder(root_ / c.name);
    AuthoritySpec spec = TwoTier();
    spec.root_passphrase = c.root;
    spec.issuer_passphrase = c.issuer;
    Create(spec);
    const absl::Status renewed = RenewIssuer(folder_, kYear, c.ask, {}, clock_);
    EXPECT_TRUE(renewed.ok()) << c.name << ": " << renewed;
    EXPECT_EQ(Open(c.server).older_issuers.size(), 1U) << c.name;
    const absl::StatusOr<PreparedIssuer> prepared = PrepareIssuer(folder_, c.ask, {});
    ASSERT_TRUE(prepared.ok()) << c.name << ": " << prepared.status();
    EXPECT_EQ(Content(folder_.NextIssuerKey()).find("ENCRYPTED") != std::string::npos,
              c.issuer != nullptr)
        << c.name;
  }
}

TEST_F(AuthorityFolderTest, WhoCannotOpenTheIssuersKeyMakesNoNewOne) {
  AuthoritySpec spec = TwoTier();
  const Secret passphrase("of the issuer");
  spec.issuer_passphrase = &passphrase;
  Create(spec);
  const std::string before = Content(folder_.IssuerCertificate());
  EXPECT_EQ(ReasonOf(RenewIssuer(folder_, kYear, Answer("another"), {}, clock_)),
            Reason::kPassphraseWrong);
  EXPECT_EQ(ReasonOf(PrepareIssuer(folder_, Answer("another"), {}).status()),
            Reason::kPassphraseWrong);
  EXPECT_EQ(Content(folder_.IssuerCertificate()), before);
  EXPECT_FALSE(FileExists(folder_.NextIssuerKey()));
}

RevokedEntry Entry(Time at, int reason = 0) {
  return {.serial = SerialNumber::Generate(at), .revoked_at = at, .reason = reason};
}

TEST_F(AuthorityFolderTest, WhatIsOnTheRootsListStaysThere) {
  Create();
  const Certificate root = Open().root;
  const RevokedEntry first = Entry(clock_.now, 1), second = Entry(clock_.now);
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {first, first}, clock_).ok());
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {first, second}, clock_).ok());
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
  const Crl list = *ReadCrl(folder_.CrlFile(0), root);
  EXPECT_EQ(list.entries().size(), 2U);
  ASSERT_NE(list.Find(first.serial), nullptr);
  EXPECT_EQ(list.Find(first.serial)->reason, 1);
  EXPECT_NE(list.Find(second.serial), nullptr);
}

TEST_F(AuthorityFolderTest, ARootsListThatCannotBeReadIsNotTakenForAnEmptyOne) {
  Create();
  const std::string issuer = Content(folder_.IssuerCertificate());
  ASSERT_TRUE(WriteFile(folder_.CrlFile(0), "damaged", {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_FALSE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
  EXPECT_FALSE(PrepareIssuer(folder_, NeverAsked(), {}).ok());
  EXPECT_EQ(Content(folder_.IssuerCertificate()), issuer);
  EXPECT_EQ(Content(folder_.CrlFile(0)), "damaged");
  ASSERT_EQ(unlink(folder_.CrlFile(0).c_str()), 0);
  EXPECT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
}

TEST_F(AuthorityFolderTest, WithTheRootElsewhereItsListForgetsNothingEither) {
  Create();
  const Certificate certificate = Open().root;
  const RevokedEntry known = Entry(clock_.now), fresh = Entry(clock_.now, 4);
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {known}, clock_).ok());
  const Signer root = TakeRootAway();
  const auto prepared = PrepareIssuer(folder_, NeverAsked(), {known, fresh});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto wanted = ReadRevoked(Content(prepared->revoked));
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  ASSERT_EQ(wanted->size(), 1U) << "only what the present list lacks";
  EXPECT_EQ((*wanted)[0].serial, fresh.serial);

  const Certificate issuer =
      *SignIssuer(root, Content(prepared->request), kYear, *ReadSettings(folder_), clock_);
  const Crl present = *ReadCrl(prepared->root_list, certificate);
  const Crl forgetful = *SignRootList(root, issuer, std::nullopt, *wanted, clock_);
  const absl::Status refused =
      ActivateIssuer(folder_, issuer.ToPem() + forgetful.ToPem(), NeverAsked(), clock_);
  EXPECT_EQ(ReasonOf(refused), Reason::kUsageError);
  EXPECT_NE(ToStd(refused.message()).find(known.serial.ToHex()), std::string_view::npos) << refused;
  EXPECT_NE(Open().issuer.certificate(), issuer);

  const Crl whole = *SignRootList(root, issuer, present, *wanted, clock_);
  ASSERT_TRUE(ActivateIssuer(folder_, issuer.ToPem() + whole.ToPem(), NeverAsked(), clock_).ok());
  const Crl list = *ReadCrl(folder_.CrlFile(0), certificate);
  EXPECT_NE(list.Find(known.serial), nullptr);
  EXPECT_NE(list.Find(fresh.serial), nullptr);
  EXPECT_FALSE(FileExists(folder_.NextIssuerRevoked()));
  EXPECT_EQ(PrepareIssuer(folder_, NeverAsked(), {known, fresh})->revoked, "");
}

TEST_F(AuthorityFolderTest, ARootsListFromTheFutureIsReplaced) {
  Create();
  const Certificate certificate = Open().root;
  clock_.now += 30 * kDay;
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
  clock_.now -= 30 * kDay;
  const Signer root = TakeRootAway();
  const auto prepared = PrepareIssuer(folder_, NeverAsked(), {});
  const Certificate issuer =
      *SignIssuer(root, Content(prepared->request), kYear, *ReadSettings(folder_), clock_);
  const Crl list = *SignRootList(root, issuer, std::nullopt, {}, clock_);
  ASSERT_TRUE(ActivateIssuer(folder_, issuer.ToPem() + list.ToPem(), NeverAsked(), clock_).ok());
  EXPECT_LE(ReadCrl(folder_.CrlFile(0), certificate)->this_update(), clock_.now);
}

TEST_F(AuthorityFolderTest, WithTheRootElsewhereARequestGoesOutAndACertificateComesIn) {
  Create();
  const Signer root = TakeRootAway();
  EXPECT_EQ(ReasonOf(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_)), Reason::kFileNotFound);

  const absl::StatusOr<PreparedIssuer> prepared = PrepareIssuer(folder_, NeverAsked(), {});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->root_list, folder_.CrlFile(0));
  EXPECT_EQ(prepared->revoked, "");
  const std::string request = Content(prepared->request);
  ASSERT_TRUE(PrepareIssuer(folder_, NeverAsked(), {}).ok());
  EXPECT_EQ(Content(prepared->request), request) << "a request that is on its way was thrown away";

  const AuthoritySettings settings = *ReadSettings(folder_);
  const absl::StatusOr<Certificate> issuer = SignIssuer(root, request, kYear, settings, clock_);
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  clock_.now += kDay;
  const absl::StatusOr<Crl> list = SignRootList(root, *issuer, std::nullopt, {}, clock_);
  ASSERT_TRUE(list.ok()) << list.status();
  const std::string pem = issuer->ToPem() + list->ToPem();
  ASSERT_TRUE(ActivateIssuer(folder_, pem, NeverAsked(), clock_).ok());
  EXPECT_TRUE(ActivateIssuer(folder_, pem, NeverAsked(), clock_).ok()) << "again";

  const AuthorityKeys keys = Open();
  EXPECT_EQ(keys.issuer.certificate(), *issuer);
  EXPECT_EQ(ReadCrl(folder_.CrlFile(0), keys.root)->this_update(), clock_.now - kBackdate);
  const std::string next = Content(PrepareIssuer(folder_, NeverAsked(), {})->request);
  EXPECT_NE(next, request);
}

TEST_F(AuthorityFolderTest, OnlyACertificateForThePreparedKeyOfThisRootIsActivated) {
  Create();
  const Signer root = TakeRootAway();
  const AuthoritySettings settings = *ReadSettings(folder_);
  const std::string request = Content(PrepareIssuer(folder_, NeverAsked(), {})->request);
  const std::string present = Content(folder_.IssuerCertificate());

  const AuthorityFolder other(root_ / "other");
  ASSERT_TRUE(CreateAuthority(other, TwoTier(), clock_).ok());
  const Signer foreign = *Signer::Create(ReadCertificateFile(other.RootCertificate())->front(),
                                         *ReadKeyFile(other.RootKey(), nullptr));
  const std::string foreign_request = Content(PrepareIssuer(other, NeverAsked(), {})->request);
  const auto leaf = [&] {
    const auto key = CertificateRequest::FromPem(request)->public_key();
    return Issue({.serial = SerialNumber::Generate(clock_.now),
                  .subject = *DistinguishedName::FromCommonName("leaf"),
                  .validity = {clock_.now, clock_.now + kDay},
                  .public_key = key},
                 root)
        ->ToPem();
  };
  struct Case {
    const char* name;
    std::string pem;
    Reason reason;
  };
  const std::vector<Case> cases = {
      {"of another key", SignIssuer(root, foreign_request, kYear, settings, clock_)->ToPem(),
       Reason::kKeyMismatch},
      {"of another root", SignIssuer(foreign, request, kYear, settings, clock_)->ToPem(),
       Reason::kIssuerUnknown},
      {"no CA", leaf(), Reason::kNotACertificateAuthority},
      {"ended", SignIssuer(root, request, -Seconds(60), settings, clock_)->ToPem(),
       Reason::kCertificateExpired},
      {"with a list of another root",
       SignIssuer(root, request, kYear, settings, clock_)->ToPem() +
           SignRootList(foreign, foreign.certificate(), std::nullopt, {}, clock_)->ToPem(),
       Reason::kCrlMalformed},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ReasonOf(ActivateIssuer(folder_, c.pem, NeverAsked(), clock_)), c.reason) << c.name;
    EXPECT_EQ(Content(folder_.IssuerCertificate()), present) << c.name;
  }
}

TEST_F(AuthorityFolderTest, TheRootsOwnKeyIsNoIssuer) {
  Create();
  const Signer root = TakeRootAway();
  const auto request =
      CertificateRequest::Create(root.key(), *DistinguishedName::FromCommonName("x"), {});
  EXPECT_EQ(
      ReasonOf(SignIssuer(root, request->ToPem(), kYear, *ReadSettings(folder_), clock_).status()),
      Reason::kRequestMalformed);
}

// How long `work` takes when nobody kills it: a disk's sync takes from microseconds to tens of
// milliseconds.
std::uint32_t MicrosecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::steady_clock::now() - start)
                                        .count()) +
         1000;
}

// Runs `work` in a child that is killed after a while.
void RunAndKill(const std::function<void()>& work, std::chrono::microseconds after) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    work();
    _exit(0);
  }
  usleep(static_cast<useconds_t>(after.count()));
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
}

TEST_F(AuthorityFolderTest, MakingCanBeKilledAtAnyMoment) {
  std::mt19937 random(4711);
  const std::uint32_t whole = MicrosecondsOf([&] { Create(); });
  for (int round = 0; round < 30; ++round) {
    folder_ = AuthorityFolder(root_ / ("made" + std::to_string(round)));
    RunAndKill([&] { (void)CreateAuthority(folder_, TwoTier(), clock_); },
               std::chrono::microseconds(random() % whole));
    const std::string root =
        FileExists(folder_.RootCertificate()) ? Content(folder_.RootCertificate()) : "";
    if (!AuthorityExists(folder_)) Create();
    Open();
    if (!root.empty()) {
      EXPECT_EQ(Content(folder_.RootCertificate()), root);
    }
  }
}

TEST_F(AuthorityFolderTest, RenewalCanBeKilledAtAnyMomentAndLosesNoKey) {
  Create();
  std::mt19937 random(4711);
  std::vector<Certificate> seen = {Open().issuer.certificate()};
  const std::uint32_t whole = MicrosecondsOf(
      [&] { ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok()); });
  seen.push_back(Open().issuer.certificate());
  for (int round = 0; round < 40; ++round) {
    RunAndKill([&] { (void)RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_); },
               std::chrono::microseconds(random() % whole));
    const AuthorityKeys keys = Open();
    if (keys.issuer.certificate() != seen.back()) seen.push_back(keys.issuer.certificate());
    ASSERT_EQ(keys.older_issuers.size(), seen.size() - 1);
    for (size_t i = 0; i + 1 < seen.size(); ++i) {
      EXPECT_EQ(keys.older_issuers[seen.size() - 2 - i].certificate(), seen[i]);
    }
  }
  ASSERT_TRUE(RenewIssuer(folder_, kYear, NeverAsked(), {}, clock_).ok());
  EXPECT_EQ(Open().older_issuers.size(), seen.size());
}

}  // namespace
}  // namespace troth
