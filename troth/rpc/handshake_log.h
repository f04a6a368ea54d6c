// Failed handshakes in Troth's log.
#pragma once

#include <functional>

#include "troth/base/handshake_text.h"

namespace troth {

struct HandshakeLogOptions {
  bool log = true;  // false: only on_failure is told
  // Called for each failed handshake that gRPC reports, from gRPC's thread; must not block, throw
  // or log.
  std::function<void(const HandshakeFailure&)> on_failure;
};

// Takes over gRPC's own log for the process: failed handshakes, of servers and of channels, are
// logged in words with their reason code, everything else that gRPC logs as a warning with
// source=grpc; ten a second of both at most, the rest is counted. For programs; a library leaves
// gRPC's log to its application. Calling it again replaces the options. Thread-safe.
//
// gRPC tells OpenSSL's reason or the other side's alert, not the address or the certificate, and
// drops a client that speaks TLS but no HTTP/2 (ALPN h2) without a word. A
// server that is to tell those verifies at the first call (Verification::kAtFirstCall). gRPC
// after 1.65 has no such hook, see grpc_compat.h.
void EnableHandshakeLog(HandshakeLogOptions options = {});

}  // namespace troth
