// The native gRPC service (proto/troth/v1/authority.proto) over an authority.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/authz/guard.h"
#include "troth/ca/authority.h"
#include "troth/identity/identity_source.h"

namespace troth::native {

struct ServerOptions {
  // TLS with the guard on this address; empty: none. Client certificates are verified if given.
  std::string listen = {};
  std::shared_ptr<IdentitySource> identity = {};
  std::shared_ptr<Guard> guard = {};
  // The local admin's Unix socket (0600), where every call is the admin's; empty: none.
  std::string socket = {};
};

// The policy that the guard of a native server is given: `anyone` may enrol, submit and fetch,
// verified peers renew, and the admins of this trust domain everything. HTTP paths of the JSON
// front end are in it as well.
std::string PolicyText(const AuthoritySettings& settings);

class Server {
 public:
  // `authority` outlives it. Errors: connection_failed, usage_error,
  // certificate_missing (an identity that has none).
  static absl::StatusOr<std::unique_ptr<Server>> Start(Authority& authority, ServerOptions options);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;  // 0: no TLS listener
  virtual void Shutdown(std::chrono::milliseconds patience) = 0;
};

}  // namespace troth::native
