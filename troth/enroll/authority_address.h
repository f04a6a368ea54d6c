// Where an authority is, as people write it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

// The address of an authority over HTTPS. Exists only when it is one.
class AuthorityAddress {
 public:
  // "ca.example.com", "ca.example.com:8443", "[2001:db8::1]:8443", "https://ca.example.com/path".
  // Errors: usage_error (http://, another scheme, user information, a query, white space, a host
  // or port that is none).
  static absl::StatusOr<AuthorityAddress> Parse(std::string_view text);

  // "https://ca.example.com:8443/path" + "/v1/certificates".
  std::string UrlOf(std::string_view path) const { return base_ + std::string(path); }
  // "ca.example.com:8443": what it is called in messages, and in the names of files, as Caramel's
  // clients do.
  const std::string& name() const { return name_; }
  // "ca.example.com".
  const std::string& host() const { return host_; }

 private:
  AuthorityAddress() = default;
  std::string base_, name_, host_;
};

}  // namespace troth
