// Connections that read, for any number of threads.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/store.h"
#include "troth/store/sqlite_queries_internal.h"

namespace troth {

// Thread-safe. Nobody waits: who finds no idle connection opens one.
class ReaderPool {
 public:
  // `shared`: what the writer of this process shares; null: there is none.
  ReaderPool(std::string path, std::string vfs, size_t cache_bytes, const SharedIndex* shared);
  ~ReaderPool();

  // Runs `read` on one snapshot. Errors: store_failed, and those of `read`.
  absl::Status Read(const std::function<absl::Status(SqliteQueries&)>& read);

 private:
  class Connection;
  absl::StatusOr<std::unique_ptr<Connection>> Take();
  void GiveBack(std::unique_ptr<Connection> connection);

  const std::string path_, vfs_;
  const size_t cache_bytes_;
  const SharedIndex* const shared_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace troth
