// Files: read within bounds, written whole or not at all.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace troth {

// No certificate, key, list or policy file is larger than this. 4 MiB.
inline constexpr size_t kMaxFileBytes = size_t{4} << 20;

// The content of a regular file of 1 to `max_bytes` bytes. Errors (messages name the path):
// file_not_found, file_unreadable, file_not_regular (folder, pipe, device: never blocks on one),
// file_empty, file_too_large.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = kMaxFileBytes);

enum class Overwrite { kNever, kReplace };

struct WriteOptions {
  mode_t mode = 0644;                       // exact: the umask does not count
  Overwrite overwrite = Overwrite::kNever;  // kNever: file_exists when something is there
  // Called with the descriptor of the whole file before it is synced and moved into place, for what
  // must be so from the first moment on: owner, times, a lock. An errno ends it; 0 goes on.
  std::function<int(int descriptor)> prepare = nullptr;
};

// Writes `content` to a temporary file beside `path`, syncs it, moves it into place and syncs the
// folder: a reader, and a crash at any moment, sees the old file or the new one, whole. Errors:
// file_exists, file_write_failed.
absl::Status WriteFile(const std::string& path, std::string_view content, WriteOptions options);

// Makes the folder and its parents (0755 unless told otherwise); one that is there is fine.
absl::Status MakeFolder(const std::string& path, mode_t mode = 0755);

bool FileExists(const std::string& path);
// "a/b" of "a/b/c.pem", "." of "c.pem".
std::string FolderOf(std::string_view path);
std::string JoinPath(std::string_view folder, std::string_view name);

// Which version of a file this is: differs after every rewrite, rename or touch.
struct FileVersion {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  mode_t mode = 0;
  bool operator==(const FileVersion&) const = default;
};
// Nothing when there is no such file. Follows symbolic links.
std::optional<FileVersion> VersionOf(const std::string& path);

// Whether group or others may read or write a file of this mode.
inline bool IsOpenToOthers(mode_t mode) { return (mode & 077) != 0; }

}  // namespace troth
