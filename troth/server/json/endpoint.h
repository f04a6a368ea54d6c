// The native service's calls for anyone with curl, under /v1/ (docs/http-api.md):
//   POST /v1/certificates           Bearer token, {"csr": PEM, "lifetime_seconds"?}: 201
//   POST /v1/certificates/renew     with the current client certificate, {"csr": PEM}: 201
//   GET  /v1/certificates[?name=&profile=&before=&limit=]    GET /v1/certificates/{serial}
//   POST /v1/certificates/{serial}/revoke                    {"reason"?: "keyCompromise"}
//   POST /v1/requests               {"csr": PEM, "profile"?}: 202 or 201   GET /v1/requests/{id}
//   GET  /v1/requests  POST /v1/requests/{id}/approve  POST /v1/requests/{id}/reject
//   POST /v1/tokens    GET /v1/tokens    POST /v1/tokens/{id}/revoke
//   GET  /v1/trust-bundle           PEM of the root, for anyone
#pragma once

#include <memory>

#include "troth/ca/authority.h"
#include "troth/server/endpoint.h"

namespace troth::json {

std::shared_ptr<Endpoint> MakeEndpoint(Authority& authority);

}  // namespace troth::json
