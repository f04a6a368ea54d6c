// Checking, copying and pruning.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"
#include "troth/store/durability_testing.h"
#include "troth/store/sqlite_internal.h"

namespace troth::store_testing {
namespace {

using ca_testing::kStoreTestTime;
using ca_testing::ModeOf;
using ca_testing::TestFolder;
using ca_testing::TestRequest;
using ca_testing::TestToken;

constexpr std::uint64_t kPieces = 60;

class SqliteStoreCareTest : public ::testing::Test {
 protected:
  SqliteStoreCareTest() { Open(); }

  void Open() {
    auto store = OpenSqliteStore({.path = path_, .index_batch = 7, .clock = &clock_});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void WritePieces(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t number = first; number <= last; ++number) {
      const absl::Status status = store_->WriteAndWait(PieceOf(number));
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  void RunSql(const std::string& sql) {
    auto connection = SqliteConnection::Open(path_, SqliteConnection::Access::kWrite, "");
    ASSERT_TRUE(connection.ok()) << connection.status();
    const absl::Status done = (*connection)->Execute(sql);
    ASSERT_TRUE(done.ok()) << sql << ": " << done;
  }
  bool IsNameKnown(const std::string& name) {
    bool known = false;
    EXPECT_TRUE(store_
                    ->Read([&](StoreReader& reader) {
                      known = *reader.IsNameKnown(name);
                      return absl::OkStatus();
                    })
                    .ok());
    return known;
  }

  const TestFolder folder_;
  const std::string path_ = folder_ / "store.db";
  ca_testing::FakeClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_F(SqliteStoreCareTest, ACheckCountsWhatIsThere) {
  WritePieces(1, kPieces);
  std::uint64_t last = 0;
  const auto check = CheckSqliteStore(path_, [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 2 * kPieces);
    EXPECT_GE(done, last);
    last = done;
  });
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(last, 2 * kPieces);
  EXPECT_EQ(check->faults, std::vector<std::string>());
  EXPECT_EQ(check->certificates, kPieces);
  EXPECT_EQ(check->revocations, kPieces / 3);
  EXPECT_EQ(check->requests, kPieces / 4);
  EXPECT_EQ(check->tokens, kPieces / 5);
  EXPECT_EQ(check->ledger_entries, kPieces);
}

TEST_F(SqliteStoreCareTest, ACheckSeesEveryKindOfDamage) {
  WritePieces(1, kPieces);
  store_.reset();
  const std::string whole = ca_testing::Content(path_);
  const std::vector<std::string> damages = {
      "UPDATE certificates SET der = substr(der, 1, 100) WHERE sequence = 9",
      "UPDATE certificates SET der = (SELECT der FROM certificates WHERE sequence = 2) "
      "WHERE sequence = 9",
      "UPDATE certificates SET not_after = not_after + 1 WHERE sequence = 60",
      "UPDATE certificates SET not_after = not_after + 1 WHERE sequence = 9",
      "UPDATE certificates SET serial = x'41' WHERE sequence = 60",
      "UPDATE certificates SET names = x'0161' WHERE sequence = 9",
      "UPDATE certificates SET names = x'ff' WHERE sequence = 9",
      "UPDATE certificates SET request = randomblob(32) WHERE sequence = 9",
      "UPDATE certificates SET request = randomblob(31) WHERE sequence = 60",
      "DELETE FROM certificates WHERE sequence = 9",
      "DELETE FROM certificates WHERE sequence = 60",
      "DELETE FROM index_blocks WHERE id = (SELECT min(id) FROM index_blocks)",
      "UPDATE index_blocks SET entries = zeroblob(length(entries)) "
      "WHERE id = (SELECT max(id) FROM index_blocks)",
      "DELETE FROM index_segments WHERE id = (SELECT max(id) FROM index_segments)",
      "UPDATE index_segments SET fences = x'00'",
      "UPDATE index_segments SET entries = entries - 1",
      "UPDATE state SET indexed_until = indexed_until - 1",
      "UPDATE state SET certificates = certificates + 1",
      "UPDATE state SET revocations = revocations - 1",
      "UPDATE state SET hash_key = randomblob(16)",
      "DELETE FROM state",
      "DELETE FROM revocations WHERE reason = 1",
      "UPDATE revocations SET certificate = 1",
      "UPDATE revocations SET key = x'00'",
      "UPDATE requests SET state = 9",
      "DELETE FROM request_names",
      "UPDATE tokens SET secret_hash = x'00'",
      "UPDATE ledger SET detail = 'another' WHERE sequence = 9",
      "DELETE FROM ledger WHERE sequence = 9",
      "DELETE FROM ledger WHERE sequence = 1",
  };
  for (const std::string& damage : damages) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole;
    RunSql(damage);
    const auto check = CheckSqliteStore(path_, nullptr);
    // One that cannot even be begun is as good an answer.
    EXPECT_TRUE(!check.ok() || !check->faults.empty()) << damage;
  }
  // A page that SQLite itself finds damaged.
  std::string torn = whole;
  torn.replace(torn.size() / 2 / 4096 * 4096, 2048, std::string(2048, '\x07'));
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << torn;
  const auto check = CheckSqliteStore(path_, nullptr);
  EXPECT_TRUE(!check.ok() || !check->faults.empty());
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole;
  ExpectNoFaults(path_);
}

TEST_F(SqliteStoreCareTest, ABackupIsOneMomentOfAStoreInUse) {
  WritePieces(1, 20);
  std::atomic<bool> copying = true;
  std::atomic<std::uint64_t> written = 20;
  for (std::uint64_t number = 1; number <= 400; ++number) IssuedCertificate(number);
  std::thread writer([&] {
    while (copying && written < 400) WritePieces(written + 1, written + 1), ++written;
  });
  for (const char* name : {"first.db", "second.db", "third.db"}) {
    const std::uint64_t before = written;
    const absl::Status status = BackupSqliteStore(path_, folder_ / name);
    ASSERT_TRUE(status.ok()) << status;
    const std::uint64_t after = written + 1;
    EXPECT_EQ(ModeOf(folder_ / name), 0600U);
    ExpectNoFaults(folder_ / name);
    auto copy = OpenSqliteStore({.path = folder_ / name});
    ASSERT_TRUE(copy.ok()) << copy.status();
    const std::set<std::uint64_t> pieces = PiecesIn(**copy, after + 1);
    EXPECT_GE(pieces.size(), before);
    EXPECT_LE(pieces.size(), after);
    EXPECT_EQ(*pieces.rbegin(), pieces.size());
    EXPECT_TRUE((*copy)->WriteAndWait(PieceOf(400)).ok());
  }
  copying = false;
  writer.join();
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path().filename().string().find(".db."), std::string::npos) << entry.path();
  }
}

TEST_F(SqliteStoreCareTest, ABackupReplacesNothing) {
  WritePieces(1, 1);
  std::ofstream(folder_ / "there.db") << "precious";
  EXPECT_EQ(ReasonOf(BackupSqliteStore(path_, folder_ / "there.db")), Reason::kFileExists);
  EXPECT_EQ(ca_testing::Content(folder_ / "there.db"), "precious");
  EXPECT_EQ(ReasonOf(BackupSqliteStore(path_, folder_ / "none/new.db")), Reason::kFileWriteFailed);
  EXPECT_EQ(ReasonOf(BackupSqliteStore(folder_ / "there.db", folder_ / "new.db")),
            Reason::kStoreFailed);
  EXPECT_FALSE(FileExists(folder_ / "new.db"));
}

// Certificates of number n expire n % 40 + 1 days after they were issued.
TEST_F(SqliteStoreCareTest, PruningRemovesWhatExpired) {
  WritePieces(1, kPieces);
  const Time before = kStoreTestTime + std::chrono::days(10);
  std::set<std::uint64_t> expected;
  for (std::uint64_t number = 1; number <= kPieces; ++number) {
    if (IssuedCertificate(number).not_after >= before) expected.insert(number);
  }
  ASSERT_LT(expected.size(), kPieces - 10);
  const auto look = [&](Store& store) {
    const absl::Status read = store.Read([&](StoreReader& reader) {
      for (std::uint64_t number = 1; number <= kPieces; ++number) {
        const CertificateRecord& record = IssuedCertificate(number);
        EXPECT_EQ((*reader.FindCertificate(record.serial)).has_value(), expected.contains(number));
        EXPECT_EQ((*reader.FindCertificateOfRequest(record.request, record.token)).has_value(),
                  expected.contains(number));
        // A name that was ever used is not "previously unseen".
        EXPECT_TRUE(*reader.IsNameKnown(record.names[0])) << number;
        EXPECT_EQ(reader.FindCertificates({.name = record.names[0]})->size(),
                  expected.contains(number) ? 1U : 0U);
        // The key and the lineage stay revoked.
        EXPECT_EQ((*reader.FindRevocation(record.serial)).has_value(), number % 3 == 0);
      }
      EXPECT_EQ(reader.FindCertificates({})->size(), expected.size());
      EXPECT_EQ(reader.FindCertificates({.expires_before = Time::max()})->size(), expected.size());
      EXPECT_EQ(reader.Head()->sequence, kPieces);
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    EXPECT_EQ(store.Statistics().certificates, expected.size());
  };
  const auto pruned = PruneSqliteStore(path_, before);
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_EQ(pruned->certificates, kPieces - expected.size());
  ExpectNoFaults(path_);

  // The store was open all the time, and goes on.
  ASSERT_TRUE(store_
                  ->WriteAndWait([](StoreTransaction& transaction) {
                    return transaction.AppendLedger(ca_testing::TestNote(0));
                  })
                  .ok());
  EXPECT_EQ(store_->Statistics().certificates, expected.size());
  store_.reset();
  RunSql("DELETE FROM ledger WHERE sequence > " + std::to_string(kPieces));
  Open();
  look(*store_);
  WritePieces(kPieces + 1, kPieces + 20);
  EXPECT_EQ(store_->Statistics().certificates, expected.size() + 20);
  store_.reset();
  ExpectNoFaults(path_);
}

TEST_F(SqliteStoreCareTest, ASequenceIsNeverUsedAgain) {
  // All are pruned; what the index says about them must not lead to those that follow.
  WritePieces(1, 21);
  store_.reset();
  ASSERT_TRUE(PruneSqliteStore(path_, Time::max()).ok());
  Open();
  EXPECT_EQ(store_->Statistics().certificates, 0U);
  WritePieces(22, 40);
  EXPECT_EQ(store_->Statistics().certificates, 19U);
  store_.reset();
  ExpectNoFaults(path_);
}

TEST_F(SqliteStoreCareTest, PruningRemovesOldRequestsAndTokens) {
  const Time now = kStoreTestTime;
  const Time old = now - std::chrono::days(100);
  struct Case {
    RequestState state;
    Time created, decided;
    std::optional<Time> certificate_until;
    bool goes;
  };
  const std::vector<Case> cases = {
      {RequestState::kPending, old, old, {}, false},
      {RequestState::kRejected, old, old, {}, true},
      {RequestState::kRejected, old, now, {}, false},
      {RequestState::kExpired, old, old, {}, true},
      {RequestState::kApproved, old, old, old, true},
      {RequestState::kApproved, old, old, now, false},
  };
  for (std::uint64_t number = 0; number < cases.size(); ++number) {
    RequestRecord request = TestRequest(number);
    request.state = cases[number].state;
    request.created_at = cases[number].created;
    request.decided_at = cases[number].decided;
    request.certificate_not_after = cases[number].certificate_until;
    TokenRecord token = TestToken(number);
    token.expires_at = number < 2 ? old : now;
    ASSERT_TRUE(store_
                    ->WriteAndWait([&](StoreTransaction& transaction) {
                      if (absl::Status put = transaction.PutToken(token); !put.ok()) return put;
                      return transaction.PutRequest(request);
                    })
                    .ok());
  }
  store_.reset();
  const auto pruned = PruneSqliteStore(path_, now - std::chrono::days(30));
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_EQ(pruned->requests, 3U);
  EXPECT_EQ(pruned->tokens, 2U);
  ExpectNoFaults(path_);
  Open();
  ASSERT_TRUE(store_
                  ->Read([&](StoreReader& reader) {
                    for (std::uint64_t number = 0; number < cases.size(); ++number) {
                      EXPECT_EQ((*reader.FindRequest(ca_testing::DigestOf(number))).has_value(),
                                !cases[number].goes)
                          << number;
                      EXPECT_TRUE(*reader.IsNameKnown(TestRequest(number).name));
                      EXPECT_TRUE(*reader.IsNameKnown(TestRequest(number).names[1]));
                    }
                    EXPECT_EQ(reader.Tokens()->size(), cases.size() - 2);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(store_->Statistics().pending_requests, 1U);
}

TEST_F(SqliteStoreCareTest, PruningMakesNoStore) {
  EXPECT_EQ(ReasonOf(PruneSqliteStore(folder_ / "none", Time()).status()), Reason::kFileNotFound);
  EXPECT_FALSE(FileExists(folder_ / "none"));
}

}  // namespace
}  // namespace troth::store_testing
