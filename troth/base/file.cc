#include "troth/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { Close(); }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // The error number of close(2), 0 when it went well.
  int Close() {
    if (fd_ < 0) return 0;
    return close(std::exchange(fd_, -1)) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

std::string Explain(int error) { return std::error_code(error, std::generic_category()).message(); }

std::string Quoted(const std::string& path) { return "'" + Printable(path, 400) + "'"; }

absl::Status ReadError(const std::string& path, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  return MakeError(missing ? Reason::kFileNotFound : Reason::kFileUnreadable,
                   "cannot read " + Quoted(path) + ": " + Explain(error));
}

absl::Status WriteError(const std::string& path, int error) {
  return MakeError(Reason::kFileWriteFailed,
                   "cannot write " + Quoted(path) + ": " + Explain(error));
}

int WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

int SyncFolder(const std::string& folder) {
  FileDescriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return errno;
  // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do there.
  return fsync(fd.get()) == 0 || errno == EINVAL ? 0 : errno;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes to returns at once.
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.ok()) {
    // A socket, and a device without a driver, can be seen but not opened.
    if (errno == ENXIO) {
      return MakeError(Reason::kFileNotRegular, Quoted(path) + " is not a regular file");
    }
    return ReadError(path, errno);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return ReadError(path, errno);
  if (S_ISDIR(info.st_mode)) {
    return MakeError(Reason::kFileNotRegular, Quoted(path) + " is a folder, expected a file");
  }
  if (!S_ISREG(info.st_mode)) {
    return MakeError(Reason::kFileNotRegular,
                     Quoted(path) + " is a pipe, socket or device, expected a regular file");
  }
  const auto too_large = [&](const std::string& size) {
    return MakeError(Reason::kFileTooLarge,
                     Quoted(path) + " has " + size + " bytes, expected at most " +
                         std::to_string(max_bytes) + "; check that it is the right file");
  };
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) {
    return too_large(std::to_string(info.st_size));
  }
  std::string content(static_cast<size_t>(info.st_size) + 1, '\0');
  size_t length = 0;
  while (true) {
    const ssize_t got = read(fd.get(), content.data() + length, content.size() - length);
    if (got < 0) {
      if (errno == EINTR) continue;
      return ReadError(path, errno);
    }
    if (got == 0) break;
    length += static_cast<size_t>(got);
    if (length > max_bytes) return too_large("more than " + std::to_string(max_bytes));
    if (length == content.size()) content.resize(content.size() * 2);
  }
  if (length == 0) return MakeError(Reason::kFileEmpty, Quoted(path) + " is empty");
  content.resize(length);
  return content;
}

// By value: callers write it in place.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
absl::Status WriteFile(const std::string& path, std::string_view content, WriteOptions options) {
  const auto exists = [&] {
    return MakeError(Reason::kFileExists, Quoted(path) + " exists and is not overwritten");
  };
  if (options.overwrite == Overwrite::kNever && FileExists(path)) return exists();

  std::string temporary = path + ".XXXXXX";
  // mkostemp makes it 0600, so a key is never readable by others, not even for a moment.
  FileDescriptor fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.ok()) return WriteError(path, errno);
  int error = WriteAll(fd.get(), content);
  if (error == 0 && options.prepare) error = options.prepare(fd.get());
  // After `prepare`: a change of owner clears bits of the mode.
  if (error == 0 && fchmod(fd.get(), options.mode) != 0) error = errno;
  if (error == 0 && fsync(fd.get()) != 0) error = errno;
  if (const int close_error = fd.Close(); error == 0) error = close_error;
  if (error == 0) {
    if (options.overwrite == Overwrite::kReplace) {
      if (rename(temporary.c_str(), path.c_str()) == 0) {
        temporary.clear();
      } else {
        error = errno;
      }
    } else if (link(temporary.c_str(), path.c_str()) != 0) {  // unlike rename, fails when it exists
      error = errno;
    }
  }
  if (!temporary.empty()) unlink(temporary.c_str());
  if (error == EEXIST) return exists();
  if (error == 0) error = SyncFolder(FolderOf(path));
  return error == 0 ? absl::OkStatus() : WriteError(path, error);
}

absl::Status MakeFolder(const std::string& path, mode_t mode) {
  std::error_code error;
  const std::filesystem::path folder(path);
  if (std::filesystem::is_directory(folder, error)) return absl::OkStatus();
  if (folder.has_parent_path() && folder.parent_path() != folder) {
    if (absl::Status made = MakeFolder(folder.parent_path().string(), mode); !made.ok())
      return made;
  }
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return WriteError(path, errno);
  if (!std::filesystem::is_directory(folder, error)) {
    return MakeError(Reason::kFileWriteFailed, Quoted(path) + " is not a folder");
  }
  return absl::OkStatus();
}

bool FileExists(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

std::string FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  if (folder.empty() || name.starts_with('/')) return std::string(name);
  std::string path(folder);
  if (!path.ends_with('/')) path += '/';
  path += name;
  return path;
}

std::optional<FileVersion> VersionOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  const auto nanoseconds = [](const timespec& t) {
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
  };
  return FileVersion{.device = info.st_dev,
                     .inode = info.st_ino,
                     .size = static_cast<std::uint64_t>(info.st_size),
                     .modified_ns = nanoseconds(info.st_mtim),
                     .changed_ns = nanoseconds(info.st_ctim),
                     .mode = info.st_mode};
}

}  // namespace troth
