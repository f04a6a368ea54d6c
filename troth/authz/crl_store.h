// The revocation lists that are in force, read from files and folders.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/file.h"
#include "troth/pki/crl.h"

namespace troth {

// Reads lists (PEM or DER) from files, and from every file of folders except those whose names
// begin with "." or end with "~". A file that becomes unreadable or malformed keeps its last good
// lists. A file that is gone from a folder is withdrawn; one that was named itself, and a folder
// that is gone, keep their last good lists, so that nothing is un-revoked by a slip. Not
// thread-safe.
class CrlStore {
 public:
  using Lists = std::shared_ptr<const std::vector<Crl>>;

  explicit CrlStore(std::vector<std::string> paths);

  // Reads what has changed since the last time. The error names the first file or folder that is
  // not in force as it is now, and how many others there are; the rest is in force all the same.
  absl::Status Load();
  // Every list in force, never null. The same pointer until something changes.
  const Lists& lists() const { return lists_; }
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  struct File {
    std::optional<FileVersion> version;  // that was read last
    std::vector<Crl> lists;              // the last good ones
    absl::Status status;                 // of the last reading
  };
  void LoadFile(const std::string& path, File& file);

  const std::vector<std::string> paths_;
  std::map<std::string, File> files_;
  std::map<std::string, std::vector<std::string>>
      folders_;  // the last known content of each folder
  Lists lists_ = std::make_shared<const std::vector<Crl>>();
};

}  // namespace troth
