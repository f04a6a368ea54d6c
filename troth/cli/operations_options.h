// Where the authority is that a command works with, and the way to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/operations.h"
#include "troth/cli/command.h"

namespace troth {

// The authority in a folder of this machine, or one elsewhere.
struct OperationsOptions {
  std::string data = "authority";  // --data
  std::string server = {};         // --server; empty: the one in `data`
  // Only with --server: who we are, and whom we trust.
  std::string certificate = {}, private_key = {}, passphrase_file = {}, trust_bundle = {};
  std::string server_name = {};

  bool is_remote() const { return !server.empty(); }
  // Errors: usage_error, with the flag that is missing, or that means nothing.
  absl::Status Check() const;
};

// Reaches it: over the socket in the folder, or with our certificate. Errors: usage_error, those of
// the files and of connecting; an authority elsewhere that does not answer is noticed by the first
// call.
absl::StatusOr<std::unique_ptr<Operations>> ConnectToAuthority(const OperationsOptions& options,
                                                               const Session& session);

// What the commands of one group, such as `troth requests`, share.
struct OperationsContext {
  explicit OperationsContext(Session& chosen) : session(chosen) {}

  // Adds the options to `command`, and makes it, when it is chosen, run `function` on the
  // authority.
  void OnChosen(CLI::App* command, std::function<int(Operations&, const Session&)> function) const;
  // The same for a command that may also look at the folder itself.
  void OnChosen(CLI::App* command,
                std::function<int(const OperationsOptions&, const Session&)> function) const;

  Session& session;
  std::shared_ptr<OperationsOptions> where = std::make_shared<OperationsOptions>();
};

}  // namespace troth
