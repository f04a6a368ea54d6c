// troth ledger, troth store: on the store itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "troth/base/file.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/folder_lock.h"
#include "troth/ca/ledger.h"
#include "troth/ca/operations_testing.h"
#include "troth/cli/cli_testing.h"
#include "troth/cli/operations_options.h"
#include "troth/pki/issue.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

using cli_testing::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

int ExitCodeOf(Reason reason) { return InfoOf(reason).exit_code; }

// A CA, or what one of them issued.
Signer MakeSigner(const std::string& name, const Signer* issuer, Time now) {
  PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  CertificateTemplate what{.serial = SerialNumber::Generate(now),
                           .subject = *DistinguishedName::FromCommonName(name),
                           .validity = {now - std::chrono::hours(1), now + std::chrono::hours(24)},
                           .public_key = key.public_key(),
                           .basic_constraints = BasicConstraints{.is_ca = true}};
  Certificate certificate = issuer == nullptr ? *IssueSelfSigned(what, key) : *Issue(what, *issuer);
  return *Signer::Create(std::move(certificate), std::move(key));
}

// A data directory with a root and a store whose ledger has entries.
class LedgerStoreTest : public ::testing::Test {
 protected:
  LedgerStoreTest()
      : root_(MakeSigner("root", nullptr, clock_.now)),
        issuer_(MakeSigner("issuer", &root_, clock_.now)) {
    EXPECT_TRUE(MakeFolder(data_.path(), 0700).ok());
    EXPECT_TRUE(WriteFile(data_.RootCertificate(), root_.certificate().ToPem(), {}).ok());
  }

  Outcome Troth(const std::vector<std::string>& arguments) {
    const auto connect =
        [this](
            const OperationsOptions& /*options*/) -> absl::StatusOr<std::unique_ptr<Operations>> {
      return std::make_unique<ca_testing::FakeOperations>(remote_, "admin");
    };
    return cli_testing::Run(arguments, clock_, {.connect = connect});
  }
  Outcome Here(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data", data_.path()});
    return Troth(arguments);
  }
  Outcome Remote(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", "ca:8444", "--certificate", "a.pem",
                                       "--private-key", "a.key", "--trust-bundle", "root.pem"});
    return Troth(arguments);
  }

  static LedgerNote Note(const std::string& action) {
    return {.at = *ParseTime("2026-11-21T02:00:00Z"),
            .actor = "local admin",
            .action = action,
            .subject = "41ab",
            .detail = "db.internal"};
  }
  // Appends to the store, and answers its head.
  LedgerHead Append(const std::vector<std::string>& actions) {
    auto store = OpenSqliteStore({.path = data_.Database()});
    EXPECT_TRUE(store.ok()) << store.status();
    LedgerHead head;
    for (const std::string& action : actions) {
      EXPECT_TRUE((*store)
                      ->WriteAndWait([&](StoreTransaction& transaction) {
                        return transaction.AppendLedger(Note(action));
                      })
                      .ok());
    }
    EXPECT_TRUE((*store)
                    ->Read([&](StoreReader& reader) {
                      head = *reader.Head();
                      return absl::OkStatus();
                    })
                    .ok());
    return head;
  }
  std::string WriteHead(const std::string& file, const LedgerHead& head, const Signer& signer) {
    const std::string path = folder_ / file;
    EXPECT_TRUE(WriteFile(path, SignHead(head, signer, clock_.now)->ToText(),
                          {.overwrite = Overwrite::kReplace})
                    .ok());
    return path;
  }

  ca_testing::TestFolder folder_;
  ca_testing::FakeClock clock_;
  const AuthorityFolder data_{folder_ / "data"};
  const Signer root_, issuer_;
  ca_testing::FakeState remote_;
};

TEST_F(LedgerStoreTest, AWholeLedgerIsWhole) {
  const LedgerHead head = Append({"issue", "renew", "revoke"});
  const Outcome verified = Here({"ledger", "verify"});
  EXPECT_EQ(verified.code, kExitDone) << verified.err;
  EXPECT_EQ(verified.out,
            "The ledger is whole: 3 entries, head " + FormatFingerprint(head.hash) + "\n");
  EXPECT_THAT(verified.err, HasSubstr("no signed head was compared"));
}

TEST_F(LedgerStoreTest, ALedgerGrowsPastTheHeadThatWasKept) {
  const std::string kept = WriteHead("kept", Append({"issue", "renew"}), issuer_);
  Append({"revoke"});
  Outcome verified = Here({"ledger", "verify", "--head", kept});
  EXPECT_EQ(verified.code, kExitDone) << verified.err;
  EXPECT_THAT(verified.out, AllOf(HasSubstr("3 entries"), HasSubstr("with 2 entries (" + kept)));
  EXPECT_THAT(verified.err, IsEmpty());
  verified = Here({"ledger", "verify", "--head", kept, "--json"});
  EXPECT_THAT(verified.out,
              AllOf(HasSubstr(R"("ok": true, "entries": 3)"),
                    HasSubstr(R"("sequence": 2, "signed_at": "2026-11-21T02:29:09Z")")));
}

TEST_F(LedgerStoreTest, ALedgerThatWasCutShortOrMadeUpAnewIsBroken) {
  const LedgerHead head = Append({"issue", "renew", "revoke"});
  const std::string kept = WriteHead("kept", head, issuer_);
  std::filesystem::remove_all(data_.path());
  ASSERT_TRUE(MakeFolder(data_.path(), 0700).ok());
  ASSERT_TRUE(WriteFile(data_.RootCertificate(), root_.certificate().ToPem(), {}).ok());
  Append({"issue", "renew"});
  Outcome broken = Here({"ledger", "verify", "--head", kept});
  EXPECT_EQ(broken.code, ExitCodeOf(Reason::kLedgerBroken));
  EXPECT_THAT(broken.err, HasSubstr("[ledger_broken]"));
  // As long as before, and another one.
  Append({"issue"});
  broken = Here({"ledger", "verify", "--head", kept});
  EXPECT_EQ(broken.code, ExitCodeOf(Reason::kLedgerBroken));
  // Without the head nothing is seen of it.
  EXPECT_EQ(Here({"ledger", "verify"}).code, kExitDone);
}

TEST_F(LedgerStoreTest, TheAuthoritysOwnHeadIsComparedToo) {
  LedgerHead head = Append({"issue"});
  ASSERT_TRUE(
      WriteFile(data_.LedgerHead(), SignHead(head, issuer_, clock_.now)->ToText(), {}).ok());
  EXPECT_THAT(Here({"ledger", "verify"}).out, HasSubstr(data_.LedgerHead()));
  head.sequence = 5;
  ASSERT_TRUE(WriteFile(data_.LedgerHead(), SignHead(head, issuer_, clock_.now)->ToText(),
                        {.overwrite = Overwrite::kReplace})
                  .ok());
  EXPECT_EQ(Here({"ledger", "verify"}).code, ExitCodeOf(Reason::kLedgerBroken));
}

TEST_F(LedgerStoreTest, OnlyAnIssuerOfThisAuthoritySignsItsHeads) {
  const LedgerHead head = Append({"issue"});
  EXPECT_EQ(Here({"ledger", "verify", "--head", WriteHead("by-root", head, root_)}).code,
            kExitDone);
  const Signer stranger = MakeSigner("stranger", nullptr, clock_.now);
  EXPECT_NE(Here({"ledger", "verify", "--head", WriteHead("stranger", head, stranger)}).code,
            kExitDone);
  // One that is neither signed by who it says nor a head at all.
  std::string text = SignHead(head, issuer_, clock_.now)->ToText();
  const std::string forged =
      SignHead({.sequence = 2, .hash = head.hash}, issuer_, clock_.now)->ToText();
  const size_t line = text.find("signature");
  ASSERT_NE(line, std::string::npos);
  text = text.substr(0, line) + forged.substr(forged.find("signature"));
  ASSERT_TRUE(WriteFile(folder_ / "forged", text, {}).ok());
  EXPECT_EQ(Here({"ledger", "verify", "--head", folder_ / "forged"}).code,
            ExitCodeOf(Reason::kSignatureInvalid));
  ASSERT_TRUE(WriteFile(folder_ / "text", "not a head", {}).ok());
  EXPECT_EQ(Here({"ledger", "verify", "--head", folder_ / "text"}).code,
            ExitCodeOf(Reason::kFileWrongFormat));
  EXPECT_EQ(Here({"ledger", "verify", "--head", folder_ / "none"}).code,
            ExitCodeOf(Reason::kFileNotFound));
}

TEST_F(LedgerStoreTest, VerifiesWhileAnAuthorityHasTheStoreOpen) {
  const auto lock = FolderLock::Acquire(data_.path(), Seconds(0));
  ASSERT_TRUE(lock.ok()) << lock.status();
  auto store = OpenSqliteStore({.path = data_.Database()});
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)
                  ->WriteAndWait([](StoreTransaction& transaction) {
                    return transaction.AppendLedger(Note("issue"));
                  })
                  .ok());
  EXPECT_THAT(Here({"ledger", "verify"}).out, HasSubstr("1 entry, head"));
  EXPECT_EQ(Here({"store", "check"}).code, kExitDone);
  EXPECT_EQ(Here({"store", "backup", folder_ / "copy.db"}).code, kExitDone);
}

TEST_F(LedgerStoreTest, ALedgerElsewhereIsVerifiedHere) {
  remote_.root_pem = root_.certificate().ToPem();
  for (const char* action : {"issue", "renew", "revoke"}) remote_.Append(Note(action));
  const LedgerHead head{remote_.ledger[1].sequence, remote_.ledger[1].hash};
  const std::string kept = WriteHead("kept", head, issuer_);
  Outcome verified = Remote({"ledger", "verify", "--head", kept});
  EXPECT_EQ(verified.code, kExitDone) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("3 entries"));
  EXPECT_THAT(Remote({"ledger", "show", "--json"}).out,
              HasSubstr(R"("sequence": 3, "at": "2026-11-21T02:00:00Z", "actor": "local admin")"));

  remote_.ledger[0].note.detail = "someone.else";
  verified = Remote({"ledger", "verify"});
  EXPECT_EQ(verified.code, ExitCodeOf(Reason::kLedgerBroken));
  remote_.failure = MakeError(Reason::kRoleNotAllowed, "no");
  EXPECT_EQ(Remote({"ledger", "verify"}).code, ExitCodeOf(Reason::kRoleNotAllowed));
}

TEST_F(LedgerStoreTest, ShowsTheLastDecisionsOrThoseAskedFor) {
  std::vector<std::string> actions;
  for (int i = 1; i <= 120; ++i) actions.push_back("action" + std::to_string(i));
  Append(actions);
  const std::string last = Here({"ledger", "show"}).out;
  EXPECT_THAT(last,
              AllOf(HasSubstr("\n71      2026-11-21T02:00:00Z  action71   local admin  41ab     "
                              "db.internal\n"),
                    HasSubstr("action120"), Not(HasSubstr("action70 "))));
  const std::string some = Here({"ledger", "show", "--from", "5", "--limit", "2"}).out;
  EXPECT_THAT(some,
              AllOf(HasSubstr("action5 "), HasSubstr("action6 "), Not(HasSubstr("action7 "))));
  EXPECT_EQ(Here({"ledger", "show", "--from", "500"}).out, "No entries\n");
}

TEST_F(LedgerStoreTest, ChecksTheStore) {
  Append({"issue"});
  Outcome checked = Here({"store", "check"});
  EXPECT_EQ(checked.code, kExitDone) << checked.err;
  EXPECT_THAT(checked.out, AllOf(HasSubstr("1 ledger entry\n"), HasSubstr("The store is whole")));
  EXPECT_THAT(Here({"store", "check", "--json"}).out,
              AllOf(HasSubstr(R"("ok": true)"), HasSubstr(R"("ledger_entries": 1)"),
                    HasSubstr(R"("faults": [])")));
}

TEST_F(LedgerStoreTest, BacksTheStoreUpOverNothing) {
  Append({"issue", "renew"});
  const std::string copy = folder_ / "copy.db";
  ASSERT_EQ(Here({"store", "backup", copy}).code, kExitDone);
  EXPECT_EQ(ca_testing::ModeOf(copy), 0600U);
  const auto check = CheckSqliteStore(copy, {});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(check->ledger_entries, 2U);
  EXPECT_EQ(Here({"store", "backup", copy}).code, ExitCodeOf(Reason::kFileExists));
}

TEST_F(LedgerStoreTest, PrunesWhatEndedLongAgoWhenNoAuthorityRuns) {
  auto store = OpenSqliteStore({.path = data_.Database()});
  ASSERT_TRUE(store.ok()) << store.status();
  TokenRecord token{.id = "5f2c81a09d3e6b77",
                    .profile = "default",
                    .names = {"db"},
                    .created_at = clock_.now - std::chrono::hours(24 * 100),
                    .expires_at = clock_.now - std::chrono::hours(24 * 99)};
  ASSERT_TRUE(
      (*store)
          ->WriteAndWait([&](StoreTransaction& transaction) { return transaction.PutToken(token); })
          .ok());
  store->reset();
  {
    const auto lock = FolderLock::Acquire(data_.path(), Seconds(0));
    ASSERT_TRUE(lock.ok()) << lock.status();
    const Outcome refused = Here({"store", "prune"});
    EXPECT_EQ(refused.code, ExitCodeOf(Reason::kFileLocked));
    EXPECT_THAT(refused.err, HasSubstr("stop it first"));
  }
  EXPECT_THAT(Here({"store", "prune", "--older-than", "100d"}).out, HasSubstr("0 tokens"));
  EXPECT_THAT(Here({"store", "prune"}).out, HasSubstr("1 token."));
  EXPECT_EQ(Here({"store", "prune", "--older-than", "long"}).code, kExitUsage);
}

TEST_F(LedgerStoreTest, AFolderWithoutAnAuthorityIsNotMadeOne) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"ledger", "verify"},
                                                    {"ledger", "show"},
                                                    {"store", "check"},
                                                    {"store", "backup", folder_ / "copy.db"},
                                                    {"store", "prune"}}) {
    EXPECT_EQ(Here(arguments).code, ExitCodeOf(Reason::kFileNotFound)) << arguments[1];
  }
  EXPECT_FALSE(FileExists(data_.Database()));
}

}  // namespace
}  // namespace troth
