// The flags that `troth ping` and `troth pong` share, and what they come to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/identity/identity_source.h"

namespace CLI {
class App;
}

namespace troth {

enum class PingMode { kInsecure, kTls, kMutual };
// "insecure", "TLS", "mutual TLS".
std::string_view DescribeMode(PingMode mode);

struct PingArguments {
  PingMode mode = PingMode::kMutual;
  int port = 3264;
  std::string certificate;
  std::string private_key;
  std::string passphrase_file;
  std::string trust_bundle;
  std::vector<std::string> crls;
  // In place of the files: where to enrol, in memory, and for which names.
  std::string authority;
  std::string token_file;  // "-": standard input; empty: TROTH_TOKEN
  std::vector<std::string> names;
  bool quiet = false;
};

// Adds --mode, --port, the files, and --ca with --token-file; not what sets `names`.
void AddPingArguments(CLI::App& command, PingArguments& arguments);

enum class PingSide { kClient, kServer };
// The identity of one side; null in insecure mode. With an authority it is enrolled for `names`, of
// which there is one, and renews itself; Ctrl-C ends a wait for it. Errors: usage_error with the
// flag that is missing, or that the mode does not use; those of the files, and of
// EnrolledIdentitySource::Start.
absl::StatusOr<std::shared_ptr<IdentitySource>> LoadPingIdentity(const PingArguments& arguments,
                                                                 PingSide side);

}  // namespace troth
