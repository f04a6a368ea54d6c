// An authority's operations over its native service.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/ca/operations.h"
#include "troth/identity/identity_source.h"

namespace troth::native {

// The local admin's socket. Errors: connection_failed (nobody listens: says how to start the
// authority), file_not_found, file_unreadable.
absl::StatusOr<std::unique_ptr<Operations>> ConnectLocally(const std::string& socket);

// "HOST:PORT" with an admin's certificate. `server_name`: expected in place of HOST.
absl::StatusOr<std::unique_ptr<Operations>> ConnectRemotely(
    const std::string& address, std::shared_ptr<IdentitySource> identity,
    const std::string& server_name);

}  // namespace troth::native
