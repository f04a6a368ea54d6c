#include "troth/ca/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {

absl::StatusOr<FolderLock> FolderLock::Acquire(const std::string& folder, Seconds patience) {
  const auto problem = [&](Reason reason, const std::string& what) {
    return MakeError(reason, "'" + Printable(folder, 400) + "': " + what);
  };
  const auto explain = [] { return std::error_code(errno, std::generic_category()).message(); };

  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return problem(errno == ENOENT ? Reason::kFileNotFound : Reason::kFileUnreadable, explain());
  }
  FolderLock lock(descriptor);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK)
      return problem(Reason::kFileUnreadable, "cannot lock it: " + explain());
    if (std::chrono::steady_clock::now() >= deadline) {
      return problem(
          Reason::kFileLocked,
          "another troth works in this folder; gave up waiting after " + FormatDuration(patience));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace troth
