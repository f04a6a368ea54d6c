// Failed handshakes in words: what OpenSSL and gRPC print, read back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "troth/base/reason.h"

namespace troth {

struct HandshakeFailure {
  Reason reason = Reason::kHandshakeFailed;
  std::string message;  // what happened, in words, with what the other side said
  // TLS here did not accept the other side's certificate. A server that verifies at the first call
  // would have said why, and whose it was.
  bool not_verified = false;
};

// What OpenSSL's error, a line of gRPC's log, or the message of a call that failed with UNAVAILABLE
// says of a handshake or a connection; nothing when it says nothing. The texts are those of OpenSSL
// 3.0 and of gRPC 1.51 with it, and of TLS alerts (RFC 8446 section 6.2), which other releases keep
// as far as they are named here.
std::optional<HandshakeFailure> ExplainHandshake(std::string_view text);

}  // namespace troth
