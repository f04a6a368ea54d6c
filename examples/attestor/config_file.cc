#include "examples/attestor/config_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/toml_internal.h"

namespace attestor {

namespace toml = troth::toml;

struct ConfigFile::Parsed {
  std::string path;
  toml::table table;
  std::vector<std::string> taken;
  absl::Status status;

  const toml::node* Take(std::string_view key) {
    taken.emplace_back(key);
    return table.get(key);
  }

  absl::Status ErrorAt(const toml::source_region& source, std::string_view what) const {
    return troth::MakeError(troth::Reason::kConfigurationInvalid,
                            troth::Printable(path, 400) + ":" + std::to_string(source.begin.line) +
                                ": " + std::string(what));
  }

  void Refuse(std::string_view key, const toml::node* node, std::string_view expected) {
    const std::string what = "\"" + std::string(key) + "\": expected " + std::string(expected);
    status.Update(node != nullptr ? ErrorAt(node->source(), what)
                                  : troth::MakeError(troth::Reason::kConfigurationInvalid,
                                                     troth::Printable(path, 400) + ": " + what +
                                                         ", got nothing; add the key"));
  }
};

ConfigFile::ConfigFile(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;
ConfigFile::~ConfigFile() = default;

absl::StatusOr<ConfigFile> ConfigFile::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = troth::ReadFile(path);
  if (!text.ok()) return text.status();
  auto parsed = std::make_unique<Parsed>();
  parsed->path = path;
  toml::parse_result result = toml::parse(*text, path);
  if (!result) {
    return parsed->ErrorAt(
        result.error().source(),
        "expected TOML, got this: " + troth::Printable(result.error().description(), 400));
  }
  parsed->table = std::move(result).table();
  return ConfigFile(std::move(parsed));
}

std::optional<std::string> ConfigFile::Text(std::string_view key) {
  const toml::node* const node = parsed_->Take(key);
  if (node == nullptr) return std::nullopt;
  std::optional<std::string> text = node->value_exact<std::string>();
  if (text.has_value() && !text->empty() && text->find('\0') == std::string::npos) return text;
  parsed_->Refuse(key, node, "a text in quotes that is not empty");
  return std::nullopt;
}

std::string ConfigFile::NeededText(std::string_view key) {
  if (!parsed_->table.contains(key)) Refuse(key, "a text in quotes");
  return Text(key).value_or("");
}

std::optional<std::int64_t> ConfigFile::Number(std::string_view key) {
  const toml::node* const node = parsed_->Take(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::int64_t> number = node->value_exact<std::int64_t>();
  if (!number.has_value()) parsed_->Refuse(key, node, "a whole number");
  return number;
}

std::optional<std::chrono::milliseconds> ConfigFile::Duration(std::string_view key) {
  const std::optional<std::string> text = Text(key);
  if (!text.has_value()) return std::nullopt;
  std::string_view number = *text;
  const bool milliseconds = number.ends_with("ms");
  if (milliseconds) number.remove_suffix(2);
  // Without a unit ParseDuration reads seconds.
  const std::optional<troth::Seconds> read = troth::ParseDuration(number);
  const bool bare =
      !number.empty() && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  if (!read.has_value() || read->count() == 0 || (milliseconds && !bare)) {
    parsed_->Refuse(key, parsed_->table.get(key), "a time such as \"500ms\", \"5s\" or \"2m\"");
    return std::nullopt;
  }
  return milliseconds ? std::chrono::milliseconds(read->count()) : std::chrono::milliseconds(*read);
}

std::map<std::string, std::string> ConfigFile::NeededTable(std::string_view key) {
  const toml::node* const node = parsed_->Take(key);
  const toml::table* const table = node == nullptr ? nullptr : node->as_table();
  std::map<std::string, std::string> out;
  if (table == nullptr || table->empty()) {
    parsed_->Refuse(key, node, "a table with at least one entry");
    return out;
  }
  for (const auto& [name, value] : *table) {
    std::optional<std::string> text = value.value_exact<std::string>();
    if (!text.has_value() || text->empty()) {
      parsed_->Refuse(key, &value, "a text in quotes for " + troth::Printable(name.str()));
      continue;
    }
    out.emplace(name.str(), *std::move(text));
  }
  return out;
}

void ConfigFile::Refuse(std::string_view key, std::string_view expected) {
  parsed_->Refuse(key, parsed_->table.get(key), expected);
}

absl::Status ConfigFile::Finish() {
  const std::vector<std::string_view> known(parsed_->taken.begin(), parsed_->taken.end());
  for (const auto& [key, node] : parsed_->table) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    // Before what is missing: it may be that, mistyped.
    return parsed_->ErrorAt(key.source(), "there is no key \"" + troth::Printable(key.str(), 64) +
                                              "\"" + troth::DidYouMean(key.str(), known));
  }
  return parsed_->status;
}

}  // namespace attestor
