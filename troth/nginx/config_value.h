// Values in nginx's configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace troth {

// `value` as one argument of a directive: as it is, or in quotes where nginx needs them. Refused,
// for nginx has no way to write them: '$' (a variable, wherever it stands), control characters,
// line ends, and an empty value. `what` names it in errors. Errors: usage_error.
absl::StatusOr<std::string> NginxValue(std::string_view value, std::string_view what);

// Where nginx reaches a service, as proxy_pass takes it, without a path: "http://127.0.0.1:80" or
// "http://unix:/run/a.sock".
struct NginxUpstream {
  std::string url;
  bool is_unix = false;
  bool is_loopback = false;  // a loopback address
};
// From "unix:/path", "HOST:PORT", "[IPV6]:PORT", each also after "http://". A path, a variable or
// https:// (nginx would not verify it) is refused; in the path of a socket, which nginx ends at ':'
// and takes no quotes in, are letters, digits and "/._-+@=,~". Errors: usage_error.
absl::StatusOr<NginxUpstream> ParseNginxUpstream(std::string_view text, std::string_view what);

// "443", "ADDR:443", "[IPV6]:443", "*:443" or "unix:/path" for `listen`. Errors: usage_error.
absl::StatusOr<std::string> NginxListen(std::string_view text);

// A name for `server_name`: "db.example", "*.db.example", an IP address, or "_". No regular
// expression. Errors: usage_error.
absl::StatusOr<std::string> NginxServerName(std::string_view text);

// The regular expression of the names by which clients ask for these in a handshake (SNI). Empty
// when one is "_" or an address, for whose sake clients send no name. For names that
// NginxServerName took.
std::string NginxSniPattern(const std::vector<std::string>& server_names);

}  // namespace troth
