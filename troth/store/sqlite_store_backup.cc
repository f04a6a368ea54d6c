#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/store/schema_internal.h"
#include "troth/store/sqlite_store.h"

namespace troth {
namespace {

constexpr int kPagesAtOnce = 1024;
constexpr size_t kCacheBytes = size_t{1} << 20;
constexpr auto kRetryAfter = std::chrono::milliseconds(20);

absl::Status CannotWrite(const std::string& to, int error) {
  return MakeError(Reason::kFileWriteFailed,
                   "cannot write the backup " + to + ": " +
                       std::error_code(error, std::generic_category()).message());
}

absl::Status Exists(const std::string& to) {
  return MakeError(Reason::kFileExists,
                   to + " is there already, expected a new name for the backup: choose another");
}

// Copies what `source`, which is in a transaction, sees.
absl::Status Copy(SqliteConnection& source, SqliteConnection& target) {
  sqlite3_backup* const backup =
      sqlite3_backup_init(target.handle(), "main", source.handle(), "main");
  if (backup == nullptr) return target.Error("a backup cannot be begun");
  int code = SQLITE_OK;
  do {
    code = sqlite3_backup_step(backup, kPagesAtOnce);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) std::this_thread::sleep_for(kRetryAfter);
  } while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED);
  if (sqlite3_backup_finish(backup) != SQLITE_OK) return target.Error("the backup failed");
  return absl::OkStatus();
}

absl::Status CopyTo(const std::string& from, const std::string& temporary) {
  auto source = OpenForReading(from, "", kCacheBytes);
  if (!source.ok()) return source.status();
  auto target = SqliteConnection::Open(temporary, SqliteConnection::Access::kWrite, "");
  if (!target.ok()) return target.status();
  // One snapshot: without a transaction a change by the authority would make SQLite begin anew,
  // again and again.
  if (absl::Status begun = (*source)->Execute("BEGIN"); !begun.ok()) return begun;
  const auto fixed = (*source)->QueryNumber("SELECT count(*) FROM schema_version");
  if (!fixed.ok()) return fixed.status();
  // The file is synced as a whole, later, and nobody knows it before.
  absl::Status set = (*target)->Execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
  return set.ok() ? Copy(**source, **target) : set;
}

int Sync(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return errno;
  const int error = fsync(file) == 0 ? 0 : errno;
  close(file);
  return error;
}

// A link, unlike a move, fails when there is something.
absl::Status Publish(const std::string& temporary, const std::string& to) {
  if (const int error = Sync(temporary, O_RDWR); error != 0) return CannotWrite(to, error);
  if (link(temporary.c_str(), to.c_str()) != 0) {
    return errno == EEXIST ? Exists(to) : CannotWrite(to, errno);
  }
  if (const int error = Sync(FolderOf(to), O_RDONLY | O_DIRECTORY); error != 0) {
    return CannotWrite(to, error);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BackupSqliteStore(const std::string& path, const std::string& to) {
  if (FileExists(to)) return Exists(to);
  std::string temporary = to + ".XXXXXX";
  const int file = mkostemp(temporary.data(), O_CLOEXEC);  // 0600
  if (file < 0) return CannotWrite(to, errno);
  close(file);
  absl::Status done = CopyTo(path, temporary);
  if (done.ok()) done = Publish(temporary, to);
  unlink(temporary.c_str());
  return done;
}

}  // namespace troth
