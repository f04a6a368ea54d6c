// The part of SqliteQueries that is about certificates.
#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/store/record_rows_internal.h"
#include "troth/store/sqlite_queries_internal.h"
#include "troth/store/sqlite_queries_sql_internal.h"
#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

using namespace queries_sql;  // NOLINT(google-build-using-namespace): its numbers are ours

// Which share of all certificates an expiry range may match to be read through the index. Above
// it, reading all of them newest first meets enough that match soon.
constexpr std::uint64_t kSparse = 8;
constexpr std::uint64_t kAlwaysFew = 1000;

absl::Status UnknownSerial(const SerialNumber& serial) {
  return MakeError(Reason::kCertificateUnknown,
                   "expected the serial of a certificate of this store, got " + serial.ToHex() +
                       ": begin at the first page again");
}

}  // namespace

absl::StatusOr<std::optional<SqliteCursor>> SqliteQueries::FindRow(
    IndexKind kind, std::uint64_t key, const std::function<bool(const SqliteCursor&)>& fits) {
  const absl::StatusOr<const std::vector<std::uint64_t>*> candidates = index_.Find(kind, key);
  if (!candidates.ok()) return candidates.status();
  for (const std::uint64_t sequence : **candidates) {
    absl::StatusOr<SqliteCursor> row = statements_.Use(kCertificateBySequence);
    if (!row.ok()) return row.status();
    row->BindNumber(static_cast<std::int64_t>(sequence));
    const absl::StatusOr<bool> there = row->Step();
    if (!there.ok()) return there.status();
    // Pruned ones leave their keys behind until the segment is written again.
    if (*there && fits(*row)) return std::optional<SqliteCursor>(*std::move(row));
  }
  return std::optional<SqliteCursor>();
}

absl::StatusOr<std::optional<SqliteCursor>> SqliteQueries::FindRowBySerial(
    std::string_view serial) {
  const auto fits = [serial](const SqliteCursor& row) {
    return row.Bytes(kCertificateSerial) == serial;
  };
  if (const std::optional<std::uint64_t> own = IndexKeys::OfOwnSerial(serial)) {
    absl::StatusOr<std::optional<SqliteCursor>> row = FindRow(IndexKind::kSerials, *own, fits);
    if (!row.ok() || row->has_value()) return row;
  }
  // One that was made elsewhere may look like one of ours.
  return FindRow(IndexKind::kTerms, keys_.OfForeignSerial(serial), fits);
}

absl::StatusOr<std::optional<std::uint64_t>> SqliteQueries::FindSequence(std::string_view serial) {
  const absl::StatusOr<std::optional<SqliteCursor>> row = FindRowBySerial(serial);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return std::optional<std::uint64_t>();
  return std::optional(static_cast<std::uint64_t>((*row)->Number(kCertificateSequence)));
}

absl::StatusOr<std::optional<CertificateRecord>> SqliteQueries::FindCertificate(
    const SerialNumber& serial) {
  const absl::StatusOr<std::optional<SqliteCursor>> row = FindRowBySerial(serial.der_content());
  if (!row.ok()) return row.status();
  if (!row->has_value()) return std::optional<CertificateRecord>();
  return CertificateOf(**row);
}

absl::StatusOr<std::optional<CertificateRecord>> SqliteQueries::FindCertificateOfRequest(
    const Sha256Digest& request, std::string_view token) {
  const std::string_view digest = BytesOf(request);
  const absl::StatusOr<std::optional<SqliteCursor>> row =
      FindRow(IndexKind::kTerms, keys_.OfRequest(digest), [&](const SqliteCursor& cursor) {
        return cursor.Bytes(kCertificateRequest) == digest &&
               cursor.Bytes(kCertificateToken) == token;
      });
  if (!row.ok()) return row.status();
  if (!row->has_value()) return std::optional<CertificateRecord>();
  return CertificateOf(**row);
}

absl::StatusOr<bool> SqliteQueries::IsNameKnown(std::string_view name) {
  {
    const absl::StatusOr<std::optional<SqliteCursor>> row =
        FindRow(IndexKind::kTerms, keys_.OfName(name), [name](const SqliteCursor& cursor) {
          return HoldsText(cursor.Bytes(kCertificateNames), name);
        });
    if (!row.ok()) return row.status();
    if (row->has_value()) return true;
  }
  absl::StatusOr<SqliteCursor> row = statements_.Use(kIsNameKnown);
  if (!row.ok()) return row.status();
  row->BindText(name);
  return row->Step();
}

absl::Status SqliteQueries::VisitCertificates(
    const std::optional<SerialNumber>& from,
    const std::function<bool(const CertificateRecord&)>& visit) {
  std::uint64_t first = 0;
  if (from) {
    const absl::StatusOr<std::optional<std::uint64_t>> sequence = FindSequence(from->der_content());
    if (!sequence.ok()) return sequence.status();
    if (!sequence->has_value()) return UnknownSerial(*from);
    first = **sequence;
  }
  absl::StatusOr<SqliteCursor> rows = statements_.Use(kCertificatesFrom);
  if (!rows.ok()) return rows.status();
  rows->BindNumber(static_cast<std::int64_t>(first));
  for (;;) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok() || !*row) return row.status();
    const absl::StatusOr<CertificateRecord> record = CertificateOf(*rows);
    if (!record.ok()) return record.status();
    if (!visit(*record)) return absl::OkStatus();
  }
}

class SqliteQueries::Search {
 public:
  Search(SqliteQueries& queries, const CertificateFilter& filter)
      : queries_(queries), filter_(filter) {}

  absl::StatusOr<std::vector<CertificateRecord>> Run() {
    if (absl::Status done = RunBy(); !done.ok()) return done;
    return std::move(found_);
  }

 private:
  bool name_is_pattern() const { return filter_.name.find('*') != std::string::npos; }

  // Chooses what is read: the narrowest way to what can match.
  absl::Status RunBy() {
    if (filter_.before) {
      const absl::StatusOr<std::optional<std::uint64_t>> sequence =
          queries_.FindSequence(filter_.before->der_content());
      if (!sequence.ok()) return sequence.status();
      if (!sequence->has_value()) return UnknownSerial(*filter_.before);
      below_ = **sequence;
    }
    if (!filter_.name.empty() && !name_is_pattern()) {
      return ReadEach(queries_.index_.Find(IndexKind::kTerms, queries_.keys_.OfName(filter_.name)));
    }
    if (filter_.expires_after || filter_.expires_before) {
      const std::uint64_t first =
          filter_.expires_after ? IndexKeys::OfTime(SecondsOf(*filter_.expires_after)) : 0;
      const std::uint64_t last = filter_.expires_before
                                     ? IndexKeys::OfTime(SecondsOf(*filter_.expires_before))
                                     : UINT64_MAX;
      const absl::StatusOr<std::uint64_t> count = queries_.index_.CountExpiring(first, last);
      if (!count.ok()) return count.status();
      const absl::StatusOr<std::uint64_t> all = queries_.index_.Last();
      if (!all.ok()) return all.status();
      if (*count < std::max(kAlwaysFew, *all / kSparse)) {
        return ReadEach(queries_.index_.FindExpiring(first, last));
      }
    }
    return ReadRows(filter_.only_revoked ? kRevokedCertificatesBelow : kCertificatesBelow);
  }

  absl::Status ReadEach(absl::StatusOr<const std::vector<std::uint64_t>*> found) {
    if (!found.ok()) return found.status();
    for (const std::uint64_t sequence : **found) {
      if (sequence >= below_) continue;
      absl::StatusOr<SqliteCursor> row = queries_.statements_.Use(kCertificateBySequence);
      if (!row.ok()) return row.status();
      row->BindNumber(static_cast<std::int64_t>(sequence));
      const absl::StatusOr<bool> there = row->Step();
      if (!there.ok()) return there.status();
      if (found_.size() >= filter_.limit) break;
      if (!*there) continue;
      if (absl::Status taken = TakeIfFits(*row); !taken.ok()) return taken;
    }
    return absl::OkStatus();
  }

  absl::Status ReadRows(size_t sql) {
    absl::StatusOr<SqliteCursor> rows = queries_.statements_.Use(sql);
    if (!rows.ok()) return rows.status();
    rows->BindNumber(static_cast<std::int64_t>(below_));
    while (found_.size() < filter_.limit) {
      const absl::StatusOr<bool> row = rows->Step();
      if (!row.ok() || !*row) return row.status();
      if (absl::Status taken = TakeIfFits(*rows); !taken.ok()) return taken;
    }
    return absl::OkStatus();
  }

  absl::Status TakeIfFits(const SqliteCursor& row) {
    const Time not_after = TimeOf(row.Number(kCertificateNotAfter));
    if (filter_.expires_before && not_after >= *filter_.expires_before) return absl::OkStatus();
    if (filter_.expires_after && not_after <= *filter_.expires_after) return absl::OkStatus();
    if (!filter_.profile.empty() && row.Bytes(kCertificateProfile) != filter_.profile) {
      return absl::OkStatus();
    }
    if (!filter_.name.empty() && !HasName(row.Bytes(kCertificateNames))) return absl::OkStatus();
    if (filter_.only_revoked) {
      const absl::StatusOr<bool> revoked = queries_.IsRevoked(row.Bytes(kCertificateSerial));
      if (!revoked.ok() || !*revoked) return revoked.status();
    }
    absl::StatusOr<CertificateRecord> record = CertificateOf(row);
    if (!record.ok()) return record.status();
    found_.push_back(*std::move(record));
    return absl::OkStatus();
  }

  bool HasName(std::string_view names) const {
    if (!name_is_pattern()) return HoldsText(names, filter_.name);
    while (const std::optional<std::string_view> name = TakeText(names)) {
      if (GlobMatches(filter_.name, *name)) return true;
    }
    return false;
  }

  SqliteQueries& queries_;
  const CertificateFilter& filter_;
  std::uint64_t below_ = INT64_MAX;
  std::vector<CertificateRecord> found_;
};

absl::StatusOr<std::vector<CertificateRecord>> SqliteQueries::FindCertificates(
    const CertificateFilter& filter) {
  return Search(*this, filter).Run();
}

absl::StatusOr<std::uint64_t> SqliteQueries::CountExpiring(Time first, Time last) {
  absl::StatusOr<std::uint64_t> all =
      index_.CountExpiring(IndexKeys::OfTime(SecondsOf(first)), IndexKeys::OfTime(SecondsOf(last)));
  if (!all.ok()) return all;
  absl::StatusOr<SqliteCursor> row = statements_.Use(kRevokedExpiring);
  if (!row.ok()) return row.status();
  row->BindNumber(SecondsOf(first)).BindNumber(SecondsOf(last));
  const absl::StatusOr<bool> there = row->Step();
  if (!there.ok()) return there.status();
  const auto revoked = static_cast<std::uint64_t>(row->Number(0));
  return *all - std::min(*all, revoked);
}

}  // namespace troth
