// The protocol of Caramel's clients, byte for byte (docs/caramel.md has the differences that are
// meant):
//   POST /{sha256hex of the body}   a PEM request: 202, 400, 411, 413
//   GET  /{sha256hex}               200 PEM, 202 pending, 304, 403 rejected, 404
//   GET  /root.crt  GET /bundle.crt
#pragma once

#include <memory>

#include "troth/ca/authority.h"
#include "troth/server/endpoint.h"

namespace troth::caramel {

struct EndpointOptions {
  size_t max_request_bytes = 2048;  // 413 beyond
};

// `authority` outlives it, and is one-tier.
std::shared_ptr<Endpoint> MakeEndpoint(Authority& authority, EndpointOptions options = {});

}  // namespace troth::caramel
