// The certificates that a server sends.
#pragma once

#include <string>

#include "troth/base/time.h"
#include "troth/identity/identity.h"

namespace troth {

// The identity's chain in PEM, for TLS contexts that also hold its trust bundle (as those do that
// verify clients). Requires has_certificate().
//
// A leaf without intermediates is followed by the CA of the trust bundle that issued it, where
// there is one that verifies at `now`: OpenSSL looks for the rest of a chain that is a leaf alone
// in the context's CAs, checks the signature and sends what it finds. It would find that same CA,
// at every handshake anew, for 7% of the server's work at a connection (P-256). So clients get what
// they would get without it, and a root may be in it (RFC 8446 section 4.4.2); the price is the
// root's few hundred bytes in each full handshake, which OpenSSL charges too.
std::string ServedChainPem(const Identity& identity, Time now);

}  // namespace troth
