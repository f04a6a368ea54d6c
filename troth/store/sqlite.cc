#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "troth/base/reason.h"
#include "troth/store/sqlite_internal.h"

namespace troth {
namespace {

// How long a statement waits for a lock that another process holds: `troth store prune` beside a
// running authority, or the recovery after a crash.
constexpr int kBusyMilliseconds = 10'000;

std::string_view HintFor(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "the disk is full: make room, and it goes on by itself";
    case SQLITE_IOERR:
      return "the disk or its file system fails: see the kernel's log";
    case SQLITE_NOTADB:
      return "expected a Troth store: name the right file";
    case SQLITE_CORRUPT:
      return "the file is damaged: run `troth store check`, restore a backup";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process holds the file: end it";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return "expected a file and a folder that this user may write: mend owner and mode";
    default:
      return "run `troth store check`";
  }
}

// SQLite would make the file readable by all; the files beside it take its mode. One that is there
// is not even opened: closing it would drop the locks that this process holds on it (fcntl(2)).
bool MakeEmptyFile(const std::string& path) {
  const int file = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return errno == EEXIST;
  close(file);
  return true;
}

absl::Status CannotOpen(const std::string& path, std::string_view why) {
  return MakeError(Reason::kStoreFailed, "cannot open the store " + path + ": " + std::string(why));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::string& path,
                                                                         Access access,
                                                                         const std::string& vfs) {
  if (access == Access::kWrite && !MakeEmptyFile(path)) {
    return CannotOpen(
        path, std::strerror(errno) + std::string(", expected a folder that this user may write"));
  }
  // SQLite's count of its memory is a lock that all connections share, and nobody asks for it.
  // Refused, and no harm done, once SQLite is in use.
  static const int unused = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(unused);
  sqlite3* handle = nullptr;
  // One thread at a time uses a connection: SQLite need not lock it.
  const int flags = (access == Access::kWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (code != SQLITE_OK) {
    absl::Status error = CannotOpen(
        path, std::string(handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code)) +
                  ", " + std::string(HintFor(code)));
    sqlite3_close(handle);
    return error;
  }
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  // What a damaged or hostile file could do is not needed here.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return std::unique_ptr<SqliteConnection>(new SqliteConnection(handle, path));
}

SqliteConnection::~SqliteConnection() { sqlite3_close(handle_); }

absl::Status SqliteConnection::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Error("a statement failed");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> SqliteConnection::QueryNumber(const std::string& sql) {
  absl::StatusOr<SqliteStatement> statement = SqliteStatement::Prepare(*this, sql);
  if (!statement.ok()) return statement.status();
  SqliteCursor cursor(*statement);
  const absl::StatusOr<bool> row = cursor.Step();
  if (!row.ok()) return row.status();
  if (!*row) return DamagedRow(*this, "expected a row of " + sql);
  return cursor.Number(0);
}

absl::StatusOr<std::string> SqliteConnection::QueryText(const std::string& sql) {
  absl::StatusOr<SqliteStatement> statement = SqliteStatement::Prepare(*this, sql);
  if (!statement.ok()) return statement.status();
  SqliteCursor cursor(*statement);
  const absl::StatusOr<bool> row = cursor.Step();
  if (!row.ok()) return row.status();
  if (!*row) return DamagedRow(*this, "expected a row of " + sql);
  return std::string(cursor.Bytes(0));
}

absl::Status SqliteConnection::Error(std::string_view what) {
  failed_ = true;
  const int code = sqlite3_extended_errcode(handle_);
  return MakeError(Reason::kStoreFailed, "the store " + path_ + ": " + std::string(what) + ": " +
                                             sqlite3_errmsg(handle_) + " (SQLite " +
                                             std::to_string(code) + "), " +
                                             std::string(HintFor(code)));
}

std::uint32_t SqliteConnection::DataVersion() {
  unsigned int version = 0;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_DATA_VERSION, &version);
  return version;
}

absl::Status DamagedRow(const SqliteConnection& connection, std::string_view what) {
  return MakeError(Reason::kStoreFailed, "the store " + connection.path() +
                                             " is damaged: " + std::string(what) +
                                             ", run `troth store check`, restore a backup");
}

absl::StatusOr<SqliteStatement> SqliteStatement::Prepare(SqliteConnection& connection,
                                                         std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &handle, nullptr) != SQLITE_OK) {
    return connection.Error("a statement cannot be prepared");
  }
  return SqliteStatement(connection, handle);
}

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : connection_(other.connection_), handle_(std::exchange(other.handle_, nullptr)) {}

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  std::swap(connection_, other.connection_);
  std::swap(handle_, other.handle_);
  return *this;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(handle_); }

SqliteCursor::SqliteCursor(SqliteStatement& statement) : statement_(&statement) {
  statement_->in_use_ = true;
}

SqliteCursor::SqliteCursor(std::unique_ptr<SqliteStatement> statement)
    : owned_(std::move(statement)), statement_(owned_.get()) {
  statement_->in_use_ = true;
}

SqliteCursor::SqliteCursor(SqliteCursor&& other) noexcept
    : owned_(std::move(other.owned_)),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_) {}

SqliteCursor::~SqliteCursor() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_->handle_);
  statement_->in_use_ = false;
}

// Binding fails only for a parameter that the statement does not have, or for want of memory. A
// NULL that stands where a value was meant violates NOT NULL, which Step reports.
SqliteCursor& SqliteCursor::BindNumber(std::int64_t value) {
  sqlite3_bind_int64(statement_->handle_, ++bound_, value);
  return *this;
}

SqliteCursor& SqliteCursor::BindBlob(std::string_view bytes) {
  // An empty view may have no address, which SQLite would take for NULL.
  sqlite3_bind_blob64(statement_->handle_, ++bound_, bytes.empty() ? "" : bytes.data(),
                      bytes.size(), SQLITE_STATIC);
  return *this;
}

SqliteCursor& SqliteCursor::BindText(std::string_view text) {
  sqlite3_bind_text64(statement_->handle_, ++bound_, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

SqliteCursor& SqliteCursor::BindNull() {
  sqlite3_bind_null(statement_->handle_, ++bound_);
  return *this;
}

absl::StatusOr<bool> SqliteCursor::Step() {
  const int code = sqlite3_step(statement_->handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return statement_->connection_->Error("a statement failed");
}

absl::Status SqliteCursor::Run() {
  if (sqlite3_step(statement_->handle_) == SQLITE_DONE) return absl::OkStatus();
  return statement_->connection_->Error("a statement failed");
}

std::int64_t SqliteCursor::Number(int column) const {
  return sqlite3_column_int64(statement_->handle_, column);
}

std::string_view SqliteCursor::Bytes(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_->handle_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_->handle_, column))};
}

bool SqliteCursor::IsNull(int column) const {
  return sqlite3_column_type(statement_->handle_, column) == SQLITE_NULL;
}

absl::StatusOr<SqliteCursor> SqliteStatements::Use(size_t number) {
  std::unique_ptr<SqliteStatement>& kept = prepared_[number];
  if (kept != nullptr && !kept->in_use()) return SqliteCursor(*kept);
  if (kept != nullptr) return UseText(texts_[number]);
  absl::StatusOr<SqliteStatement> prepared = SqliteStatement::Prepare(connection_, texts_[number]);
  if (!prepared.ok()) return prepared.status();
  kept = std::make_unique<SqliteStatement>(*std::move(prepared));
  return SqliteCursor(*kept);
}

absl::StatusOr<SqliteCursor> SqliteStatements::UseText(std::string_view sql) {
  absl::StatusOr<SqliteStatement> prepared = SqliteStatement::Prepare(connection_, sql);
  if (!prepared.ok()) return prepared.status();
  return SqliteCursor(std::make_unique<SqliteStatement>(*std::move(prepared)));
}

}  // namespace troth
