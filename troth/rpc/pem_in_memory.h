// PEM text that gRPC reads from a path and that never lies on a disk.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/identity/identity.h"

namespace troth {

// A file in memory (memfd) whose content is replaced in one step: whoever opens path() sees the old
// text or the new one, whole. Each replacement has a modification time of its own (in whole
// seconds, counted up, not the time of day): gRPC reads key and certificate one after the other and
// compares that time to notice that they changed between. Thread-safe. The path works within this
// process, while the object lives.
class PemInMemory {
 public:
  // Errors: file_write_failed, where the system has no memfd or no /proc.
  static absl::StatusOr<std::unique_ptr<PemInMemory>> Create(std::string_view text);
  PemInMemory(const PemInMemory&) = delete;
  PemInMemory& operator=(const PemInMemory&) = delete;
  ~PemInMemory();

  const std::string& path() const { return path_; }
  // The old text stays when this fails.
  absl::Status Replace(std::string_view text);

 private:
  explicit PemInMemory(int descriptor);
  std::mutex mutex_;
  int version_ = 1;  // guarded by mutex_
  const int descriptor_;
  const std::string path_;
};

// What gRPC wants in such a file: the private key, then the chain, in PEM.
Secret KeyAndChain(const Identity& identity);

}  // namespace troth
