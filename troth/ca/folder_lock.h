// One process at a time in a folder of certificates.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "troth/base/time.h"

namespace troth {

// An exclusive flock(2) on a folder itself: leaves no file behind, and goes with the process,
// however that ends. Held until the object dies. Keeps out other processes, and other FolderLocks
// of this one. Move-only.
class FolderLock {
 public:
  // Waits for at most `patience` while another process holds it. Errors: file_locked,
  // file_unreadable, file_not_found.
  static absl::StatusOr<FolderLock> Acquire(const std::string& folder,
                                            Seconds patience = Seconds(30));

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace troth
