// The configuration of a bridge service: the TOML keys and environment variables of the seed, and
// what this example adds.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/identity/service_config.h"

namespace bridge {

struct Config {
  troth::ServiceConfig certificates;  // server_cert_path and the others
  std::string listen = "127.0.0.1:0";
  std::string policy = "policy.toml";
  std::vector<std::string> crls;
  std::string operator_endpoint;  // aggregator only
  std::string verifier_endpoint;  // aggregator only
};

// Errors name the file and the key.
absl::StatusOr<Config> LoadConfig(const std::string& path);

}  // namespace bridge
