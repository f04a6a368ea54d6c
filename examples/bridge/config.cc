#include "examples/bridge/config.h"

#include <toml++/toml.h>

#include "troth/base/file.h"
#include "troth/base/reason.h"

namespace bridge {

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  absl::StatusOr<troth::ServiceConfig> certificates = troth::ServiceConfig::Load(path);
  if (!certificates.ok()) return certificates.status();
  absl::StatusOr<std::string> text = troth::ReadFile(path);
  if (!text.ok()) return text.status();
  try {
    const toml::table table = toml::parse(*text, path);
    Config config;
    config.certificates = *std::move(certificates);
    config.listen = table["listen"].value_or(config.listen);
    config.policy = table["policy"].value_or(config.policy);
    config.operator_endpoint = table["operator"].value_or(std::string());
    config.verifier_endpoint = table["verifier"].value_or(std::string());
    if (const toml::array* crls = table["crls"].as_array()) {
      for (const toml::node& crl : *crls) config.crls.push_back(crl.value_or(std::string()));
    }
    return config;
  } catch (const toml::parse_error& error) {
    return troth::MakeError(troth::Reason::kConfigurationInvalid,
                            path + ":" + std::to_string(error.source().begin.line) + ": " +
                                std::string(error.description()));
  }
}

}  // namespace bridge
