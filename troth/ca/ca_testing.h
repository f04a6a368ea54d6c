// What the tests of this folder, and of the commands on it, share.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "troth/base/file.h"
#include "troth/base/time.h"

namespace troth::ca_testing {

// A folder that goes with the object.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "troth-ca-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return JoinPath(path_, name); }

 private:
  std::string path_;
};

class FakeClock final : public Clock {
 public:
  Time Now() const override { return now; }
  Time now = *ParseTime("2026-11-21T02:29:09Z");
};

inline std::string Content(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path, size_t{64} << 20);
  EXPECT_TRUE(content.ok()) << content.status();
  return content.ok() ? *content : "";
}

inline mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

}  // namespace troth::ca_testing
