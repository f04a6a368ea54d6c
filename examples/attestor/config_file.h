// A TOML file of keys with one value each, and tables of texts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"

namespace attestor {

// Each key is taken once, by its type; what is wrong is found by Finish, so that the code that
// takes them needs no checks. Paths are relative to the working directory.
class ConfigFile {
 public:
  // Errors: those of ReadFile; configuration_invalid, with file and line.
  static absl::StatusOr<ConfigFile> Load(const std::string& path);
  ConfigFile(ConfigFile&&) noexcept;
  ~ConfigFile();

  // One that is needed and not there, or empty, is an error.
  std::string NeededText(std::string_view key);
  std::optional<std::string> Text(std::string_view key);
  std::optional<std::int64_t> Number(std::string_view key);
  // "500ms", or what ParseDuration reads; more than nothing.
  std::optional<std::chrono::milliseconds> Duration(std::string_view key);
  // The texts of the table [key]; at least one is needed.
  std::map<std::string, std::string> NeededTable(std::string_view key);

  // An error about `key`, which Finish returns when it is the first.
  void Refuse(std::string_view key, std::string_view expected);
  // configuration_invalid when a key was wrong, or is there and was not taken: with the file, the
  // line, and the key that was probably meant.
  absl::Status Finish();

 private:
  struct Parsed;
  explicit ConfigFile(std::unique_ptr<Parsed> parsed);

  std::unique_ptr<Parsed> parsed_;
};

}  // namespace attestor
