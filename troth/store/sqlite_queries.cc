#include "troth/store/sqlite_queries_internal.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/store/record_rows_internal.h"
#include "troth/store/sqlite_queries_sql_internal.h"

namespace troth {
namespace {

using namespace queries_sql;  // NOLINT(google-build-using-namespace): its numbers are ours

// The record of the one row that `cursor` can have, if it has it.
template <typename Record>
absl::StatusOr<std::optional<Record>> TakeOne(SqliteCursor& cursor,
                                              absl::StatusOr<Record> (*read)(const SqliteCursor&)) {
  const absl::StatusOr<bool> row = cursor.Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<Record>();
  absl::StatusOr<Record> record = read(cursor);
  if (!record.ok()) return record.status();
  return std::optional<Record>(*std::move(record));
}

template <typename Record>
absl::StatusOr<std::vector<Record>> TakeAll(SqliteCursor& cursor,
                                            absl::StatusOr<Record> (*read)(const SqliteCursor&)) {
  std::vector<Record> records;
  for (;;) {
    absl::StatusOr<std::optional<Record>> record = TakeOne(cursor, read);
    if (!record.ok()) return record.status();
    if (!record->has_value()) return records;
    records.push_back(**std::move(record));
  }
}

// The conditions of a filter as SQL. Pending requests have an index of their own, which SQLite
// only sees when the number of their state is written out.
std::string ConditionsOf(const RequestFilter& filter) {
  std::string sql;
  const bool pending = filter.state == RequestState::kPending;
  if (pending && filter.name.empty() && !filter.key) sql += " INDEXED BY requests_pending";
  sql += " WHERE 1";
  if (filter.state) sql += " AND state = " + std::to_string(static_cast<int>(*filter.state));
  if (!filter.profile.empty()) sql += " AND profile = ?";
  if (!filter.name.empty()) {
    sql += " AND name = ? AND sequence IN (SELECT request FROM request_names WHERE name = ?)";
  }
  if (filter.key) sql += " AND key = ?";
  if (!filter.address.empty()) sql += " AND address = ?";
  return sql;
}

void BindConditions(const RequestFilter& filter, SqliteCursor& cursor) {
  if (!filter.profile.empty()) cursor.BindText(filter.profile);
  if (!filter.name.empty()) cursor.BindText(filter.name).BindText(filter.name);
  if (filter.key) cursor.BindBlob(BytesOf(*filter.key));
  if (!filter.address.empty()) cursor.BindText(filter.address);
}

}  // namespace

SqliteQueries::SqliteQueries(SqliteConnection& connection, IndexStateSource& source,
                             const IndexKeys& keys)
    : statements_(connection, kTexts.data(), kTexts.size()),
      keys_(keys),
      index_(connection, source) {}

absl::StatusOr<std::optional<RevocationRecord>> SqliteQueries::FindRevocation(
    const SerialNumber& serial) {
  absl::StatusOr<SqliteCursor> row = statements_.Use(kRevocation);
  if (!row.ok()) return row.status();
  row->BindBlob(serial.der_content());
  return TakeOne(*row, RevocationOf);
}

absl::StatusOr<std::vector<RevocationRecord>> SqliteQueries::Revocations(
    std::optional<std::uint32_t> issuer, Time now) {
  absl::StatusOr<SqliteCursor> rows = statements_.Use(kRevocations);
  if (!rows.ok()) return rows.status();
  rows->BindNumber(SecondsOf(now));
  absl::StatusOr<std::vector<RevocationRecord>> all = TakeAll(*rows, RevocationOf);
  if (all.ok() && issuer) {
    std::erase_if(*all, [&](const RevocationRecord& record) { return record.issuer != *issuer; });
  }
  return all;
}

absl::StatusOr<bool> SqliteQueries::IsRevoked(std::string_view serial) {
  absl::StatusOr<SqliteCursor> row = statements_.Use(kIsRevoked);
  if (!row.ok()) return row.status();
  row->BindBlob(serial);
  return row->Step();
}

absl::StatusOr<std::optional<RequestRecord>> SqliteQueries::FindRequest(const Sha256Digest& id) {
  absl::StatusOr<SqliteCursor> row = statements_.Use(kRequest);
  if (!row.ok()) return row.status();
  row->BindBlob(BytesOf(id));
  return TakeOne(*row, RequestOf);
}

absl::StatusOr<std::vector<RequestRecord>> SqliteQueries::FindRequests(
    const RequestFilter& filter) {
  std::int64_t after = 0;
  if (filter.after) {
    absl::StatusOr<SqliteCursor> row = statements_.Use(kRequestSequence);
    if (!row.ok()) return row.status();
    row->BindBlob(BytesOf(*filter.after));
    const absl::StatusOr<bool> there = row->Step();
    if (!there.ok()) return there.status();
    if (!*there) {
      return MakeError(Reason::kRequestUnknown, "expected the id of a request of this store, got " +
                                                    FormatFingerprint(*filter.after) +
                                                    ": begin at the first page again");
    }
    after = row->Number(0);
  }
  absl::StatusOr<SqliteCursor> rows =
      statements_.UseText("SELECT " TROTH_REQUEST_COLUMNS + ConditionsOf(filter) +
                          " AND sequence > ? ORDER BY sequence LIMIT ?");
  if (!rows.ok()) return rows.status();
  BindConditions(filter, *rows);
  rows->BindNumber(after).BindNumber(
      static_cast<std::int64_t>(std::min(filter.limit, static_cast<size_t>(INT64_MAX))));
  return TakeAll(*rows, RequestOf);
}

absl::StatusOr<std::uint64_t> SqliteQueries::CountRequests(const RequestFilter& filter) {
  absl::StatusOr<SqliteCursor> row =
      statements_.UseText("SELECT count(*) FROM requests" + ConditionsOf(filter));
  if (!row.ok()) return row.status();
  BindConditions(filter, *row);
  const absl::StatusOr<bool> there = row->Step();
  if (!there.ok()) return there.status();
  return static_cast<std::uint64_t>(row->Number(0));
}

absl::StatusOr<std::optional<TokenRecord>> SqliteQueries::FindToken(std::string_view id) {
  absl::StatusOr<SqliteCursor> row = statements_.Use(kToken);
  if (!row.ok()) return row.status();
  row->BindText(id);
  return TakeOne(*row, TokenOf);
}

absl::StatusOr<std::vector<TokenRecord>> SqliteQueries::Tokens() {
  absl::StatusOr<SqliteCursor> rows = statements_.Use(kTokens);
  if (!rows.ok()) return rows.status();
  return TakeAll(*rows, TokenOf);
}

absl::StatusOr<std::vector<IssuerRecord>> SqliteQueries::Issuers() {
  absl::StatusOr<SqliteCursor> rows = statements_.Use(kIssuers);
  if (!rows.ok()) return rows.status();
  return TakeAll(*rows, IssuerOf);
}

absl::StatusOr<LedgerHead> SqliteQueries::Head() {
  absl::StatusOr<SqliteCursor> row = statements_.Use(kHead);
  if (!row.ok()) return row.status();
  const absl::StatusOr<bool> there = row->Step();
  if (!there.ok()) return there.status();
  LedgerHead head;
  if (!*there) return head;
  const std::string_view hash = row->Bytes(1);
  if (hash.size() != head.hash.size()) {
    return DamagedRow(row->connection(), "the hash of the last entry of its ledger");
  }
  head.sequence = static_cast<std::uint64_t>(row->Number(0));
  std::copy(hash.begin(), hash.end(), head.hash.begin());
  return head;
}

absl::StatusOr<SqliteQueries::Counts> SqliteQueries::CountStored() {
  absl::StatusOr<SqliteCursor> row = statements_.Use(kCounts);
  if (!row.ok()) return row.status();
  const absl::StatusOr<bool> there = row->Step();
  if (!there.ok()) return there.status();
  if (!*there) return DamagedRow(row->connection(), "the row of its state is missing");
  const auto unindexed = static_cast<std::uint64_t>(row->Number(3));
  return Counts{.certificates = static_cast<std::uint64_t>(row->Number(0)) + unindexed,
                .revocations = static_cast<std::uint64_t>(row->Number(1)),
                .pending_requests = static_cast<std::uint64_t>(row->Number(2)),
                .unindexed = unindexed};
}

absl::Status SqliteQueries::VisitLedger(std::uint64_t from,
                                        const std::function<bool(const LedgerEntry&)>& visit) {
  absl::StatusOr<SqliteCursor> rows = statements_.Use(kLedger);
  if (!rows.ok()) return rows.status();
  rows->BindNumber(static_cast<std::int64_t>(std::min<std::uint64_t>(from, INT64_MAX)));
  for (;;) {
    const absl::StatusOr<std::optional<LedgerEntry>> entry = TakeOne(*rows, LedgerEntryOf);
    if (!entry.ok()) return entry.status();
    if (!entry->has_value() || !visit(**entry)) return absl::OkStatus();
  }
}

}  // namespace troth
