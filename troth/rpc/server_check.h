// Whether a server is the one that a client expects.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/time.h"
#include "troth/identity/identity.h"
#include "troth/pki/crl.h"
#include "troth/rpc/credentials.h"

namespace troth {

// What a server showed in a handshake.
struct ShownCertificates {
  std::string_view leaf_pem;   // empty: none
  std::string_view chain_pem;  // what else it sent; may hold the leaf again
  std::string_view
      target;  // the host that the channel was made for, for ExpectedServer::Kind::kTarget
};

// OK when the server is the expected one. A pin: the leaf is one of the pinned certificates and is
// valid at `now`. Everything else: the chain leads to `trust` (RFC 5280, usage serverAuth, `crls`
// where they list) and the leaf has the expected name. Errors: certificate_missing,
// peer_not_pinned, name_mismatch and the reasons of ValidatePath.
absl::Status CheckServer(const ShownCertificates& shown, const ExpectedServer& expected,
                         const TrustBundle& trust, const std::vector<Crl>& crls, Time now);

}  // namespace troth
