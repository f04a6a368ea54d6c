// The files of a service's identities, as its TOML file and its environment name them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/identity/identity_source.h"

namespace troth {

// Gives the value of an environment variable, nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// That of the process. Not to be called while another thread changes it.
std::optional<std::string> SystemEnvironment(const std::string& name);

// Seven keys, all optional here, at the top level of a TOML file that may hold the service's other
// keys too:
//
//   server_cert_path = "core/certs/server/server.pem"       what the service shows to its callers
//   server_key_path = "core/certs/server/server.key"
//   ca_cert_path = "core/certs/ca/ca.pem"                   whom it trusts
//   client_cert_path = "core/certs/client/client.pem"       what its own client shows
//   client_key_path = "core/certs/client/client.key"
//   aggregator_cert_path = "core/certs/aggregator/aggregator.pem"   the aggregator's
//   aggregator_key_path = "core/certs/aggregator/aggregator.key"    only where it runs
//
// The environment variables SERVER_CERT_PATH ... outweigh the file. An empty value counts as none.
// A relative path is relative to the working directory of the process, wherever the file lies.
struct ServiceConfig {
  std::string server_cert_path, server_key_path;
  std::string ca_cert_path;
  std::string client_cert_path, client_key_path;
  std::string aggregator_cert_path, aggregator_key_path;

  // Where each value that is set came from: "server_cert_path" -> "bridge.toml:3" or
  // "SERVER_CERT_PATH".
  std::map<std::string, std::string> origins;
  // Keys that are not read but look as if they were meant to be, with file and line, mistyped or
  // inside of a table.
  std::vector<std::string> warnings;

  // Reads the file, unless `path` is empty, then the environment; puts warnings into the log.
  // Errors: those of ReadFile; configuration_invalid, with file and line, when it is not TOML or a
  // value is not a string.
  static absl::StatusOr<ServiceConfig> Load(const std::string& path,
                                            const Environment& environment = SystemEnvironment);
  // The same of a text; `name` stands for the file in messages.
  static absl::StatusOr<ServiceConfig> FromToml(std::string_view text, std::string_view name,
                                                const Environment& environment);

  // The options with which WatchFiles makes the identity of a role: its certificate and key, and
  // ca_cert_path as trust bundle. Errors: configuration_invalid, naming each key that is missing
  // and its environment variable.
  absl::StatusOr<FileIdentityOptions> ServerIdentity() const;
  absl::StatusOr<FileIdentityOptions> ClientIdentity() const;
  absl::StatusOr<FileIdentityOptions> AggregatorIdentity() const;
  // ca_cert_path alone: a client that shows no certificate.
  absl::StatusOr<FileIdentityOptions> TrustOnly() const;
};

}  // namespace troth
