#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/ca/ledger.h"
#include "troth/pki/certificate.h"
#include "troth/store/index_view_internal.h"
#include "troth/store/record_rows_internal.h"
#include "troth/store/schema_internal.h"
#include "troth/store/sqlite_queries_internal.h"
#include "troth/store/sqlite_store.h"
#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

constexpr size_t kCacheBytes = size_t{16} << 20;
constexpr std::uint64_t kProgressEvery = 1000;
// One thing gone wrong can show in every row; nobody reads more.
constexpr size_t kMaxFaults = 100;

// A sum over entries that does not depend on their order: two sets are equal when their sums are,
// but for one chance in 2^64.
struct EntrySum {
  std::uint64_t count = 0, sum = 0;
  void Add(const IndexEntry& entry) {
    std::array<char, 16> bytes;
    for (size_t i = 0; i < 8; ++i) {
      bytes[i] = static_cast<char>(entry.key >> (8 * i));
      bytes[8 + i] = static_cast<char>(entry.sequence >> (8 * i));
    }
    ++count;
    sum += SipHash({bytes.data(), bytes.size()}, {0, 0});
  }
  bool operator==(const EntrySum&) const = default;
};

constexpr std::array<std::string_view, kIndexKinds.size()> kKindNames = {"serials", "expiry",
                                                                         "names"};

class Checker {
 public:
  using Progress = std::function<void(std::uint64_t, std::uint64_t)>;

  Checker(SqliteConnection& connection, const IndexKeys& keys, const Progress& progress)
      : connection_(connection),
        keys_(keys),
        segments_(connection),
        source_(connection, keys),
        queries_(connection, source_, keys),
        progress_(progress) {}

  StoreCheck Run() {
    Note(CheckFile());
    Note(CheckCertificates());
    Note(CheckSegments());
    Note(CheckRecords());
    Note(CheckLedger());
    Show(total_);
    return std::move(check_);
  }

 private:
  void Fault(std::string text) {
    if (check_.faults.size() < kMaxFaults) check_.faults.push_back(std::move(text));
  }
  // What cannot be read is a fault too.
  void Note(const absl::Status& status) {
    if (!status.ok()) Fault(std::string(status.message()));
  }
  void Show(std::uint64_t done) {
    if (progress_) progress_(done, total_);
  }

  absl::Status CheckFile() {
    const absl::StatusOr<SqliteQueries::Counts> counts = queries_.CountStored();
    if (!counts.ok()) return counts.status();
    counts_ = *counts;
    const absl::StatusOr<LedgerHead> head = queries_.Head();
    if (!head.ok()) return head.status();
    total_ = counts->certificates + head->sequence;
    Show(0);
    absl::StatusOr<SqliteStatement> statement =
        SqliteStatement::Prepare(connection_, "PRAGMA integrity_check(20)");
    if (!statement.ok()) return statement.status();
    SqliteCursor rows(*statement);
    for (;;) {
      const absl::StatusOr<bool> row = rows.Step();
      if (!row.ok() || !*row) return row.status();
      if (rows.Bytes(0) != "ok") Fault("SQLite: " + std::string(rows.Bytes(0)));
    }
  }

  absl::Status CheckCertificates() {
    const absl::StatusOr<std::int64_t> indexed_until =
        connection_.QueryNumber("SELECT indexed_until FROM state");
    if (!indexed_until.ok()) return indexed_until.status();
    absl::StatusOr<SqliteStatement> statement =
        SqliteStatement::Prepare(connection_, "SELECT " + std::string(kCertificateColumns) +
                                                  " FROM certificates ORDER BY sequence");
    if (!statement.ok()) return statement.status();
    SqliteCursor rows(*statement);
    CertificateKeys keys;
    for (;;) {
      const absl::StatusOr<bool> row = rows.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      const std::int64_t sequence = rows.Number(kCertificateSequence);
      ++check_.certificates;
      if (check_.certificates % kProgressEvery == 0) Show(check_.certificates);
      const absl::StatusOr<CertificateRecord> record = CertificateOf(rows);
      if (!record.ok()) {
        Fault("certificate " + std::to_string(sequence) + ": " +
              std::string(record.status().message()));
        continue;
      }
      CompareWithDer(*record);
      if (sequence > *indexed_until) continue;
      keys_.Of({.serial = rows.Bytes(kCertificateSerial),
                .request = rows.Bytes(kCertificateRequest),
                .names = rows.Bytes(kCertificateNames),
                .issued_at = SecondsOf(record->issued_at),
                .not_after = SecondsOf(record->not_after)},
               keys);
      AddExpected(static_cast<std::uint64_t>(sequence), keys);
    }
    if (check_.certificates != counts_.certificates) {
      Fault("expected " + std::to_string(counts_.certificates) + " certificates, found " +
            std::to_string(check_.certificates));
    }
    return absl::OkStatus();
  }

  void CompareWithDer(const CertificateRecord& record) {
    const std::string which = "certificate " + record.serial.ToHex() + ": ";
    const absl::StatusOr<Certificate> certificate = Certificate::FromDer(record.der);
    if (!certificate.ok()) {
      Fault(which + std::string(certificate.status().message()));
      return;
    }
    if (certificate->serial_number() != record.serial) {
      Fault(which + "the certificate itself says " + certificate->serial_number().ToHex());
    }
    if (certificate->validity().not_after != record.not_after) {
      Fault(which + "expected it to end at " + FormatTime(record.not_after) +
            ", the certificate itself says " + FormatTime(certificate->validity().not_after));
    }
  }

  void AddExpected(std::uint64_t sequence, const CertificateKeys& keys) {
    if (sequence >= live_.size()) live_.resize(std::max<size_t>(sequence + 1, live_.size() * 2));
    live_[sequence] = true;
    if (keys.serial) Expected(IndexKind::kSerials).Add({*keys.serial, sequence});
    Expected(IndexKind::kExpiry).Add({keys.expiry, sequence});
    for (const std::uint64_t term : keys.terms) Expected(IndexKind::kTerms).Add({term, sequence});
  }
  EntrySum& Expected(IndexKind kind) { return expected_[static_cast<size_t>(kind)]; }

  absl::Status CheckSegments() {
    const absl::StatusOr<IndexDirectory> directory = segments_.Load();
    if (!directory.ok()) return directory.status();
    for (const IndexKind kind : kIndexKinds) {
      EntrySum found;
      for (const auto& segment : directory->Of(kind)) {
        if (absl::Status read = CheckSegment(*segment, found); !read.ok()) return read;
      }
      if (found != Expected(kind)) {
        Fault("the index of " + std::string(kKindNames[static_cast<size_t>(kind)]) +
              " is not that of the certificates: expected " + std::to_string(Expected(kind).count) +
              " entries, found " + std::to_string(found.count) +
              (found.count == Expected(kind).count ? " others" : ""));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckSegment(const IndexSegment& segment, EntrySum& found) {
    IndexEntry last;
    std::uint64_t entries = 0;
    bool in_order = true;
    absl::Status read = segments_.VisitAll(segment, [&](const IndexEntry& entry) {
      in_order = in_order && last <= entry &&
                 entry.key >= segment.fences[entries / IndexBlock::kMaxEntries] &&
                 entry.key <= segment.last_key && entry.sequence >= segment.first_sequence &&
                 entry.sequence <= segment.last_sequence;
      last = entry;
      ++entries;
      // Pruned certificates leave entries behind when pruning was ended early.
      if (entry.sequence < live_.size() && live_[entry.sequence]) found.Add(entry);
      return entries < segment.entries;
    });
    if (!read.ok()) return read;
    if (!in_order || entries != segment.entries) {
      Fault("segment " + std::to_string(segment.id) + " of the index is not in order");
    }
    return absl::OkStatus();
  }

  absl::Status CheckRecords() {
    const absl::StatusOr<std::vector<RevocationRecord>> revocations =
        queries_.Revocations(std::nullopt, Time(Seconds(INT64_MIN)));
    if (!revocations.ok()) return revocations.status();
    check_.revocations = revocations->size();
    if (check_.revocations != counts_.revocations) {
      Fault("expected " + std::to_string(counts_.revocations) + " revocations, found " +
            std::to_string(check_.revocations));
    }
    const absl::StatusOr<std::int64_t> astray = connection_.QueryNumber(
        "SELECT count(*) FROM revocations r LEFT JOIN certificates c ON c.sequence = r.certificate "
        "WHERE r.certificate IS NOT NULL AND c.serial IS NOT r.serial");
    if (!astray.ok()) return astray.status();
    if (*astray != 0) {
      Fault(std::to_string(*astray) + " revocations lead to another certificate than theirs");
    }
    if (absl::Status checked = CheckRequests(); !checked.ok()) return checked;
    const absl::StatusOr<std::vector<TokenRecord>> tokens = queries_.Tokens();
    if (!tokens.ok()) return tokens.status();
    check_.tokens = tokens->size();
    return queries_.Issuers().status();
  }

  absl::Status CheckRequests() {
    RequestFilter page;
    for (;;) {
      const absl::StatusOr<std::vector<RequestRecord>> requests = queries_.FindRequests(page);
      if (!requests.ok()) return requests.status();
      if (requests->empty()) return absl::OkStatus();
      for (const RequestRecord& request : *requests) {
        ++check_.requests;
        std::vector<std::string> names = request.names;
        if (!request.name.empty()) names.push_back(request.name);
        for (const std::string& name : names) {
          const absl::StatusOr<bool> known = queries_.IsNameKnown(name);
          if (!known.ok()) return known.status();
          if (!*known && !name.empty()) {
            Fault("request " + FormatFingerprint(request.id) + ": its name " + name +
                  " is not in the list of names");
          }
        }
      }
      page.after = requests->back().id;
    }
  }

  absl::Status CheckLedger() {
    LedgerVerifier verifier;
    absl::Status broken;
    absl::Status read = queries_.VisitLedger(0, [&](const LedgerEntry& entry) {
      ++check_.ledger_entries;
      if (check_.ledger_entries % kProgressEvery == 0) {
        Show(check_.certificates + check_.ledger_entries);
      }
      broken = verifier.Add(entry);
      return broken.ok();
    });
    if (!read.ok()) return read;
    if (!broken.ok()) return broken;
    const absl::StatusOr<LedgerHead> head = queries_.Head();
    if (!head.ok()) return head.status();
    return verifier.Finish(*head);
  }

  SqliteConnection& connection_;
  IndexKeys keys_;
  IndexSegments segments_;
  OwnStateSource source_;
  SqliteQueries queries_;
  const Progress& progress_;
  StoreCheck check_;
  SqliteQueries::Counts counts_;
  std::uint64_t total_ = 0;
  std::vector<bool> live_;  // by sequence: certificates that are there and should be indexed
  std::array<EntrySum, kIndexKinds.size()> expected_ = {};
};

}  // namespace

absl::StatusOr<StoreCheck> CheckSqliteStore(
    const std::string& path, const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  auto connection = OpenForReading(path, "", kCacheBytes);
  if (!connection.ok()) return connection.status();
  // One moment of a store that may be written meanwhile.
  if (absl::Status begun = (*connection)->Execute("BEGIN"); !begun.ok()) return begun;
  const absl::StatusOr<IndexKeys> keys = ReadIndexKeys(**connection);
  if (!keys.ok()) return keys.status();
  return Checker(**connection, *keys, progress).Run();
}

}  // namespace troth
