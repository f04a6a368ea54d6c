#include "troth/authz/crl_store.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

// The files of a folder that count, sorted.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.') || name.ends_with('~') || it->is_directory(ignored)) continue;
    files.push_back(JoinPath(folder, name));
  }
  if (error) {
    return MakeError(Reason::kFileUnreadable,
                     "cannot read folder '" + Printable(folder, 400) + "': " + error.message());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

CrlStore::CrlStore(std::vector<std::string> paths) : paths_(std::move(paths)) {}

void CrlStore::LoadFile(const std::string& path, File& file) {
  const std::optional<FileVersion> version = VersionOf(path);
  if (version.has_value() && version == file.version) return;
  file.version = version;
  const absl::StatusOr<std::string> bytes = ReadFile(path, 2 * kMaxCrlBytes);
  if (!bytes.ok()) {
    file.status = WithContext(bytes.status(), "revocation list");
    return;
  }
  auto lists = Crl::ListFromBytes(*bytes);
  file.status = lists.ok()
                    ? absl::OkStatus()
                    : WithContext(lists.status(), "revocation list '" + Printable(path, 400) + "'");
  if (lists.ok()) file.lists = *std::move(lists);
}

absl::Status CrlStore::Load() {
  std::set<std::string> present;
  std::vector<absl::Status> errors;
  for (const std::string& path : paths_) {
    std::error_code error;
    const auto known_folder = folders_.find(path);
    if (!std::filesystem::is_directory(path, error) && known_folder == folders_.end()) {
      present.insert(path);
      continue;
    }
    absl::StatusOr<std::vector<std::string>> files = FilesOf(path);
    if (files.ok()) {
      folders_[path] = *std::move(files);
    } else {
      errors.push_back(files.status());
    }
    present.insert(folders_[path].begin(), folders_[path].end());
  }
  for (auto file = files_.begin(); file != files_.end();) {
    if (present.contains(file->first)) {
      ++file;
      continue;
    }
    Log(LogLevel::kWarning, "revocation list withdrawn: its file is gone", {{"file", file->first}});
    file = files_.erase(file);
  }

  std::vector<Crl> all;
  std::set<std::string_view> seen;  // the same list may lie in several files
  for (const std::string& path : present) {
    File& file = files_[path];
    LoadFile(path, file);
    if (!file.status.ok()) errors.push_back(file.status);
    for (const Crl& crl : file.lists) {
      if (seen.insert(crl.der()).second) all.push_back(crl);
    }
  }
  if (!std::ranges::equal(all, *lists_, {}, &Crl::der, &Crl::der)) {
    lists_ = std::make_shared<const std::vector<Crl>>(std::move(all));
  }
  if (errors.empty()) return absl::OkStatus();
  if (errors.size() == 1) return errors.front();
  return WithContext(errors.front(), "1 of " + std::to_string(errors.size()) +
                                         " revocation files that are not in force");
}

}  // namespace troth
