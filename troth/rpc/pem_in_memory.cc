#include "troth/rpc/pem_in_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <utility>

#include "troth/base/reason.h"

namespace troth {
namespace {

absl::Status SystemError(std::string_view what) {
  return MakeError(Reason::kFileWriteFailed, "cannot keep keys in memory for gRPC: " +
                                                 std::string(what) + ": " + std::strerror(errno));
}

// A new descriptor of an anonymous file that holds `text`, last modified `version` seconds after
// 1970.
absl::StatusOr<int> MakeFile(std::string_view text, int version) {
  const int descriptor = memfd_create("troth", MFD_CLOEXEC);
  if (descriptor < 0) return SystemError("memfd_create");
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      absl::Status status = SystemError("write");
      close(descriptor);
      return status;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  const timespec times[2] = {{.tv_sec = version, .tv_nsec = 0}, {.tv_sec = version, .tv_nsec = 0}};
  if (fchmod(descriptor, 0400) != 0 || futimens(descriptor, times) != 0) {
    absl::Status status = SystemError("futimens");
    close(descriptor);
    return status;
  }
  return descriptor;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PemInMemory>> PemInMemory::Create(std::string_view text) {
  const absl::StatusOr<int> descriptor = MakeFile(text, 1);
  if (!descriptor.ok()) return descriptor.status();
  std::unique_ptr<PemInMemory> file(new PemInMemory(*descriptor));
  if (access(file->path().c_str(), R_OK) != 0) return SystemError(file->path());
  return file;
}

PemInMemory::PemInMemory(int descriptor)
    : descriptor_(descriptor), path_("/proc/self/fd/" + std::to_string(descriptor)) {}

PemInMemory::~PemInMemory() { close(descriptor_); }

absl::Status PemInMemory::Replace(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const absl::StatusOr<int> next = MakeFile(text, version_ + 1);
  if (!next.ok()) return next.status();
  // The descriptor's number, and with it the path, comes to mean the new file in one step.
  const int swapped = dup3(*next, descriptor_, O_CLOEXEC);
  absl::Status status = swapped < 0 ? SystemError("dup3") : absl::OkStatus();
  close(*next);
  if (status.ok()) ++version_;
  return status;
}

Secret KeyAndChain(const Identity& identity) {
  const Secret key = identity.private_key().ToPem();
  const std::string chain = identity.ChainPem();
  std::string text;
  text.reserve(key.Reveal().size() +
               chain.size());  // it must not move: what is left behind is not wiped
  text += key.Reveal();
  text += chain;
  return Secret(std::move(text));
}

}  // namespace troth
