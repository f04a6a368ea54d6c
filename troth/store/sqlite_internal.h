// SQLite behind three small classes: a connection, a prepared statement, one use of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace troth {

// One connection. One thread at a time.
class SqliteConnection {
 public:
  enum class Access { kRead, kWrite };
  // kWrite makes the file (0600) when there is none. `vfs` empty: SQLite's own. Errors:
  // store_failed.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path,
                                                                Access access,
                                                                const std::string& vfs);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;
  ~SqliteConnection();

  // One or more statements, of which no rows are wanted.
  absl::Status Execute(const std::string& sql);
  // The first column of the first row. Errors also when there is none.
  absl::StatusOr<std::int64_t> QueryNumber(const std::string& sql);
  absl::StatusOr<std::string> QueryText(const std::string& sql);

  // store_failed, with SQLite's text about its last call on this connection.
  absl::Status Error(std::string_view what);
  // Whether Error was called since the last ClearFailure: nothing that a caller may have swallowed
  // is lost.
  bool failed() const { return failed_; }
  void ClearFailure() { failed_ = false; }

  // A number that differs when another connection has changed the file. Current only inside a
  // transaction.
  std::uint32_t DataVersion();

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }

 private:
  SqliteConnection(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  sqlite3* handle_;
  std::string path_;
  bool failed_ = false;
};

// store_failed for a row that says what no row of ours can say.
absl::Status DamagedRow(const SqliteConnection& connection, std::string_view what);

class SqliteCursor;

// A prepared statement. Must go before its connection.
class SqliteStatement {
 public:
  static absl::StatusOr<SqliteStatement> Prepare(SqliteConnection& connection,
                                                 std::string_view sql);
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  bool in_use() const { return in_use_; }

 private:
  friend class SqliteCursor;
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* handle)
      : connection_(&connection), handle_(handle) {}

  SqliteConnection* connection_;
  sqlite3_stmt* handle_;
  bool in_use_ = false;
};

// One use of a statement: bind every parameter in order, step, read columns. Bound bytes must
// outlive the use. The statement is free again when the cursor dies.
class SqliteCursor {
 public:
  explicit SqliteCursor(SqliteStatement& statement);
  // For a statement that nobody else keeps.
  explicit SqliteCursor(std::unique_ptr<SqliteStatement> statement);
  SqliteCursor(SqliteCursor&& other) noexcept;
  SqliteCursor& operator=(SqliteCursor&&) = delete;
  ~SqliteCursor();

  SqliteCursor& BindNumber(std::int64_t value);
  SqliteCursor& BindBlob(std::string_view bytes);
  SqliteCursor& BindText(std::string_view text);
  SqliteCursor& BindNull();

  // Whether there is a row. Errors: store_failed.
  absl::StatusOr<bool> Step();
  // For a statement that has no rows.
  absl::Status Run();

  std::int64_t Number(int column) const;
  std::string_view Bytes(int column) const;  // blob or text; valid until the next step
  bool IsNull(int column) const;
  SqliteConnection& connection() const { return *statement_->connection_; }

 private:
  std::unique_ptr<SqliteStatement> owned_;
  SqliteStatement* statement_;
  int bound_ = 0;
};

// A fixed set of statements by number, each prepared when it is first used.
class SqliteStatements {
 public:
  SqliteStatements(SqliteConnection& connection, const std::string_view* texts, size_t count)
      : connection_(connection), texts_(texts), prepared_(count) {}

  // A use of statement `number`; of a second copy while the first is in use (a visitor that asks).
  absl::StatusOr<SqliteCursor> Use(size_t number);
  // A use of a text that is not in the set.
  absl::StatusOr<SqliteCursor> UseText(std::string_view sql);
  SqliteConnection& connection() { return connection_; }

 private:
  SqliteConnection& connection_;
  const std::string_view* texts_;
  std::vector<std::unique_ptr<SqliteStatement>> prepared_;
};

}  // namespace troth
