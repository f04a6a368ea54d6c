// A file that one process works on at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"

namespace troth {

// Who owns a file; nothing: who writes it.
struct FileOwner {
  std::optional<uid_t> user = {};
  std::optional<gid_t> group = {};

  // "tls", "tls:tls", ":tls", "998:998". Errors: usage_error (no such user or group).
  static absl::StatusOr<FileOwner> Parse(std::string_view text);
};

struct LockedFileOptions {
  mode_t mode = 0600;  // exact
  FileOwner owner = {};
};

// An exclusive flock(2) on a file that is replaced while it is locked: the lock goes over to the
// new file before that is in place, so that there is no moment in which another process gets it.
// Keeps out other processes, and other LockedFiles of this one. A file that was not there is made,
// empty, and goes again with the lock when nothing was written. Move-only.
class LockedFile {
 public:
  // Never waits. Errors: file_locked, file_unreadable, file_not_regular, file_write_failed.
  static absl::StatusOr<LockedFile> Acquire(const std::string& path, LockedFileOptions options);

  LockedFile(LockedFile&& other) noexcept;
  LockedFile& operator=(LockedFile&& other) noexcept;
  ~LockedFile();

  const std::string& path() const { return path_; }
  // Replaces the file as WriteFile does, with mode and owner of the options. `modified`: what its
  // modification time is to be; nothing: now. Errors: file_write_failed.
  absl::Status Replace(std::string_view content, std::optional<Time> modified);
  // Removes the file; it stays locked, empty, until this object goes. Errors: file_write_failed.
  absl::Status Clear();

 private:
  LockedFile(std::string path, LockedFileOptions options, int descriptor)
      : path_(std::move(path)), options_(options), descriptor_(descriptor) {}
  void Release();

  std::string path_;
  LockedFileOptions options_;
  int descriptor_;
};

// Writes a file that is not the locked one, with an owner and a modification time, as WriteFile
// does. Errors: file_write_failed.
absl::Status WriteOwnedFile(const std::string& path, std::string_view content,
                            const LockedFileOptions& options, std::optional<Time> modified);

}  // namespace troth
