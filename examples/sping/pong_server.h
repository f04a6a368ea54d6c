// The server of secure ping.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/authz/client_certificate.h"
#include "troth/authz/guard.h"
#include "troth/identity/identity_source.h"

namespace troth::sping {

// Everybody whom TLS verified may ping; for servers without a policy of their own.
inline constexpr std::string_view kAuthenticatedMayPing =
    "[[rules]]\nmethods = [\"/echo.SecurePing/*\"]\nallow = [\"authenticated\"]\n";
// Everybody may ping, for TLS without client certificates.
inline constexpr std::string_view kAnyoneMayPing =
    "[[rules]]\nmethods = [\"/echo.SecurePing/*\"]\nallow = [\"anyone\"]\n";

struct PongOptions {
  std::string address = "127.0.0.1:0";
  // Both, or neither: without them the server speaks plain HTTP/2 and answers everybody.
  std::shared_ptr<IdentitySource> identity;
  std::shared_ptr<Guard> guard;
  ClientCertificate client_certificate = ClientCertificate::kRequire;
  bool verify_at_first_call = false;  // see troth::Verification
  // In the place of all that: to measure the same server with other credentials (bench/).
  std::shared_ptr<grpc::ServerCredentials> credentials;
};

// Answers pings: as lean as stock gRPC allows. One thread does the network and the work (Run); the
// slots for calls, with the messages in them, are made once and used again.
class PongServer {
 public:
  // Listens. Errors: connection_failed (the address is taken or not ours), and why the identity
  // cannot serve.
  static absl::StatusOr<std::unique_ptr<PongServer>> Start(const PongOptions& options);
  virtual ~PongServer() = default;  // after Run has returned

  virtual int port() const = 0;
  // Answers until Stop. Call once.
  virtual void Run() = 0;
  // Lets calls that have begun end, takes no new ones, and makes Run return. From any thread, also
  // before Run; more than once.
  virtual void Stop() = 0;
};

}  // namespace troth::sping
