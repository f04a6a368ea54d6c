#include "troth/enroll/authority_address.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

constexpr std::string_view kScheme = "https://";

absl::Status Problem(std::string_view text, std::string_view what) {
  return MakeError(Reason::kUsageError,
                   "expected the authority as HOST, HOST:PORT or https://HOST:PORT, got \"" +
                       Printable(text) + "\": " + std::string(what));
}

bool IsPort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port <= 65535;
}

// What may stand in a path without being escaped, '%' for what is.
bool IsPathCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/%!$&'()*+,;=:@").find(c) != std::string_view::npos;
}

}  // namespace

absl::StatusOr<AuthorityAddress> AuthorityAddress::Parse(std::string_view text) {
  std::string_view rest = text;
  if (const size_t scheme_end = rest.find("://"); scheme_end != std::string_view::npos) {
    if (!EqualsIgnoreCaseAscii(rest.substr(0, scheme_end + 3), kScheme)) {
      return Problem(text, "keys and certificates travel over https only");
    }
    rest.remove_prefix(kScheme.size());
  }
  const size_t slash = rest.find('/');
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return Problem(text, "a user name and password have no place in it");
  }

  std::string_view host = authority;
  std::optional<std::string_view> port;
  bool good = false;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return Problem(text, "the bracket is not closed");
    host = authority.substr(1, end - 1);
    const std::string_view behind = authority.substr(end + 1);
    if (behind.starts_with(':')) {
      port = behind.substr(1);
    } else if (!behind.empty()) {
      return Problem(text, "expected a colon and a port behind the bracket");
    }
    good = ParseIpAddress(host).has_value() && host.find(':') != std::string_view::npos;
  } else {
    const size_t colon = authority.find(':');
    if (colon != std::string_view::npos) {
      host = authority.substr(0, colon);
      port = authority.substr(colon + 1);
    }
    good = IsDnsName(host, /*allow_wildcard=*/false) || ParseIpAddress(host).has_value();
  }
  if (!good) {
    return Problem(text, "the host is neither a DNS name nor an address (IPv6 ones in brackets)");
  }
  if (port.has_value() && !IsPort(*port)) return Problem(text, "the port is not one of 1 to 65535");
  if (!std::ranges::all_of(path, IsPathCharacter)) {
    return Problem(text, "expected a plain path, without query or fragment, behind the host");
  }
  while (path.ends_with('/')) path.remove_suffix(1);

  AuthorityAddress address;
  address.host_ = host;
  address.name_ = authority;
  address.base_ = std::string(kScheme) + std::string(authority) + std::string(path);
  return address;
}

}  // namespace troth
