#include "troth/identity/service_config.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/toml_internal.h"

namespace troth {
namespace {

struct Key {
  std::string_view name;
  std::string_view variable;
  std::string ServiceConfig::*value;
};

constexpr std::array kKeys = {
    Key{"server_cert_path", "SERVER_CERT_PATH", &ServiceConfig::server_cert_path},
    Key{"server_key_path", "SERVER_KEY_PATH", &ServiceConfig::server_key_path},
    Key{"ca_cert_path", "CA_CERT_PATH", &ServiceConfig::ca_cert_path},
    Key{"client_cert_path", "CLIENT_CERT_PATH", &ServiceConfig::client_cert_path},
    Key{"client_key_path", "CLIENT_KEY_PATH", &ServiceConfig::client_key_path},
    Key{"aggregator_cert_path", "AGGREGATOR_CERT_PATH", &ServiceConfig::aggregator_cert_path},
    Key{"aggregator_key_path", "AGGREGATOR_KEY_PATH", &ServiceConfig::aggregator_key_path},
};

const Key* FindKey(std::string_view name) {
  const auto found = std::ranges::find(kKeys, name, &Key::name);
  return found == kKeys.end() ? nullptr : &*found;
}

std::string Quoted(std::string_view text) { return "'" + Printable(text, 400) + "'"; }

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// The key that `name` was probably meant to be: spelled in another convention (server-cert-path,
// serverCertPath), with the words written out (server_certificate_file), or mistyped.
const Key* GuessKey(std::string_view name) {
  constexpr size_t kLongest = 64;
  constexpr size_t kTypos = 2;
  if (name.size() > kLongest) return nullptr;
  std::string folded = ToLowerAscii(name);
  std::erase_if(folded, [](char c) { return c == '_' || c == '-' || c == '.'; });
  ReplaceAll(folded, "certificate", "cert");
  ReplaceAll(folded, "privatekey", "key");
  ReplaceAll(folded, "file", "path");
  std::array<std::string, kKeys.size()> names;
  std::array<std::string_view, kKeys.size()> views;
  for (size_t i = 0; i < kKeys.size(); ++i) {
    names[i] = kKeys[i].name;
    std::erase(names[i], '_');
    views[i] = names[i];
  }
  const std::optional<std::string_view> nearest = NearestWord(folded, views, kTypos);
  if (!nearest.has_value()) return nullptr;
  return &kKeys[static_cast<size_t>(std::ranges::find(views, *nearest) - views.begin())];
}

class TomlReader {
 public:
  TomlReader(std::string_view name, ServiceConfig& config) : name_(name), config_(config) {}

  absl::Status Read(std::string_view text) {
    const toml::parse_result parsed = toml::parse(text, name_);
    if (!parsed) {
      return Error(parsed.error().source(),
                   "expected TOML, got this: " + Printable(parsed.error().description(), 400));
    }
    for (const auto& [key, node] : parsed.table()) {
      if (const toml::table* table = node.as_table()) {
        WarnOfKeysIn(key.str(), *table);
        continue;
      }
      if (absl::Status status = ReadEntry(key, node); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  std::string Place(const toml::source_region& source) const {
    return Printable(name_, 400) + ":" + std::to_string(source.begin.line);
  }

  absl::Status Error(const toml::source_region& source, std::string_view what) const {
    return MakeError(Reason::kConfigurationInvalid, Place(source) + ": " + std::string(what));
  }

  absl::Status ReadEntry(const toml::key& key, const toml::node& node) {
    const Key* const known = FindKey(key.str());
    if (known == nullptr) {
      if (const Key* const meant = GuessKey(key.str())) {
        config_.warnings.push_back(Place(key.source()) + ": " + Quoted(key.str()) +
                                   " is not read; did you mean '" + std::string(meant->name) +
                                   "'?");
      }
      return absl::OkStatus();
    }
    const toml::value<std::string>* const value = node.as_string();
    if (value == nullptr) {
      return Error(node.source(), "expected a path in quotes for '" + std::string(known->name) +
                                      "', got another type of value");
    }
    if (value->get().find('\0') != std::string::npos) {
      return Error(node.source(),
                   "expected a path for '" + std::string(known->name) + "', got one with a NUL");
    }
    if (value->get().empty()) return absl::OkStatus();
    config_.*known->value = value->get();
    config_.origins[std::string(known->name)] = Place(node.source());
    return absl::OkStatus();
  }

  // A key after a [table] header belongs to the table: easily done, and hard to see.
  void WarnOfKeysIn(std::string_view table_name, const toml::table& table) {
    for (const auto& [key, node] : table) {
      if (FindKey(key.str()) == nullptr) continue;
      config_.warnings.push_back(Place(key.source()) + ": '" + std::string(key.str()) +
                                 "' is not read in table " + Quoted(table_name) +
                                 "; put it before the first [table] of the file");
    }
  }

  const std::string name_;
  ServiceConfig& config_;
};

void ReadEnvironment(const Environment& environment, ServiceConfig& config) {
  for (const Key& key : kKeys) {
    std::optional<std::string> value = environment(std::string(key.variable));
    if (!value.has_value() || value->empty()) continue;
    config.*key.value = *std::move(value);
    config.origins[std::string(key.name)] = key.variable;
  }
}

absl::Status CheckPresent(const ServiceConfig& config,
                          std::initializer_list<std::string ServiceConfig::*> needed) {
  std::vector<std::string> missing;
  for (const auto member : needed) {
    if (!(config.*member).empty()) continue;
    const Key& key = *std::ranges::find(kKeys, member, &Key::value);
    missing.push_back(std::string(key.name) + " (or the environment variable " +
                      std::string(key.variable) + ")");
  }
  if (missing.empty()) return absl::OkStatus();
  std::string message = "missing: " + Join(missing, ", ") + "; set it to the path of a PEM file";
  if (!config.warnings.empty()) message += "; " + Join(config.warnings, "; ");
  return MakeError(Reason::kConfigurationInvalid, message);
}

absl::StatusOr<FileIdentityOptions> OptionsOf(const ServiceConfig& config,
                                              std::string ServiceConfig::*certificate,
                                              std::string ServiceConfig::*private_key) {
  absl::Status present =
      CheckPresent(config, {certificate, private_key, &ServiceConfig::ca_cert_path});
  if (!present.ok()) return present;
  return FileIdentityOptions{.certificate = config.*certificate,
                             .private_key = config.*private_key,
                             .trust_bundle = config.ca_cert_path};
}

}  // namespace

std::optional<std::string> SystemEnvironment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

absl::StatusOr<ServiceConfig> ServiceConfig::Load(const std::string& path,
                                                  const Environment& environment) {
  std::string text;
  if (!path.empty()) {
    absl::StatusOr<std::string> read = ReadFile(path);
    if (!read.ok()) return read.status();
    text = *std::move(read);
  }
  absl::StatusOr<ServiceConfig> config = FromToml(text, path, environment);
  if (!config.ok()) return config.status();
  for (const std::string& warning : config->warnings) {
    Log(LogLevel::kWarning, "configuration has a key that is not read", {{"warning", warning}});
  }
  return config;
}

absl::StatusOr<ServiceConfig> ServiceConfig::FromToml(std::string_view text, std::string_view name,
                                                      const Environment& environment) {
  ServiceConfig config;
  if (absl::Status status = TomlReader(name, config).Read(text); !status.ok()) return status;
  ReadEnvironment(environment, config);
  return config;
}

absl::StatusOr<FileIdentityOptions> ServiceConfig::ServerIdentity() const {
  return OptionsOf(*this, &ServiceConfig::server_cert_path, &ServiceConfig::server_key_path);
}

absl::StatusOr<FileIdentityOptions> ServiceConfig::ClientIdentity() const {
  return OptionsOf(*this, &ServiceConfig::client_cert_path, &ServiceConfig::client_key_path);
}

absl::StatusOr<FileIdentityOptions> ServiceConfig::AggregatorIdentity() const {
  return OptionsOf(*this, &ServiceConfig::aggregator_cert_path,
                   &ServiceConfig::aggregator_key_path);
}

absl::StatusOr<FileIdentityOptions> ServiceConfig::TrustOnly() const {
  absl::Status present = CheckPresent(*this, {&ServiceConfig::ca_cert_path});
  if (!present.ok()) return present;
  return FileIdentityOptions{.trust_bundle = ca_cert_path};
}

}  // namespace troth
