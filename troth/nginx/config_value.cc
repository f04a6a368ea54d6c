#include "troth/nginx/config_value.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kUnix = "unix:";
constexpr size_t kLongestSocketPath = 107;  // unix(7)

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What means nothing to nginx's reader of configurations.
bool IsPlain(char c) {
  return IsAlphanumeric(c) || std::string_view("/._-+@=,~:").find(c) != std::string_view::npos;
}

absl::Status Expected(std::string_view what, std::string_view expected, std::string_view got) {
  return MakeError(Reason::kUsageError, std::string(what) + ": expected " + std::string(expected) +
                                            ", got \"" + Printable(got) + "\"");
}

bool IsSocketPath(std::string_view path) {
  return path.starts_with('/') && path.size() > 1 && path.size() <= kLongestSocketPath &&
         std::ranges::all_of(path, IsPlain) && path.find(':') == std::string_view::npos;
}

bool IsPort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && text.size() <= 5 && port > 0 &&
         port <= 65535;
}

struct HostAndPort {
  std::string_view host;  // with brackets around an IPv6 address
  std::string_view port;
};

std::optional<HostAndPort> SplitHostAndPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const HostAndPort out{text.substr(0, colon), text.substr(colon + 1)};
  if (!IsPort(out.port)) return std::nullopt;
  if (out.host.starts_with('[') && out.host.ends_with(']')) {
    const auto address = ParseIpAddress(out.host.substr(1, out.host.size() - 2));
    return address.has_value() && address->size() == 16 ? std::optional(out) : std::nullopt;
  }
  return out.host.find(':') == std::string_view::npos ? std::optional(out) : std::nullopt;
}

bool IsHost(std::string_view host) {
  return host.starts_with('[') || ParseIpAddress(host).has_value() || IsDnsName(host, false);
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && ParseIpAddress(host).has_value());
}

}  // namespace

absl::StatusOr<std::string> NginxValue(std::string_view value, std::string_view what) {
  if (value.empty()) return Expected(what, "a value", value);
  bool is_plain = true;
  std::string quoted = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      return Expected(what, "no line end and no other control character, which nginx cannot read",
                      value);
    }
    if (c == '$') {
      return Expected(what, "no '$', which nginx takes for a variable; rename it", value);
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
    is_plain = is_plain && IsPlain(c);
  }
  return is_plain ? std::string(value) : quoted + "\"";
}

absl::StatusOr<NginxUpstream> ParseNginxUpstream(std::string_view text, std::string_view what) {
  if (EqualsIgnoreCaseAscii(text.substr(0, 8), "https://")) {
    return Expected(what,
                    "a service that speaks plain HTTP on a Unix socket or a loopback address "
                    "(nginx does not verify an https:// one)",
                    text);
  }
  std::string_view where = text;
  if (where.starts_with(kHttp)) where.remove_prefix(kHttp.size());
  if (where.starts_with(kUnix)) {
    const std::string_view path = where.substr(kUnix.size());
    if (!IsSocketPath(path)) {
      return Expected(what,
                      "unix:/PATH of at most " + std::to_string(kLongestSocketPath) +
                          " letters, digits and /._-+@=,~",
                      text);
    }
    return NginxUpstream{
        .url = std::string(kHttp) + std::string(where), .is_unix = true, .is_loopback = false};
  }
  const auto split = SplitHostAndPort(where);
  if (!split.has_value() || !IsHost(split->host)) {
    return Expected(what, "unix:/PATH or HOST:PORT, without a path of URLs behind it", text);
  }
  return NginxUpstream{.url = std::string(kHttp) + std::string(where),
                       .is_unix = false,
                       .is_loopback = IsLoopback(split->host)};
}

absl::StatusOr<std::string> NginxListen(std::string_view text) {
  const auto split = SplitHostAndPort(text);
  const bool is_socket = text.starts_with(kUnix) && IsSocketPath(text.substr(kUnix.size()));
  const bool is_address =
      !text.starts_with(kUnix) && split.has_value() && (split->host == "*" || IsHost(split->host));
  if (is_socket || is_address || IsPort(text)) return std::string(text);
  return Expected("--listen", "PORT, ADDR:PORT, [IPV6]:PORT or unix:/PATH, such as 443", text);
}

absl::StatusOr<std::string> NginxServerName(std::string_view text) {
  const bool is_ipv6 = text.starts_with('[') && text.ends_with(']') && text.size() > 2 &&
                       ParseIpAddress(text.substr(1, text.size() - 2)).has_value();
  const auto ip = ParseIpAddress(text);
  if (text == "_" || is_ipv6 || (ip.has_value() && ip->size() == 4) || IsDnsName(text, true)) {
    return std::string(text);
  }
  return Expected("--server-name",
                  "a name such as db.example or *.db.example, or an IP address ([::1])", text);
}

std::string NginxSniPattern(const std::vector<std::string>& server_names) {
  std::string out;
  for (const std::string& name : server_names) {
    if (name == "_" || !IsDnsName(name, true) || ParseIpAddress(name).has_value()) return {};
    out += out.empty() ? "^(?:" : "|";
    for (const char c : name) out += c == '*' ? ".+" : c == '.' ? "\\." : std::string(1, c);
  }
  return out.empty() ? out : out + ")$";
}

}  // namespace troth
