// Alternative names as people write them, and the matching of host names.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;

constexpr size_t kMaxDnsNameBytes = 253;
constexpr size_t kMaxLabelBytes = 63;
constexpr size_t kMaxUriBytes = 2048;
constexpr size_t kMaxLocalPartBytes = 64;  // RFC 5321 section 4.5.3.1.1

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelBytes && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](char c) {
           return IsLetter(c) || IsDigit(c) || c == '-' || c == '_';
         });
}

absl::Status NameError(std::string_view text, std::string_view problem) {
  return MakeError(Reason::kRequestMalformed,
                   "name " + Printable(text) + ": " + std::string(problem));
}

// RFC 3986, as far as it is needed to refuse what is no URI: a scheme, then allowed characters.
bool IsUri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  if (text.ends_with("://")) return false;
  const std::string_view scheme = text.substr(0, colon);
  return text.size() <= kMaxUriBytes && IsLetter(scheme[0]) &&
         std::ranges::all_of(scheme,
                             [](char c) {
                               return IsLetter(c) || IsDigit(c) || c == '+' || c == '-' || c == '.';
                             }) &&
         std::ranges::all_of(text, [](char c) {
           return c > 0x20 && c < 0x7f &&
                  std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
         });
}

bool IsEmail(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > kMaxLocalPartBytes) return false;
  const std::string_view local = text.substr(0, at);
  return IsDnsName(text.substr(at + 1), false) && std::ranges::all_of(local, [](char c) {
           return c > 0x20 && c < 0x7f &&
                  std::string_view("\"(),:;<>[\\]").find(c) == std::string_view::npos;
         });
}

// "10.0.0.256": meant to be an address, and nobody has a top-level domain of digits.
bool LooksLikeIpV4(std::string_view text) {
  const std::string_view last = Split(text, '.').back();
  return !last.empty() && std::ranges::all_of(last, IsDigit);
}

absl::StatusOr<AlternativeName> ParseAs(Kind kind, std::string_view text, std::string_view typed) {
  switch (kind) {
    case Kind::kIp: {
      std::optional<std::string> bytes = ParseIpAddress(text);
      if (!bytes.has_value()) {
        return NameError(typed, "expected an IP address such as 10.0.0.1 or ::1");
      }
      return AlternativeName{kind, *std::move(bytes)};
    }
    case Kind::kUri:
      if (!IsUri(text)) {
        return NameError(typed, "expected a URI such as spiffe://example.org/service");
      }
      if (EqualsIgnoreCaseAscii(text.substr(0, text.find(':')), "spiffe")) {
        const absl::StatusOr<SpiffeId> id = SpiffeId::Parse(text);
        if (!id.ok()) return id.status();
      }
      return AlternativeName{kind, std::string(text)};
    case Kind::kEmail:
      if (!IsEmail(text)) {
        return NameError(typed, "expected an email address such as a@example.org");
      }
      return AlternativeName{kind, std::string(text)};
    default:
      if (!IsDnsName(text, true)) {
        return NameError(
            typed,
            "expected a DNS name: labels of 1 to 63 letters, digits and hyphens, joined by "
            "dots, at most 253 in all, the first may be *");
      }
      if (LooksLikeIpV4(text)) return NameError(typed, "neither an IP address nor a DNS name");
      return AlternativeName{Kind::kDns, std::string(text)};
  }
}

struct Prefix {
  std::string_view text;
  Kind kind;
};
constexpr std::array kPrefixes = {Prefix{"dns:", Kind::kDns}, Prefix{"ip:", Kind::kIp},
                                  Prefix{"uri:", Kind::kUri}, Prefix{"email:", Kind::kEmail}};

}  // namespace

absl::StatusOr<AlternativeName> AlternativeName::Parse(std::string_view text) {
  for (const Prefix& prefix : kPrefixes) {
    if (EqualsIgnoreCaseAscii(text.substr(0, prefix.text.size()), prefix.text)) {
      return ParseAs(prefix.kind, text.substr(prefix.text.size()), text);
    }
  }
  if (ParseIpAddress(text).has_value()) return ParseAs(Kind::kIp, text, text);
  if (text.find("://") != std::string_view::npos) return ParseAs(Kind::kUri, text, text);
  if (text.find('@') != std::string_view::npos) return ParseAs(Kind::kEmail, text, text);
  return ParseAs(Kind::kDns, text, text);
}

std::string AlternativeName::ToString() const {
  switch (kind) {
    case Kind::kDns:
      return "DNS:" + ToPlainString();
    case Kind::kIp:
      return "IP:" + ToPlainString();
    case Kind::kUri:
      return "URI:" + ToPlainString();
    case Kind::kEmail:
      return "email:" + ToPlainString();
    case Kind::kDirectory:
      return "directory:" + ToPlainString();
    case Kind::kOther:
      break;
  }
  return "other:" + ToPlainString();
}

std::string AlternativeName::ToPlainString() const {
  switch (kind) {
    case Kind::kDns:
    case Kind::kUri:
    case Kind::kEmail:
      return Printable(value, kMaxUriBytes);
    case Kind::kIp:
      return FormatIpAddress(value);
    case Kind::kDirectory: {
      const absl::StatusOr<DistinguishedName> name = DistinguishedName::FromDer(value);
      return name.ok() ? name->ToString() : ToHex(value);
    }
    case Kind::kOther:
      break;
  }
  return ToHex(value);
}

bool IsDnsName(std::string_view name, bool allow_wildcard) {
  if (name.size() > kMaxDnsNameBytes) return false;
  if (allow_wildcard && name.starts_with("*.")) name.remove_prefix(2);
  while (true) {
    const size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::optional<std::string> ParseIpAddress(std::string_view text) {
  // inet_pton wants a terminated text, and would stop at a NUL.
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string terminated(text);
  std::array<char, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) {
    return std::string(bytes.data(), 4);
  }
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
    return std::string(bytes.data(), 16);
  }
  return std::nullopt;
}

std::string FormatIpAddress(std::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return ToHex(bytes);
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

bool DnsNameMatches(std::string_view pattern, std::string_view name) {
  if (!IsDnsName(pattern, true) || !IsDnsName(name, false)) return false;
  if (!pattern.starts_with("*.")) return EqualsIgnoreCaseAscii(pattern, name);
  const size_t dot = name.find('.');
  return dot != std::string_view::npos &&
         EqualsIgnoreCaseAscii(pattern.substr(1), name.substr(dot));
}

}  // namespace troth
