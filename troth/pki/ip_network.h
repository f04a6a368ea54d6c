// Networks of IP addresses: "10.0.0.0/8", "2001:db8::/32", or one address.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

class IpNetwork {
 public:
  // An address, or an address and a prefix length, with zeros after its prefix. Errors:
  // request_malformed, which quotes the text.
  static absl::StatusOr<IpNetwork> Parse(std::string_view text);

  // `address` as a certificate holds it: 4 or 16 bytes. An IPv4 address is in no IPv6 network.
  bool Holds(std::string_view address) const;

 private:
  IpNetwork(std::string address, size_t bits) : address_(std::move(address)), bits_(bits) {}
  std::string address_;
  size_t bits_;
};

}  // namespace troth
