#include "troth/doctor/endpoint.h"

#include <charconv>
#include <optional>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return MakeError(Reason::kUsageError,
                     "expected HOST:PORT, got \"" + Printable(text) + "\": " + std::string(what));
  };
  if (text.find("://") != std::string_view::npos || text.find('/') != std::string_view::npos) {
    return wrong("leave out what is not host and port");
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return wrong("the host is missing");
  if (!bracketed && host.find(':') != std::string_view::npos) {
    return wrong("an IPv6 address is written in brackets, as in [::1]:443");
  }
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535) {
    return wrong("the port is no number from 1 to 65535");
  }
  if (bracketed && !ParseIpAddress(host).has_value()) return wrong("this is no IPv6 address");
  std::string_view name = host;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (!ParseIpAddress(host).has_value() && !IsDnsName(name, /*allow_wildcard=*/false)) {
    return wrong("the host is neither a DNS name nor an IP address");
  }
  return Endpoint{.host = std::string(name), .port = static_cast<std::uint16_t>(port)};
}

std::string Endpoint::ToString() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

AlternativeName Endpoint::Name() const {
  if (std::optional<std::string> address = ParseIpAddress(host)) {
    return {.kind = AlternativeName::Kind::kIp, .value = *std::move(address)};
  }
  return {.kind = AlternativeName::Kind::kDns, .value = host};
}

}  // namespace troth
