// The store in one SQLite file: WAL, synchronous=FULL, one writer, group commit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/store.h"

namespace troth {

struct SqliteStoreOptions {
  std::string path = {};
  bool read_only = false;  // for looking at a store that another process may be writing
  std::string vfs = {};    // SQLite's VFS, for tests; empty: the default one
  size_t cache_bytes = size_t{3} << 20;
  size_t index_batch = 8192;  // certificates between two batches of the indexes by name and expiry
  // Pages of the write-ahead log at which they are moved to the file: 4 MiB.
  int check_point_pages = 1000;
  const Clock* clock = &Clock::System();  // not owned
};

// Opens or makes the file (0600), and brings its schema to this version (each migration in a
// transaction of its own, with its number; a newer schema than this program knows is refused).
// Errors: store_failed (not a database, damaged, no permission, disk full), store_newer.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteStoreOptions options);

struct StoreCheck {
  std::uint64_t certificates = 0, revocations = 0, requests = 0, tokens = 0, ledger_entries = 0;
  std::vector<std::string> faults = {};  // empty: all is well
};
// SQLite's own integrity check, every certificate read and compared with its row, indexes compared
// with the certificates, the ledger's chain. `progress` gets done and total. Reads only, one moment
// of a store that may be written meanwhile. Errors: store_failed, store_newer (it cannot be opened
// at all; what is found later is a fault).
absl::StatusOr<StoreCheck> CheckSqliteStore(
    const std::string& path, const std::function<void(std::uint64_t, std::uint64_t)>& progress);

// A consistent copy while the authority may be running; `to` must not exist, and appears whole or
// not at all (0600). Errors: file_exists, file_write_failed, store_failed.
absl::Status BackupSqliteStore(const std::string& path, const std::string& to);

struct PruneResult {
  std::uint64_t certificates = 0, requests = 0, tokens = 0;
};
// Removes certificates that expired before `before`, which is not in the future (revoked ones too,
// once their list entries have gone), requests that were decided or expired before it without a
// valid certificate, and old tokens. The ledger stays whole.
absl::StatusOr<PruneResult> PruneSqliteStore(const std::string& path, Time before);

}  // namespace troth
