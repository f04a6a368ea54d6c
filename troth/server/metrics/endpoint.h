// What machines ask about the authority, and what everyone may fetch:
//   GET /healthz    200 when the store takes writes and the issuer is valid, else 503 with why
//   GET /metrics    Prometheus text
//   GET /crl        the newest issuer's list in DER; /crl/{number} each issuer's, 0 the root's
//   GET /issuer/{number}   the issuer's certificate in DER (authority information access)
//   GET /v1/trust   JSON: the root, every issuer, and every list, in PEM
#pragma once

#include <functional>
#include <memory>

#include "troth/base/time.h"
#include "troth/ca/authority.h"
#include "troth/http/server.h"
#include "troth/server/endpoint.h"

namespace troth::metrics {

// `servers`: the statistics of the HTTP servers, for the page; may be empty.
std::shared_ptr<Endpoint> MakeEndpoint(Authority& authority,
                                       std::function<HttpServerStatistics()> servers = {},
                                       const Clock& clock = Clock::System());

}  // namespace troth::metrics
