// The other end of a connection, as its leaf certificate states it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "troth/pki/certificate.h"

namespace troth {

struct Peer {
  // Nothing when the peer showed no certificate.
  std::optional<Certificate> certificate;
  // Its chain was validated against the trust bundle, for the generation that let this call pass.
  bool verified = false;
  // "ipv4:127.0.0.1:5800"; empty where the transport does not tell.
  std::string address;

  // For logs: SPIFFE ID, else first DNS name, else subject, else "anonymous". Never empty.
  std::string Describe() const;
};

}  // namespace troth
