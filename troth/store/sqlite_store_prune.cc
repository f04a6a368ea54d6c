#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/store/index_view_internal.h"
#include "troth/store/record_rows_internal.h"
#include "troth/store/schema_internal.h"
#include "troth/store/sqlite_store.h"
#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

// How much is removed in one transaction.
constexpr size_t kSlice = 2000;
constexpr size_t kCacheBytes = size_t{16} << 20;

enum Sql : size_t {
  kBegin,
  kCommit,
  kRollBack,
  kIndexedUntil,
  kUnindexedExpired,
  kCertificate,
  kRemoveCertificate,
  kForgetCertificate,
  kKeepName,
  kCountDown,
  kOldRequests,
  kForgetName,
  kRemoveRequest,
  kRemoveTokens,
  kCount,
};

constexpr std::array<std::string_view, kCount> kSql = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SELECT indexed_until FROM state WHERE id = 1",
    "SELECT sequence FROM certificates "
    "WHERE sequence > (SELECT indexed_until FROM state WHERE id = 1) AND not_after < ?",
    "SELECT names FROM certificates WHERE sequence = ? AND not_after < ?",
    "DELETE FROM certificates WHERE sequence = ?",
    "UPDATE revocations SET certificate = NULL WHERE certificate = ?",
    "INSERT OR IGNORE INTO request_names VALUES (?, 0)",
    "UPDATE state SET certificates = certificates - ? WHERE id = 1",
    "SELECT sequence, name, names FROM requests WHERE state <> 0 AND coalesce(decided_at, "
    "created_at) < ? "
    "AND coalesce(certificate_not_after, created_at) < ? LIMIT ?",
    "DELETE FROM request_names WHERE name = ? AND request = ?",
    "DELETE FROM requests WHERE sequence = ?",
    "DELETE FROM tokens WHERE expires_at < ?",
};

// A set of sequences, a bit each.
class SequenceSet {
 public:
  void Add(std::uint64_t sequence) {
    if (sequence / 64 >= words_.size()) words_.resize(sequence / 64 + 1);
    words_[sequence / 64] |= std::uint64_t{1} << (sequence % 64);
  }
  bool Has(std::uint64_t sequence) const {
    return sequence / 64 < words_.size() && (words_[sequence / 64] >> (sequence % 64) & 1) != 0;
  }
  bool HasBetween(std::uint64_t first, std::uint64_t last) const {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
      if (sequence % 64 == 0 && sequence / 64 < words_.size() && words_[sequence / 64] == 0) {
        sequence += 63;
        continue;
      }
      if (sequence / 64 >= words_.size()) return false;
      if (Has(sequence)) return true;
    }
    return false;
  }

 private:
  std::vector<std::uint64_t> words_;
};

class Pruner {
 public:
  Pruner(SqliteConnection& connection, Time before)
      : connection_(connection),
        statements_(connection, kSql.data(), kSql.size()),
        segments_(connection),
        before_(before) {}

  absl::StatusOr<PruneResult> Run() {
    absl::Status done = RemoveCertificates();
    if (done.ok()) done = RewriteSegments();
    if (done.ok()) done = RemoveRequests();
    if (done.ok()) done = InTransaction([this] { return RemoveTokens(); });
    if (!done.ok()) return done;
    return result_;
  }

 private:
  template <typename Do>
  absl::Status InTransaction(Do what) {
    if (absl::Status begun = Step(kBegin); !begun.ok()) return begun;
    absl::Status done = what();
    if (done.ok()) done = Step(kCommit);
    if (!done.ok() && sqlite3_get_autocommit(connection_.handle()) == 0) {
      Step(kRollBack).IgnoreError();
    }
    return done;
  }

  absl::Status Step(Sql statement) {
    absl::StatusOr<SqliteCursor> cursor = statements_.Use(statement);
    if (!cursor.ok()) return cursor.status();
    return cursor->Run();
  }

  // Runs a statement with one number, and says how many rows it changed.
  absl::StatusOr<int> Change(Sql statement, std::int64_t number) {
    absl::StatusOr<SqliteCursor> cursor = statements_.Use(statement);
    if (!cursor.ok()) return cursor.status();
    cursor->BindNumber(number);
    if (absl::Status done = cursor->Run(); !done.ok()) return done;
    return sqlite3_changes(connection_.handle());
  }

  absl::StatusOr<std::vector<std::uint64_t>> FindExpired() {
    std::vector<std::uint64_t> expired;
    const absl::StatusOr<IndexDirectory> directory = segments_.Load();
    if (!directory.ok()) return directory.status();
    if (SecondsOf(before_) > 0) {
      const std::uint64_t last = IndexKeys::OfTime(SecondsOf(before_)) - 1;
      for (const auto& segment : directory->Of(IndexKind::kExpiry)) {
        absl::Status visited = segments_.Visit(*segment, 0, last, [&](const IndexEntry& entry) {
          expired.push_back(entry.sequence);
          return true;
        });
        if (!visited.ok()) return visited;
      }
    }
    absl::StatusOr<SqliteCursor> rows = statements_.Use(kUnindexedExpired);
    if (!rows.ok()) return rows.status();
    rows->BindNumber(SecondsOf(before_));
    for (;;) {
      const absl::StatusOr<bool> row = rows->Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      expired.push_back(static_cast<std::uint64_t>(rows->Number(0)));
    }
    std::sort(expired.begin(), expired.end());
    return expired;
  }

  absl::Status RemoveCertificates() {
    absl::StatusOr<std::vector<std::uint64_t>> expired =
        absl::StatusOr<std::vector<std::uint64_t>>(std::vector<std::uint64_t>());
    absl::Status found = InTransaction([&] {
      expired = FindExpired();
      return expired.status();
    });
    if (!found.ok()) return found;
    for (size_t next = 0; next < expired->size();) {
      const size_t end = std::min(next + kSlice, expired->size());
      absl::Status removed = InTransaction([&] {
        return RemoveSlice({expired->begin() + static_cast<std::ptrdiff_t>(next),
                            expired->begin() + static_cast<std::ptrdiff_t>(end)});
      });
      if (!removed.ok()) return removed;
      next = end;
    }
    return absl::OkStatus();
  }

  absl::Status RemoveSlice(const std::vector<std::uint64_t>& sequences) {
    std::uint64_t indexed_until = 0;
    {
      absl::StatusOr<SqliteCursor> row = statements_.Use(kIndexedUntil);
      if (!row.ok()) return row.status();
      const absl::StatusOr<bool> there = row->Step();
      if (!there.ok()) return there.status();
      indexed_until = static_cast<std::uint64_t>(row->Number(0));
    }
    std::int64_t counted = 0;
    for (const std::uint64_t sequence : sequences) {
      const absl::StatusOr<bool> removed = RemoveCertificate(static_cast<std::int64_t>(sequence));
      if (!removed.ok()) return removed.status();
      // One that was gone before (an earlier run was ended here) has only its keys left.
      removed_.Add(sequence);
      if (!*removed) continue;
      ++result_.certificates;
      if (sequence <= indexed_until) ++counted;
    }
    return Change(kCountDown, counted).status();
  }

  absl::StatusOr<bool> RemoveCertificate(std::int64_t sequence) {
    {
      absl::StatusOr<SqliteCursor> row = statements_.Use(kCertificate);
      if (!row.ok()) return row.status();
      row->BindNumber(sequence).BindNumber(SecondsOf(before_));
      absl::StatusOr<bool> there = row->Step();
      if (!there.ok() || !*there) return there;
      if (absl::Status kept = KeepNames(row->Bytes(0)); !kept.ok()) return kept;
    }
    if (const auto forgotten = Change(kForgetCertificate, sequence); !forgotten.ok()) {
      return forgotten.status();
    }
    const absl::StatusOr<int> removed = Change(kRemoveCertificate, sequence);
    if (!removed.ok()) return removed.status();
    return *removed > 0;
  }

  // A name that was ever used stays known.
  absl::Status KeepNames(std::string_view names) {
    while (const std::optional<std::string_view> name = TakeText(names)) {
      absl::StatusOr<SqliteCursor> keep = statements_.Use(kKeepName);
      if (!keep.ok()) return keep.status();
      keep->BindText(*name);
      if (absl::Status kept = keep->Run(); !kept.ok()) return kept;
    }
    return absl::OkStatus();
  }

  // Takes the keys of what was removed out of the segments, a segment in a transaction.
  absl::Status RewriteSegments() {
    bool more = true;
    while (more) {
      absl::Status done = InTransaction([&] {
        const absl::StatusOr<bool> rewritten = RewriteOne();
        more = rewritten.ok() && *rewritten;
        return rewritten.status();
      });
      if (!done.ok()) return done;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> RewriteOne() {
    absl::StatusOr<IndexDirectory> directory = segments_.Load();
    if (!directory.ok()) return directory.status();
    for (const IndexKind kind : kIndexKinds) {
      for (const auto& segment : directory->Of(kind)) {
        if (std::find(rewritten_.begin(), rewritten_.end(), segment->id) != rewritten_.end() ||
            !removed_.HasBetween(segment->first_sequence, segment->last_sequence)) {
          continue;
        }
        const auto written = segments_.Merge(
            {segment}, segment->level,
            [this](const IndexEntry& entry) { return !removed_.Has(entry.sequence); });
        if (!written.ok()) return written.status();
        rewritten_.push_back((*written)->id);
        ++directory->version;
        if (absl::Status saved = segments_.SaveState(*directory, 0); !saved.ok()) return saved;
        return true;
      }
    }
    return false;
  }

  absl::Status RemoveRequests() {
    for (;;) {
      size_t removed = 0;
      absl::Status done = InTransaction([&] {
        const absl::StatusOr<size_t> count = RemoveRequestSlice();
        if (count.ok()) removed = *count;
        return count.status();
      });
      if (!done.ok()) return done;
      result_.requests += removed;
      if (removed < kSlice) return absl::OkStatus();
    }
  }

  absl::StatusOr<size_t> RemoveRequestSlice() {
    struct Old {
      std::int64_t sequence;
      std::string name, names;
    };
    std::vector<Old> all;
    {
      absl::StatusOr<SqliteCursor> rows = statements_.Use(kOldRequests);
      if (!rows.ok()) return rows.status();
      rows->BindNumber(SecondsOf(before_))
          .BindNumber(SecondsOf(before_))
          .BindNumber(static_cast<std::int64_t>(kSlice));
      for (;;) {
        const absl::StatusOr<bool> row = rows->Step();
        if (!row.ok()) return row.status();
        if (!*row) break;
        all.push_back({.sequence = rows->Number(0),
                       .name = std::string(rows->Bytes(1)),
                       .names = std::string(rows->Bytes(2))});
      }
    }
    for (const Old& old : all) {
      std::vector<std::string> names = DecodeTexts(old.names).value_or(std::vector<std::string>());
      if (!old.name.empty()) names.push_back(old.name);
      for (const std::string& name : names) {
        absl::StatusOr<SqliteCursor> keep = statements_.Use(kKeepName);
        if (!keep.ok()) return keep.status();
        keep->BindText(name);
        if (absl::Status kept = keep->Run(); !kept.ok()) return kept;
        absl::StatusOr<SqliteCursor> forget = statements_.Use(kForgetName);
        if (!forget.ok()) return forget.status();
        forget->BindText(name).BindNumber(old.sequence);
        if (absl::Status forgotten = forget->Run(); !forgotten.ok()) return forgotten;
      }
      if (const auto removed = Change(kRemoveRequest, old.sequence); !removed.ok()) {
        return removed.status();
      }
    }
    return all.size();
  }

  absl::Status RemoveTokens() {
    const absl::StatusOr<int> removed = Change(kRemoveTokens, SecondsOf(before_));
    if (!removed.ok()) return removed.status();
    result_.tokens = static_cast<std::uint64_t>(*removed);
    return absl::OkStatus();
  }

  SqliteConnection& connection_;
  SqliteStatements statements_;
  IndexSegments segments_;
  const Time before_;
  SequenceSet removed_;
  std::vector<std::int64_t> rewritten_;  // segments
  PruneResult result_;
};

}  // namespace

absl::StatusOr<PruneResult> PruneSqliteStore(const std::string& path, Time before) {
  if (!FileExists(path)) {
    return MakeError(Reason::kFileNotFound, "expected a store at " + path + ", got nothing there");
  }
  auto connection = OpenForWriting(path, "", kCacheBytes, Clock::System().Now());
  if (!connection.ok()) return connection.status();
  return Pruner(**connection, before).Run();
}

}  // namespace troth
