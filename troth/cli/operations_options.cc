#include "troth/cli/operations_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_folder.h"
#include "troth/identity/identity_source.h"
#include "troth/server/native/remote_operations.h"

namespace troth {
namespace {

constexpr const char* kGroup = "Which authority";

void AddOptions(CLI::App& command, OperationsOptions& options) {
  command.add_option("--data", options.data, "one on this machine: its folder")
      ->type_name("DIR")
      ->group(kGroup)
      ->capture_default_str();
  command.add_option("--server", options.server, "one elsewhere: its --grpc-listen address")
      ->type_name("HOST:PORT")
      ->group(kGroup);
  command
      .add_option("--certificate", options.certificate,
                  "with --server: an admin's certificate, with its intermediates (PEM)")
      ->type_name("FILE")
      ->group(kGroup);
  command.add_option("--private-key", options.private_key, "with --server: its key (PEM)")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--passphrase-file", options.passphrase_file,
                  "with --server: holds the passphrase of an encrypted key")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--trust-bundle", options.trust_bundle,
                  "with --server: the authority's root (PEM)")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--server-name", options.server_name,
                  "with --server: the name to expect in the place of HOST")
      ->type_name("NAME")
      ->group(kGroup);
}

// "10.0.0.7:8444", "[::1]:8444".
bool HasPort(std::string_view server) {
  const size_t colon = server.rfind(':');
  return colon != std::string_view::npos && colon != 0 && colon + 1 != server.size() &&
         server.find_first_not_of("0123456789", colon + 1) == std::string_view::npos &&
         (server.find(':') == colon || server[colon - 1] == ']');
}

}  // namespace

absl::Status OperationsOptions::Check() const {
  const std::pair<const char*, const std::string*> kNeeded[] = {{"--certificate", &certificate},
                                                                {"--private-key", &private_key},
                                                                {"--trust-bundle", &trust_bundle}};
  if (!is_remote()) {
    for (const auto& [flag, value] : kNeeded) {
      if (value->empty()) continue;
      return MakeError(Reason::kUsageError,
                       std::string(flag) +
                           " is for an authority elsewhere; give its address with --server "
                           "HOST:PORT, or leave it out");
    }
    if (!server_name.empty() || !passphrase_file.empty()) {
      return MakeError(Reason::kUsageError,
                       "--server-name and --passphrase-file are for an authority elsewhere; give "
                       "its address with --server HOST:PORT, or leave them out");
    }
    return absl::OkStatus();
  }
  if (!HasPort(server)) {
    return MakeError(Reason::kUsageError,
                     "--server: expected HOST:PORT such as "
                     "ca.example.org:8444, got '" +
                         Printable(server) + "'");
  }
  for (const auto& [flag, value] : kNeeded) {
    if (!value->empty()) continue;
    return MakeError(Reason::kUsageError,
                     "--server needs " + std::string(flag) +
                         " FILE: an authority elsewhere is asked with an admin's certificate, "
                         "and is known by its root");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Operations>> ConnectToAuthority(const OperationsOptions& options,
                                                               const Session& session) {
  if (absl::Status status = options.Check(); !status.ok()) return status;
  if (session.connect) return session.connect(options);
  if (!options.is_remote()) {
    return native::ConnectLocally(AuthorityFolder(options.data).Socket());
  }
  auto identity = IdentitySource::WatchFiles({.certificate = options.certificate,
                                              .private_key = options.private_key,
                                              .trust_bundle = options.trust_bundle,
                                              .passphrase_file = options.passphrase_file});
  if (!identity.ok()) return identity.status();
  return native::ConnectRemotely(options.server, *std::move(identity), options.server_name);
}

void OperationsContext::OnChosen(
    CLI::App* command,
    std::function<int(const OperationsOptions&, const Session&)> function) const {
  AddOptions(*command, *where);
  command->callback([context = *this, function = std::move(function)] {
    context.session.run = [context, function] {
      if (const absl::Status status = context.where->Check(); !status.ok()) {
        return context.session.Fail(status);
      }
      return function(*context.where, context.session);
    };
  });
}

void OperationsContext::OnChosen(CLI::App* command,
                                 std::function<int(Operations&, const Session&)> function) const {
  OnChosen(command, [function = std::move(function)](const OperationsOptions& where,
                                                     const Session& session) {
    const auto operations = ConnectToAuthority(where, session);
    if (!operations.ok()) return session.Fail(operations.status());
    return function(**operations, session);
  });
}

}  // namespace troth
