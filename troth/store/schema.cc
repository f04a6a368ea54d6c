#include <array>
#include <string_view>
#include <utility>

#include "troth/base/reason.h"
#include "troth/store/schema_internal.h"

namespace troth {
namespace {

// What is written while a certificate is issued is appended: to `certificates` and to `ledger`.
// Nothing there has an index of SQLite's, which would write one page here and one there for every
// certificate. Where a certificate lies is found by index_segments (index_segments_internal.h),
// which are written a batch at a time, and a lineage equal to the serial is left out.
//
// tokens and requests keep their row, and so their place in lists, when they are replaced.
constexpr std::string_view kFirstSchema = R"sql(
CREATE TABLE state(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  hash_key BLOB NOT NULL,           -- of the hashes in index segments
  indexed_until INTEGER NOT NULL,   -- every certificate up to this sequence is in the segments
  index_version INTEGER NOT NULL,   -- differs after every change of index_segments
  certificates INTEGER NOT NULL,    -- how many of those up to indexed_until are there
  revocations INTEGER NOT NULL,
  overwritten INTEGER NOT NULL);    -- see SqliteWriter::OverwriteFailed
INSERT INTO state VALUES (1, randomblob(16), 0, 0, 0, 0, 0);

CREATE TABLE certificates(
  sequence INTEGER PRIMARY KEY,
  serial BLOB NOT NULL,
  issuer INTEGER NOT NULL,
  profile TEXT NOT NULL,
  lineage BLOB,
  request BLOB NOT NULL,
  token TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  names BLOB NOT NULL,
  der BLOB NOT NULL);

CREATE TABLE index_segments(
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  level INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  last_key INTEGER NOT NULL,
  fences BLOB NOT NULL);
CREATE TABLE index_blocks(
  id INTEGER PRIMARY KEY,           -- segment * 2^20 + number of the block in it
  entries BLOB NOT NULL);

CREATE TABLE revocations(
  serial BLOB PRIMARY KEY,
  certificate INTEGER,              -- its sequence; NULL: not a certificate of this store
  issuer INTEGER NOT NULL,
  lineage BLOB NOT NULL,
  key BLOB NOT NULL,
  revoked_at INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  not_after INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX revocations_by_certificate ON revocations(certificate);
CREATE INDEX revocations_by_expiry ON revocations(not_after);

CREATE TABLE requests(
  sequence INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  state INTEGER NOT NULL,
  profile TEXT NOT NULL,
  name TEXT NOT NULL,
  names BLOB NOT NULL,
  key BLOB NOT NULL,
  body BLOB NOT NULL,
  address TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  decided_at INTEGER,
  decided_by TEXT NOT NULL,
  decision_note TEXT NOT NULL,
  certificate BLOB,
  certificate_not_after INTEGER);
CREATE INDEX requests_by_key ON requests(key);
CREATE INDEX requests_pending ON requests(address) WHERE state = 0;
-- Every name that a request ever asked for. Request 0: a name whose request or certificate was
-- pruned, and which stays known.
CREATE TABLE request_names(
  name TEXT NOT NULL,
  request INTEGER NOT NULL,
  PRIMARY KEY (name, request)) WITHOUT ROWID;

CREATE TABLE tokens(
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  secret_hash BLOB NOT NULL,
  profile TEXT NOT NULL,
  names BLOB NOT NULL,
  any_name INTEGER NOT NULL,
  max_uses INTEGER NOT NULL,
  uses INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  revoked_at INTEGER);

CREATE TABLE issuers(
  number INTEGER PRIMARY KEY,
  der BLOB NOT NULL,
  added_at INTEGER NOT NULL,
  crl_number INTEGER NOT NULL);

CREATE TABLE ledger(
  sequence INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL);
)sql";

// Number N is at place N - 1. A step that was released is never changed: a new one is added.
constexpr std::array kMigrations = {kFirstSchema};

absl::Status NotOurs(const std::string& path) {
  return MakeError(Reason::kStoreFailed, path +
                                             " is a SQLite file of another program, expected a "
                                             "Troth store: name the right file");
}

// 0: an empty file.
absl::StatusOr<std::int64_t> VersionOfSchema(SqliteConnection& connection) {
  absl::StatusOr<std::int64_t> id = connection.QueryNumber("PRAGMA application_id");
  if (!id.ok()) return id.status();
  absl::StatusOr<std::int64_t> tables =
      connection.QueryNumber("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*id == 0 && *tables == 0) return 0;
  if (*id != static_cast<std::int64_t>(kStoreApplicationId)) return NotOurs(connection.path());
  absl::StatusOr<std::int64_t> version =
      connection.QueryNumber("SELECT coalesce(max(number), 0) FROM schema_version");
  if (!version.ok()) return version.status();
  if (*version > kStoreSchemaVersion) {
    return MakeError(Reason::kStoreNewer, "the store " + connection.path() + " has schema " +
                                              std::to_string(*version) + ", expected at most " +
                                              std::to_string(kStoreSchemaVersion) +
                                              ": use the newer program that wrote it");
  }
  return version;
}

absl::Status Migrate(SqliteConnection& connection, size_t number, Time now) {
  std::string sql;
  if (number == 1) {
    sql = "PRAGMA application_id = " + std::to_string(kStoreApplicationId) +
          "; CREATE TABLE schema_version(number INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL);";
  }
  sql += kMigrations[number - 1];
  sql += "INSERT INTO schema_version VALUES (" + std::to_string(number) + ", " +
         std::to_string(now.time_since_epoch().count()) + ");";
  return connection.Execute(sql);
}

// Each step looks again inside its transaction: another process may have been quicker.
absl::Status BringUpToDate(SqliteConnection& connection, Time now) {
  for (;;) {
    if (absl::Status begun = connection.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
    const absl::StatusOr<std::int64_t> version = VersionOfSchema(connection);
    absl::Status done = version.status();
    if (done.ok() && *version < kStoreSchemaVersion) {
      done = Migrate(connection, static_cast<size_t>(*version) + 1, now);
    }
    if (done.ok()) done = connection.Execute("COMMIT");
    if (!done.ok()) {
      // The first error is the one to tell.
      connection.Execute("ROLLBACK").IgnoreError();
      return done;
    }
    if (*version + 1 >= kStoreSchemaVersion) return absl::OkStatus();
  }
}

absl::Status SetCache(SqliteConnection& connection, size_t bytes) {
  return connection.Execute("PRAGMA cache_size = -" + std::to_string(bytes / 1024 + 1) +
                            "; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON");
}

}  // namespace

const std::int64_t kStoreSchemaVersion = static_cast<std::int64_t>(kMigrations.size());

absl::StatusOr<std::unique_ptr<SqliteConnection>> OpenForWriting(const std::string& path,
                                                                 const std::string& vfs,
                                                                 size_t cache_bytes, Time now) {
  auto connection = SqliteConnection::Open(path, SqliteConnection::Access::kWrite, vfs);
  if (!connection.ok()) return connection;
  // Before anything is written: a file of another program is left as it is.
  const absl::StatusOr<std::int64_t> version = VersionOfSchema(**connection);
  if (!version.ok()) return version.status();
  if (absl::Status set = SetCache(**connection, cache_bytes); !set.ok()) return set;
  const absl::StatusOr<std::string> mode = (*connection)->QueryText("PRAGMA journal_mode = WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") {
    return MakeError(Reason::kStoreFailed, "the store " + path + " has journal mode " + *mode +
                                               ", expected wal: put it on a local file system");
  }
  // The writer runs its own checkpoints, after it has answered.
  absl::Status set = (*connection)
                         ->Execute(
                             "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                             "PRAGMA journal_size_limit = 67108864");
  if (!set.ok()) return set;
  if (*version < kStoreSchemaVersion) {
    if (absl::Status done = BringUpToDate(**connection, now); !done.ok()) return done;
  }
  return connection;
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> OpenForReading(const std::string& path,
                                                                 const std::string& vfs,
                                                                 size_t cache_bytes) {
  auto connection = SqliteConnection::Open(path, SqliteConnection::Access::kRead, vfs);
  if (!connection.ok()) return connection;
  const absl::StatusOr<std::int64_t> version = VersionOfSchema(**connection);
  if (!version.ok()) return version.status();
  if (*version < kStoreSchemaVersion) {
    return MakeError(Reason::kStoreFailed,
                     "the store " + path + " has schema " + std::to_string(*version) +
                         ", expected " + std::to_string(kStoreSchemaVersion) +
                         ": start the authority once, which brings it up to date");
  }
  if (absl::Status set = SetCache(**connection, cache_bytes); !set.ok()) return set;
  return connection;
}

}  // namespace troth
