// Revocation lists that follow their files, for who checks peers without a guard.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/authz/crl_store.h"
#include "troth/base/file_watcher.h"

namespace troth {

// A CrlStore that is read when its files change, by a thread of its own (none without paths), as a
// guard reads its lists. Thread-safe.
class WatchedCrls {
 public:
  explicit WatchedCrls(std::vector<std::string> paths,
                       std::chrono::milliseconds poll_interval = std::chrono::seconds(1));
  WatchedCrls(const WatchedCrls&) = delete;
  WatchedCrls& operator=(const WatchedCrls&) = delete;
  ~WatchedCrls();

  // The lists in force. An error (those of CrlStore::Load) until every path was read whole once;
  // what breaks later is logged, and its last good lists stay.
  absl::StatusOr<CrlStore::Lists> Current() const;

 private:
  void Reload();

  std::mutex reload_mutex_;  // taken before mutex_
  CrlStore store_;           // guarded by reload_mutex_
  std::string error_;        // that was logged last; guarded by reload_mutex_

  mutable std::mutex mutex_;
  absl::StatusOr<CrlStore::Lists> current_;  // guarded by mutex_
  // Last: its thread uses the others until it is gone.
  std::unique_ptr<FileWatcher> watcher_;
};

}  // namespace troth
