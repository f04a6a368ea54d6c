// authority.toml: what was decided once, when the authority was made.
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/toml_internal.h"
#include "troth/ca/authority_folder.h"

namespace troth {
namespace {

constexpr mode_t kSettingsMode = 0600;

constexpr std::string_view kOneTier = "one_tier";
constexpr std::string_view kTrustDomain = "trust_domain";
constexpr std::string_view kDnsNames = "dns_names";
constexpr std::string_view kPublicUrl = "public_url";

// A TOML basic string (TOML 1.0): quotes, backslashes and control characters are escaped.
std::string QuotedToml(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      quoted += "\\u00";
      quoted += kDigits[byte >> 4];
      quoted += kDigits[byte & 0xf];
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

class SettingsReader {
 public:
  explicit SettingsReader(const std::string& path) : path_(path) {}

  absl::StatusOr<AuthoritySettings> Read(std::string_view text) {
    const toml::parse_result parsed = toml::parse(text, path_);
    if (!parsed) {
      return Error(parsed.error().source(),
                   "expected TOML, got this: " + Printable(parsed.error().description(), 400));
    }
    for (const auto& [key, node] : parsed.table()) {
      if (absl::Status status = ReadEntry(key, node); !status.ok()) return status;
    }
    return std::move(settings_);
  }

 private:
  absl::Status Error(const toml::source_region& source, std::string_view what) const {
    return MakeError(
        Reason::kConfigurationInvalid,
        Printable(path_, 400) + ":" + std::to_string(source.begin.line) + ": " + std::string(what));
  }

  absl::Status ReadText(std::string_view key, const toml::node& node, std::string& out) const {
    const toml::value<std::string>* const value = node.as_string();
    if (value == nullptr) {
      return Error(node.source(), "expected a text in quotes for '" + std::string(key) + "'");
    }
    out = value->get();
    return absl::OkStatus();
  }

  absl::Status ReadEntry(const toml::key& key, const toml::node& node) {
    const std::string_view name = key.str();
    if (name == kTrustDomain) return ReadText(name, node, settings_.trust_domain);
    if (name == kPublicUrl) return ReadText(name, node, settings_.public_url);
    if (name == kOneTier) {
      const toml::value<bool>* const value = node.as_boolean();
      if (value == nullptr) return Error(node.source(), "expected true or false for 'one_tier'");
      settings_.one_tier = value->get();
      return absl::OkStatus();
    }
    if (name == kDnsNames) {
      const toml::array* const names = node.as_array();
      if (names == nullptr) return Error(node.source(), "expected a list for 'dns_names'");
      for (const toml::node& entry : *names) {
        if (absl::Status status = ReadText(name, entry, settings_.dns_names.emplace_back());
            !status.ok()) {
          return status;
        }
      }
      return absl::OkStatus();
    }
    return Error(key.source(), "'" + Printable(name) +
                                   "' is no setting; expected one_tier, trust_domain, dns_names or "
                                   "public_url");
  }

  const std::string& path_;
  AuthoritySettings settings_;
};

}  // namespace

absl::StatusOr<AuthoritySettings> ReadSettings(const AuthorityFolder& folder) {
  const std::string path = folder.Settings();
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  return SettingsReader(path).Read(*text);
}

absl::Status WriteSettings(const AuthorityFolder& folder, const AuthoritySettings& settings) {
  std::vector<std::string> names;
  for (const std::string& name : settings.dns_names) names.push_back(QuotedToml(name));
  std::string text =
      "# Written when this authority was made. trust_domain and one_tier cannot change; public_url "
      "holds for\n# certificates that are issued from the next start on.\n";
  text += std::string(kOneTier) + " = " + (settings.one_tier ? "true" : "false") + "\n";
  text += std::string(kTrustDomain) + " = " + QuotedToml(settings.trust_domain) + "\n";
  text += std::string(kDnsNames) + " = [" + Join(names, ", ") + "]\n";
  text += std::string(kPublicUrl) + " = " + QuotedToml(settings.public_url) + "\n";
  return WriteFile(folder.Settings(), text,
                   {.mode = kSettingsMode, .overwrite = Overwrite::kReplace});
}

}  // namespace troth
