// Where a server is reached: HOST:PORT, as people type it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/pki/name.h"

namespace troth {

struct Endpoint {
  std::string host;  // a DNS name or an IP address, without brackets
  std::uint16_t port = 0;

  // From "db.example.com:443", "10.0.0.7:443", "[::1]:443". Errors: usage_error, with what is
  // wrong.
  static absl::StatusOr<Endpoint> Parse(std::string_view text);
  // As Parse reads it.
  std::string ToString() const;
  // The name that a certificate has when it is for this host.
  AlternativeName Name() const;
};

}  // namespace troth
