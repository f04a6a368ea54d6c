// What a port speaks that does not speak TLS.
#pragma once

#include <string>
#include <string_view>

#include "troth/doctor/socket_internal.h"

namespace troth {

struct PlainProbe {
  enum class Speaks {
    kNothing,  // no answer that tells
    kHttp1,    // HTTP without TLS
    kHttp2,    // HTTP/2 without TLS, as gRPC speaks it
    kOther,    // see `name`
  };
  Speaks speaks = Speaks::kNothing;
  std::string name = {};   // "SSH", "SMTP"; empty when it is not known
  std::string bytes = {};  // how it begins
};

// What the first bytes of a peer tell.
PlainProbe RecogniseProtocol(std::string_view first_bytes);

// Connects without TLS and asks, first in HTTP/1.1, then in HTTP/2.
PlainProbe ProbePlain(const SocketAddress& address, std::string_view host, Deadline deadline);

}  // namespace troth
