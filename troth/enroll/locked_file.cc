#include "troth/enroll/locked_file.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

std::string Explain(int error) { return std::error_code(error, std::generic_category()).message(); }

absl::Status Problem(Reason reason, const std::string& path, const std::string& what) {
  return MakeError(reason, "'" + Printable(path, 400) + "': " + what);
}

std::optional<unsigned> ParseNumber(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Calls getpwnam_r or getgrnam_r with a buffer that is large enough.
template <typename Entry, typename Get>
std::optional<Entry> LookUp(Get get, const std::string& name) {
  Entry entry{};
  for (std::vector<char> buffer(1024); buffer.size() <= size_t{1} << 20;
       buffer.resize(buffer.size() * 4)) {
    Entry* found = nullptr;
    const int error = get(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    if (error != 0 || found == nullptr) return std::nullopt;
    return entry;
  }
  return std::nullopt;
}

// Owner and times of a file that is being written. An errno, or 0.
int Dress(int descriptor, const FileOwner& owner, std::optional<Time> modified) {
  if (owner.user.has_value() || owner.group.has_value()) {
    // -1 leaves it as it is.
    if (fchown(descriptor, owner.user.value_or(static_cast<uid_t>(-1)),
               owner.group.value_or(static_cast<gid_t>(-1))) != 0) {
      return errno;
    }
  }
  if (modified.has_value()) {
    const timespec time{.tv_sec = modified->time_since_epoch().count(), .tv_nsec = 0};
    const timespec times[2] = {time, time};
    if (futimens(descriptor, times) != 0) return errno;
  }
  return 0;
}

// Whether the open file is the one that lies there.
bool LiesAt(int descriptor, const std::string& path) {
  struct stat open {};
  struct stat there {};
  return fstat(descriptor, &open) == 0 && stat(path.c_str(), &there) == 0 &&
         open.st_dev == there.st_dev && open.st_ino == there.st_ino;
}

}  // namespace

absl::StatusOr<FileOwner> FileOwner::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string user(text.substr(0, colon));
  const std::string group(colon == std::string_view::npos ? "" : text.substr(colon + 1));
  if (user.empty() && group.empty()) {
    return MakeError(
        Reason::kUsageError,
        "expected an owner as USER, USER:GROUP or :GROUP, got \"" + Printable(text) + "\"");
  }
  FileOwner owner;
  if (!user.empty()) {
    const auto entry = LookUp<passwd>(getpwnam_r, user);
    owner.user = entry.has_value() ? entry->pw_uid : ParseNumber(user);
    if (!owner.user.has_value()) {
      return MakeError(Reason::kUsageError, "there is no user \"" + Printable(user) + "\"");
    }
  }
  if (!group.empty()) {
    const auto entry = LookUp<struct group>(getgrnam_r, group);
    owner.group = entry.has_value() ? entry->gr_gid : ParseNumber(group);
    if (!owner.group.has_value()) {
      return MakeError(Reason::kUsageError, "there is no group \"" + Printable(group) + "\"");
    }
  }
  return owner;
}

absl::StatusOr<LockedFile> LockedFile::Acquire(const std::string& path, LockedFileOptions options) {
  while (true) {
    const int descriptor =
        open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (descriptor < 0) {
      const int error = errno;
      if (error == EISDIR) return Problem(Reason::kFileNotRegular, path, "expected a file");
      return Problem(Reason::kFileUnreadable, path, "cannot open it: " + Explain(error));
    }
    LockedFile file(path, options, descriptor);
    struct stat locked {};
    if (fstat(descriptor, &locked) != 0 || !S_ISREG(locked.st_mode)) {
      return Problem(Reason::kFileNotRegular, path, "expected a regular file");
    }
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      close(std::exchange(file.descriptor_, -1));
      if (error != EWOULDBLOCK) {
        return Problem(Reason::kFileUnreadable, path, "cannot lock it: " + Explain(error));
      }
      return Problem(Reason::kFileLocked, path, "another process works on it");
    }
    // Between open and flock the one before us may have put another file in its place.
    if (LiesAt(descriptor, path)) return file;
    close(std::exchange(file.descriptor_, -1));
  }
}

LockedFile::LockedFile(LockedFile&& other) noexcept
    : path_(std::move(other.path_)),
      options_(other.options_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

LockedFile& LockedFile::operator=(LockedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(options_, other.options_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

LockedFile::~LockedFile() { Release(); }

void LockedFile::Release() {
  if (descriptor_ < 0) return;
  // What we made only to lock it: nobody else can have locked it, for we have.
  struct stat locked {};
  if (fstat(descriptor_, &locked) == 0 && locked.st_size == 0 && LiesAt(descriptor_, path_)) {
    unlink(path_.c_str());
  }
  close(std::exchange(descriptor_, -1));
}

absl::Status LockedFile::Replace(std::string_view content, std::optional<Time> modified) {
  int next = -1;
  const auto prepare = [&](int descriptor) {
    if (const int error = Dress(descriptor, options_.owner, modified); error != 0) return error;
    // The lock belongs to the open file, which lives on in the copy of its descriptor.
    next = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (next < 0 || flock(next, LOCK_EX | LOCK_NB) != 0) return errno;
    return 0;
  };
  absl::Status status =
      WriteFile(path_, content,
                {.mode = options_.mode, .overwrite = Overwrite::kReplace, .prepare = prepare});
  // Also when only the folder could not be synced.
  if (next >= 0 && LiesAt(next, path_)) std::swap(descriptor_, next);
  if (next >= 0) close(next);
  return status;
}

absl::Status LockedFile::Clear() { return Replace("", std::nullopt); }

absl::Status WriteOwnedFile(const std::string& path, std::string_view content,
                            const LockedFileOptions& options, std::optional<Time> modified) {
  const auto prepare = [&](int descriptor) { return Dress(descriptor, options.owner, modified); };
  return WriteFile(path, content,
                   {.mode = options.mode, .overwrite = Overwrite::kReplace, .prepare = prepare});
}

}  // namespace troth
