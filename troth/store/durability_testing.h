// For tests of durability: pieces of work that change several tables, and a look at which of them a
// store holds.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/ca/ca_testing.h"
#include "troth/ca/ledger.h"
#include "troth/ca/store_records_testing.h"
#include "troth/pki/issue_testing.h"
#include "troth/store/sqlite_store.h"

namespace troth::store_testing {

// A record with a real certificate, so that CheckSqliteStore has nothing to say. Issued once.
inline const CertificateRecord& IssuedCertificate(std::uint64_t number) {
  static std::map<std::uint64_t, CertificateRecord> issued;
  const auto found = issued.find(number);
  if (found != issued.end()) return found->second;
  static const Signer signer = [] {
    PrivateKey key = testing::MakeKey();
    const CertificateTemplate what = testing::CaTemplate(key.public_key());
    return testing::MakeSigner(what, std::move(key));
  }();
  static const PrivateKey key = testing::MakeKey();
  CertificateRecord record = ca_testing::TestCertificate(number);
  CertificateTemplate what = testing::LeafTemplate(key.public_key());
  what.serial = record.serial;
  what.validity = {record.issued_at, record.not_after};
  record.der = testing::Value(Issue(what, signer)).der();
  return issued.emplace(number, std::move(record)).first->second;
}

// Piece `number`: a certificate and a ledger entry always, and by its number more.
inline Store::Work PieceOf(std::uint64_t number) {
  return [number, &record = IssuedCertificate(number)](StoreTransaction& transaction) {
    absl::Status done = transaction.AddCertificate(record);
    if (done.ok() && number % 3 == 0) {
      done = transaction.AddRevocation(ca_testing::TestRevocation(number));
    }
    if (done.ok() && number % 4 == 0) {
      done = transaction.PutRequest(ca_testing::TestRequest(number));
    }
    if (done.ok() && number % 5 == 0) done = transaction.PutToken(ca_testing::TestToken(number));
    if (done.ok()) done = transaction.AppendLedger(ca_testing::TestNote(number));
    return done;
  };
}

// The numbers of the pieces that are there. Fails the test when one is there in part, when what is
// there cannot be found by its keys, or when the ledger is not whole.
inline std::set<std::uint64_t> PiecesIn(StoreReader& reader, std::uint64_t highest) {
  std::set<std::uint64_t> pieces;
  std::set<std::uint64_t> noted;
  LedgerVerifier verifier;
  EXPECT_TRUE(reader
                  .VisitLedger(0,
                               [&](const LedgerEntry& entry) {
                                 noted.insert(std::stoull(entry.note.subject));
                                 const absl::Status added = verifier.Add(entry);
                                 EXPECT_TRUE(added.ok()) << added;
                                 return true;
                               })
                  .ok());
  const auto head = reader.Head();
  EXPECT_TRUE(head.ok()) << head.status();
  if (head.ok()) {
    EXPECT_TRUE(verifier.Finish(*head).ok());
  }
  std::uint64_t rows = 0;
  EXPECT_TRUE(reader
                  .VisitCertificates(std::nullopt,
                                     [&](const CertificateRecord&) {
                                       ++rows;
                                       return true;
                                     })
                  .ok());
  for (std::uint64_t number = 1; number <= highest; ++number) {
    const CertificateRecord& record = IssuedCertificate(number);
    const auto found = reader.FindCertificate(record.serial);
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) continue;
    const bool there = found->has_value();
    if (there) {
      EXPECT_EQ(**found, record);
      pieces.insert(number);
    }
    EXPECT_EQ(noted.contains(number), there) << number;
    EXPECT_EQ(*reader.IsNameKnown(record.names[0]), there) << number;
    if (number % 3 == 0) {
      EXPECT_EQ((*reader.FindRevocation(record.serial)).has_value(), there) << number;
    }
    if (number % 4 == 0) {
      EXPECT_EQ((*reader.FindRequest(ca_testing::DigestOf(number))).has_value(), there) << number;
    }
    if (number % 5 == 0) {
      EXPECT_EQ((*reader.FindToken(ca_testing::TestToken(number).id)).has_value(), there) << number;
    }
  }
  EXPECT_EQ(rows, pieces.size());
  return pieces;
}

inline std::set<std::uint64_t> PiecesIn(Store& store, std::uint64_t highest) {
  std::set<std::uint64_t> pieces;
  const absl::Status read = store.Read([&](StoreReader& reader) {
    pieces = PiecesIn(reader, highest);
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(store.Statistics().certificates, pieces.size());
  return pieces;
}

inline void ExpectNoFaults(const std::string& path) {
  const absl::StatusOr<StoreCheck> check = CheckSqliteStore(path, nullptr);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(check->faults, std::vector<std::string>());
}

// Keeps what a test expects to be logged off the terminal.
class QuietLog {
 public:
  QuietLog() {
    SetLogSink([](const LogEntry&) {});
  }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
  ~QuietLog() { SetLogSink(nullptr); }
};

}  // namespace troth::store_testing
