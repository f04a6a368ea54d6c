// For tests: what a server of TLS might send, byte by byte.
#pragma once

#include <string>
#include <string_view>

namespace troth::testing {

// The beginning of a TLS 1.2 handshake whose certificate is none, so that clients send the alert
// bad_certificate; it asks for no certificate of the client. RFC 5246
// sections 6.2.1, 7.4.1.3, 7.4.2.
inline std::string FlightWithSpoiltCertificate() {
  const auto sized = [](std::string_view bytes) {
    std::string text("\0\0\0", 3);
    text[1] = static_cast<char>(bytes.size() >> 8);
    text[2] = static_cast<char>(bytes.size() & 0xff);
    return text.append(bytes);
  };
  const auto record = [&](std::string_view message) {
    return "\x16\x03\x03" + sized(message).substr(1);
  };
  const std::string random(32, 'r');
  // No session; ECDHE-RSA-AES128-GCM-SHA256; no compression.
  const std::string hello = "\x03\x03" + random + std::string("\0\xc0\x2f\0", 4);
  return record("\x02" + sized(hello)) + record("\x0b" + sized(sized(sized("no certificate"))));
}

}  // namespace troth::testing
