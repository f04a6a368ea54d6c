#include "troth/store/caramel_database.h"

#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/digest.h"
#include "troth/store/sqlite_internal.h"

namespace troth {
namespace {

constexpr std::string_view kMagic("SQLite format 3\0", 16);

std::string Quoted(const std::string& path) { return "'" + Printable(path, 400) + "'"; }

absl::Status CheckIsSqlite(const std::string& path) {
  if (!FileExists(path)) {
    return MakeError(Reason::kFileNotFound, "there is no file " + Quoted(path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string start(kMagic.size(), '\0');
  if (!file.read(start.data(), static_cast<std::streamsize>(start.size())) && !file.eof()) {
    return MakeError(Reason::kFileUnreadable, "cannot read " + Quoted(path));
  }
  if (start == kMagic) return absl::OkStatus();
  return MakeError(Reason::kFileWrongFormat,
                   Quoted(path) +
                       ": expected the SQLite database of a Caramel server, which its "
                       "setting sqlalchemy.url names, got another kind of file");
}

// Whether the tables have the columns that are read here.
absl::Status CheckSchema(SqliteConnection& connection) {
  for (const char* table : {"SELECT id, sha256sum, pem, commonname, rejected FROM csr LIMIT 0",
                            "SELECT csr_id, id, pem FROM certificate LIMIT 0",
                            "SELECT csr_id, \"when\", addr FROM accesslog LIMIT 0"}) {
    const absl::StatusOr<SqliteStatement> statement = SqliteStatement::Prepare(connection, table);
    if (statement.ok()) continue;
    return MakeError(Reason::kFileWrongFormat,
                     Quoted(connection.path()) +
                         ": expected the tables csr, certificate and accesslog of a Caramel "
                         "server, got " +
                         std::string(ToStd(statement.status().message())));
  }
  return absl::OkStatus();
}

// "2026-11-21 06:45:21.016826", as SQLAlchemy writes UTC.
std::optional<Time> TimeOf(std::string_view text) {
  constexpr size_t kToSeconds = 19;
  if (text.size() < kToSeconds) return std::nullopt;
  std::string time(text.substr(0, kToSeconds));
  if (time[10] != ' ') return std::nullopt;
  time[10] = 'T';
  return ParseTime(time + "Z");
}

// Rows of another table in the order of the requests that they belong to. Tables of Caramel have no
// index by request: looking each up would read the whole table for every request.
class RowsOfRequests {
 public:
  // `sql` gives the request's id first, in rising order.
  static absl::StatusOr<RowsOfRequests> Open(SqliteConnection& connection, std::string_view sql) {
    absl::StatusOr<SqliteStatement> statement = SqliteStatement::Prepare(connection, sql);
    if (!statement.ok()) return statement.status();
    RowsOfRequests rows(SqliteCursor(std::make_unique<SqliteStatement>(*std::move(statement))));
    if (absl::Status status = rows.Next(); !status.ok()) return status;
    return rows;
  }

  // Calls `visit` for each row of this request.
  absl::Status Visit(std::int64_t request, const std::function<void(const SqliteCursor&)>& visit) {
    while (there_ && cursor_.Number(0) <= request) {
      if (cursor_.Number(0) == request) visit(cursor_);
      if (absl::Status status = Next(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  explicit RowsOfRequests(SqliteCursor cursor) : cursor_(std::move(cursor)) {}

  absl::Status Next() {
    const absl::StatusOr<bool> there = cursor_.Step();
    if (!there.ok()) return there.status();
    there_ = *there;
    return absl::OkStatus();
  }

  SqliteCursor cursor_;
  bool there_ = false;
};

absl::Status VisitRequests(SqliteConnection& connection,
                           const std::function<absl::Status(const ForeignRequest&)>& visit,
                           const std::function<void(const std::string&)>& damaged) {
  absl::StatusOr<RowsOfRequests> certificates =
      RowsOfRequests::Open(connection, "SELECT csr_id, pem FROM certificate ORDER BY csr_id, id");
  if (!certificates.ok()) return certificates.status();
  // SQLite takes `addr` from the row that has the least `when`.
  absl::StatusOr<RowsOfRequests> fetches = RowsOfRequests::Open(
      connection,
      "SELECT csr_id, MIN(\"when\"), addr FROM accesslog GROUP BY csr_id ORDER BY csr_id");
  if (!fetches.ok()) return fetches.status();
  absl::StatusOr<SqliteStatement> requests = SqliteStatement::Prepare(
      connection, "SELECT id, sha256sum, pem, commonname, rejected FROM csr ORDER BY id");
  if (!requests.ok()) return requests.status();

  SqliteCursor row(*requests);
  for (;;) {
    const absl::StatusOr<bool> there = row.Step();
    if (!there.ok()) return there.status();
    if (!*there) return absl::OkStatus();
    const std::int64_t id = row.Number(0);
    ForeignRequest request{
        .name = "request " + std::to_string(id) + " (" + Printable(row.Bytes(3)) + ")",
        .body = std::string(row.Bytes(2)),
        .rejected = row.Number(4) != 0};
    absl::Status status = certificates->Visit(id, [&](const SqliteCursor& certificate) {
      request.certificates.emplace_back(certificate.Bytes(1));
    });
    if (!status.ok()) return status;
    status = fetches->Visit(id, [&](const SqliteCursor& fetch) {
      request.seen_at = TimeOf(fetch.Bytes(1));
      request.address = Printable(fetch.Bytes(2));
    });
    if (!status.ok()) return status;
    if (FormatFingerprint(Sha256(request.body)) != row.Bytes(1)) {
      damaged(request.name);
    } else if (status = visit(request); !status.ok()) {
      return status;
    }
  }
}

}  // namespace

absl::Status ReadCaramelDatabase(const std::string& path,
                                 const std::function<absl::Status(const ForeignRequest&)>& visit,
                                 const std::function<void(const std::string&)>& damaged) {
  if (absl::Status status = CheckIsSqlite(path); !status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<SqliteConnection>> connection =
      SqliteConnection::Open(path, SqliteConnection::Access::kRead, "");
  if (!connection.ok()) return connection.status();
  if (absl::Status status = CheckSchema(**connection); !status.ok()) return status;
  if (absl::Status status = (*connection)->Execute("BEGIN"); !status.ok()) return status;
  return VisitRequests(**connection, visit, damaged);
}

}  // namespace troth
