#include "troth/authz/watched_crls.h"

#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {

WatchedCrls::WatchedCrls(std::vector<std::string> paths, std::chrono::milliseconds poll_interval)
    : store_(std::move(paths)), current_(store_.lists()) {
  if (store_.paths().empty()) return;
  current_ = MakeError(Reason::kInternal, "revocation lists were not read yet");
  watcher_ =
      FileWatcher::Start(store_.paths(), [this] { Reload(); }, {.poll_interval = poll_interval});
  Reload();
}

WatchedCrls::~WatchedCrls() { watcher_.reset(); }

void WatchedCrls::Reload() {
  const std::lock_guard reload_lock(reload_mutex_);
  const absl::Status status = store_.Load();
  const std::string error(ToStd(status.message()));
  if (!status.ok() && error != error_) {
    Log(LogLevel::kError, "revocation list not in use, the last good one stays",
        {{"reason", CodeOf(status)}, {"message", error}});
  }
  error_ = error;
  const std::lock_guard lock(mutex_);
  if (status.ok() || current_.ok()) {
    current_ = store_.lists();
  } else {
    current_ = status;
  }
}

absl::StatusOr<CrlStore::Lists> WatchedCrls::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace troth
