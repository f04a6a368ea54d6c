#include "troth/ca/name_rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/utf8.h"
#include "troth/pki/ip_network.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;

constexpr std::string_view kUuid = "uuid";
constexpr std::string_view kSpiffeScheme = "spiffe://";
constexpr std::string_view kReservedPath = "/troth";
constexpr std::string_view kAdminPath = "/troth/admin/";
constexpr size_t kMaxPatternBytes = 1024;
constexpr size_t kMaxCommonName = 64;  // characters: RFC 5280 appendix A.1, ub-common-name

absl::Status Malformed(const std::string& message) {
  return MakeError(Reason::kRequestMalformed, message);
}

std::string WithoutStars(std::string_view text) {
  std::string out(text);
  std::ranges::replace(out, '*', 'x');
  return out;
}

// "ab--": RFC 5890 section 2.3.1 keeps such labels for encodings, of which there is one.
bool IsReservedLabel(std::string_view label) {
  return label.size() >= 4 && label.substr(2, 2) == "--" &&
         !EqualsIgnoreCaseAscii(label.substr(0, 2), "xn");
}

bool IsLoopback(const AlternativeName& name) {
  if (name.kind == Kind::kDns) return EqualsIgnoreCaseAscii(name.value, "localhost");
  if (name.kind != Kind::kIp) return false;
  if (name.value.size() == 4) return name.value[0] == 127;
  return name.value == std::string(15, '\0') + '\1';
}

// ::ffff:10.0.0.1, which some programs take for 10.0.0.1 and others do not.
bool IsMappedIpV4(std::string_view address) {
  return address.size() == 16 && address.starts_with(std::string(10, '\0') + "\xff\xff");
}

// The whole label "*" of a name that is asked for stands for every label; only "*" in the pattern
// allows all of them.
bool LabelAllows(std::string_view pattern, std::string_view label) {
  return label == "*" ? pattern == "*" : GlobMatches(pattern, label);
}

// Empty, or what is wrong with a pattern of DNS names.
std::string_view DnsPatternProblem(std::string_view pattern) {
  if (pattern == "**") return "";
  if (pattern.starts_with("**.")) pattern.remove_prefix(3);
  if (pattern.find("**") != std::string_view::npos) {
    return "has \"**\" elsewhere than as its first label";
  }
  const size_t dot = pattern.rfind('.');
  if (dot != std::string_view::npos && pattern.find('*', dot) != std::string_view::npos) {
    return "has \"*\" in its last label, which must be named in full";
  }
  const std::string plain = WithoutStars(pattern);
  if (!IsDnsName(plain, false) || !AlternativeName::Parse("dns:" + plain).ok()) {
    return "is not a DNS name, expected letters, digits, hyphens, dots and \"*\"";
  }
  return "";
}

std::string_view SpiffePatternProblem(std::string_view pattern) {
  if (!pattern.starts_with(kSpiffeScheme)) {
    return "is not a SPIFFE ID, expected \"spiffe://trust-domain/path\"";
  }
  const std::string_view rest = pattern.substr(kSpiffeScheme.size());
  if (rest.substr(0, rest.find('/')).find('*') != std::string_view::npos) {
    return "has \"*\" in its trust domain, which must be named in full";
  }
  std::string_view stars = pattern;
  if (stars.ends_with("/**")) stars.remove_suffix(1);
  if (stars.find("**") != std::string_view::npos) {
    return "has \"**\" elsewhere than as its last segment";
  }
  const absl::StatusOr<SpiffeId> id = SpiffeId::Parse(WithoutStars(pattern));
  if (!id.ok()) return "is not a SPIFFE ID, expected \"spiffe://trust-domain/path\"";
  if (id->path().empty()) return "has no path, which the name of a service needs";
  return "";
}

std::string_view EmailPatternProblem(std::string_view pattern) {
  const size_t at = pattern.rfind('@');
  if (at == std::string_view::npos || pattern.find('*', at) != std::string_view::npos ||
      !AlternativeName::Parse("email:" + WithoutStars(pattern)).ok()) {
    return "is not an email address, expected \"*@example.org\" or \"name@example.org\"";
  }
  return "";
}

absl::Status PatternError(std::string_view key, std::string_view pattern, std::string_view what) {
  return MakeError(Reason::kConfigurationInvalid,
                   std::string(key) + " \"" + Printable(pattern) + "\" " + std::string(what));
}

// A character of UTF-8 that nobody sees, or that changes how its neighbours are shown.
bool IsInvisible(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || c >= 0xe0000;
}

std::optional<SpiffeId> SpiffeIdOf(const AlternativeName& name) {
  if (name.kind != Kind::kUri || !name.value.starts_with(kSpiffeScheme)) return std::nullopt;
  absl::StatusOr<SpiffeId> id = SpiffeId::Parse(name.value);
  if (!id.ok()) return std::nullopt;
  return *std::move(id);
}

bool IsOfTrustDomain(const SpiffeId& id, const ReservedNames& reserved) {
  return !reserved.trust_domain.empty() &&
         EqualsIgnoreCaseAscii(id.trust_domain(), reserved.trust_domain);
}

// Whether one of two DNS names, either of which may be a wildcard, stands for the other.
bool Overlap(std::string_view a, std::string_view b) {
  return EqualsIgnoreCaseAscii(a, b) || DnsNameMatches(a, b) || DnsNameMatches(b, a);
}

// As DistinguishedName::Matches compares, but that white space does not count at all.
bool IsSameText(std::string_view a, std::string_view b) {
  const auto folded = [](std::string_view text) {
    std::string out = ToLowerAscii(text);
    std::erase_if(out, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
    return out;
  };
  return folded(a) == folded(b);
}

std::string_view WithoutTrailingDots(std::string_view text) {
  while (text.ends_with('.')) text.remove_suffix(1);
  return text;
}

void Add(std::string& out, std::string_view kind, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (!out.empty()) out += ", ";
    out += std::string(kind) + " \"" + Printable(pattern) + "\"";
  }
}

}  // namespace

absl::Status CheckPatterns(const AllowedNames& allowed) {
  struct Row {
    std::string_view key;
    const std::vector<std::string>* patterns;
    std::string_view (*problem)(std::string_view);
  };
  const std::array rows = {
      Row{"dns", &allowed.dns, DnsPatternProblem},
      Row{"spiffe", &allowed.spiffe, SpiffePatternProblem},
      Row{"email", &allowed.email, EmailPatternProblem},
      Row{"ip", &allowed.ip, [](std::string_view) { return std::string_view(); }}};
  for (const Row& row : rows) {
    for (const std::string& pattern : *row.patterns) {
      if (pattern.size() > kMaxPatternBytes) {
        return PatternError(row.key, pattern, "is longer than 1024 bytes");
      }
      const std::string_view problem = row.problem(pattern);
      if (!problem.empty()) return PatternError(row.key, pattern, problem);
    }
  }
  for (const std::string& network : allowed.ip) {
    if (const absl::StatusOr<IpNetwork> read = IpNetwork::Parse(network); !read.ok()) {
      return MakeError(Reason::kConfigurationInvalid,
                       "ip " + std::string(ToStd(read.status().message())));
    }
  }
  if (allowed.common_name.size() > kMaxPatternBytes) {
    return PatternError("common_name", allowed.common_name, "is longer than 1024 bytes");
  }
  return absl::OkStatus();
}

bool IsUuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, kForm, [](char c, char form) {
    if (form == '-') return c == '-';
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

bool TextMatches(std::string_view pattern, std::string_view text) {
  return pattern == kUuid ? IsUuid(text) : GlobMatches(pattern, text);
}

bool DnsPatternAllows(std::string_view pattern, std::string_view name) {
  const std::string lower_pattern = ToLowerAscii(pattern);
  const std::string lower_name = ToLowerAscii(name);
  std::vector<std::string_view> patterns = Split(lower_pattern, '.');
  std::vector<std::string_view> labels = Split(lower_name, '.');
  if (patterns.front() == "**") {
    patterns.erase(patterns.begin());
    if (labels.size() <= patterns.size()) return false;
    labels.erase(labels.begin(), labels.end() - static_cast<std::ptrdiff_t>(patterns.size()));
  }
  return std::ranges::equal(patterns, labels, LabelAllows);
}

bool SpiffePatternAllows(std::string_view pattern, std::string_view id) {
  std::vector<std::string_view> patterns = Split(pattern, '/');
  std::vector<std::string_view> segments = Split(id, '/');
  if (patterns.back() == "**") {
    patterns.pop_back();
    if (segments.size() <= patterns.size()) return false;
    segments.resize(patterns.size());
  }
  return std::ranges::equal(patterns, segments, GlobMatches);
}

bool EmailPatternAllows(std::string_view pattern, std::string_view address) {
  const size_t pattern_at = pattern.rfind('@');
  const size_t at = address.rfind('@');
  return at != std::string_view::npos && pattern_at != std::string_view::npos &&
         GlobMatches(pattern.substr(0, pattern_at), address.substr(0, at)) &&
         EqualsIgnoreCaseAscii(pattern.substr(pattern_at), address.substr(at));
}

absl::Status CheckWellFormed(const AlternativeName& name) {
  switch (name.kind) {
    case Kind::kDns:
      if (name.value.ends_with('.')) {
        return Malformed("expected a DNS name without a dot at its end, got \"" +
                         Printable(name.value) + "\"");
      }
      if (absl::Status read = AlternativeName::Parse("dns:" + name.value).status(); !read.ok()) {
        return read;
      }
      if (std::ranges::any_of(Split(name.value, '.'), IsReservedLabel)) {
        return Malformed(
            "expected no label with hyphens at its third and fourth place but \"xn--\""
            ", got \"" +
            Printable(name.value) + "\"");
      }
      return absl::OkStatus();
    case Kind::kIp:
      if (name.value.size() != 4 && name.value.size() != 16) {
        return Malformed("expected an address of 4 or 16 bytes, got " +
                         std::to_string(name.value.size()));
      }
      if (IsMappedIpV4(name.value)) {
        return Malformed("expected " + FormatIpAddress(std::string_view(name.value).substr(12)) +
                         ", got it written as an IPv6 address, " + FormatIpAddress(name.value));
      }
      return absl::OkStatus();
    case Kind::kUri:
      if (absl::Status read = AlternativeName::Parse("uri:" + name.value).status(); !read.ok()) {
        return read;
      }
      if (const std::optional<SpiffeId> id = SpiffeIdOf(name);
          id.has_value() && id->path().empty()) {
        return Malformed("expected a SPIFFE ID with a path, which names a service, got \"" +
                         name.value + "\"");
      }
      return absl::OkStatus();
    case Kind::kEmail:
      return AlternativeName::Parse("email:" + name.value).status();
    case Kind::kDirectory:
    case Kind::kOther:
      break;
  }
  return Malformed("expected DNS names, IP addresses, URIs and email addresses, got " +
                   name.ToString());
}

absl::Status CheckCommonName(std::string_view text) {
  const auto error = [&](const std::string& what) {
    return Malformed("common name \"" + Printable(text) + "\": " + what);
  };
  if (text.empty() || TrimWhitespace(text).size() != text.size()) {
    return error("expected a text without white space at its ends");
  }
  const bool is_name = NameOfCommonName(text).has_value();
  if (!is_name && NameOfCommonName(WithoutTrailingDots(text)).has_value()) {
    return error("expected a DNS name without a dot at its end");
  }
  // OpenSSL and others take a common name for a host name, with "*" also within a label.
  if (!is_name && text.find('*') != std::string_view::npos) {
    return error("expected \"*\" only as the first label of a DNS name");
  }
  if (const std::optional<std::string> address = ParseIpAddress(text);
      !is_name && address.has_value()) {
    return CheckWellFormed({Kind::kIp, *address});
  }
  size_t characters = 0;
  for (size_t at = 0; at < text.size(); ++characters) {
    const std::optional<char32_t> c = NextUtf8(text, at);
    if (!c.has_value()) return error("expected UTF-8");
    if (IsInvisible(*c)) return error("expected no control or invisible character");
  }
  if (characters > kMaxCommonName) {
    return error("expected at most 64 characters, got " + std::to_string(characters));
  }
  return absl::OkStatus();
}

bool IsAllowed(const AlternativeName& name, const AllowedNames& allowed) {
  switch (name.kind) {
    case Kind::kDns:
      return allowed.any || std::ranges::any_of(allowed.dns, [&](const std::string& pattern) {
               return DnsPatternAllows(pattern, name.value);
             });
    case Kind::kIp:
      return allowed.any || std::ranges::any_of(allowed.ip, [&](const std::string& text) {
               const absl::StatusOr<IpNetwork> network = IpNetwork::Parse(text);
               return network.ok() && network->Holds(name.value);
             });
    case Kind::kUri:
      return allowed.any || std::ranges::any_of(allowed.spiffe, [&](const std::string& pattern) {
               return SpiffePatternAllows(pattern, name.value);
             });
    case Kind::kEmail:
      return allowed.any || std::ranges::any_of(allowed.email, [&](const std::string& pattern) {
               return EmailPatternAllows(pattern, name.value);
             });
    case Kind::kDirectory:
    case Kind::kOther:
      break;
  }
  return false;
}

bool IsAllowedCommonName(std::string_view text, const AllowedNames& allowed) {
  if (allowed.any) return true;
  if (!allowed.common_name.empty()) return TextMatches(allowed.common_name, text);
  const std::optional<AlternativeName> name = NameOfCommonName(text);
  return name.has_value() && IsAllowed(*name, allowed);
}

bool IsReserved(const AlternativeName& name, const ReservedNames& reserved) {
  if (const std::optional<SpiffeId> id = SpiffeIdOf(name)) {
    return IsOfTrustDomain(*id, reserved) &&
           (id->path() == kReservedPath ||
            id->path().starts_with(std::string(kReservedPath) + "/"));
  }
  return std::ranges::any_of(reserved.names, [&](const AlternativeName& own) {
    if (own.kind != name.kind || IsLoopback(own)) return false;
    return own.kind == Kind::kDns ? Overlap(own.value, name.value) : own.value == name.value;
  });
}

bool IsReservedCommonName(std::string_view text, const ReservedNames& reserved) {
  if (std::ranges::any_of(reserved.common_names,
                          [&](const std::string& own) { return IsSameText(own, text); })) {
    return true;
  }
  const std::optional<AlternativeName> name = NameOfCommonName(WithoutTrailingDots(text));
  return (name.has_value() && IsReserved(*name, reserved)) ||
         IsReserved({Kind::kUri, std::string(text)}, reserved);
}

bool IsAdminName(const AlternativeName& name, const ReservedNames& reserved) {
  const std::optional<SpiffeId> id = SpiffeIdOf(name);
  return id.has_value() && IsOfTrustDomain(*id, reserved) && id->path().starts_with(kAdminPath);
}

std::optional<AlternativeName> NameOfCommonName(std::string_view text) {
  AlternativeName name{Kind::kDns, ToLowerAscii(text)};
  if (std::optional<std::string> address = ParseIpAddress(text)) {
    name = {Kind::kIp, *std::move(address)};
  }
  if (!CheckWellFormed(name).ok()) return std::nullopt;
  return name;
}

std::string Describe(const AllowedNames& allowed) {
  if (allowed.any) return "any name but the authority's own";
  std::string out;
  Add(out, "dns", allowed.dns);
  Add(out, "ip", allowed.ip);
  Add(out, "spiffe", allowed.spiffe);
  Add(out, "email", allowed.email);
  if (!allowed.common_name.empty()) Add(out, "common_name", {allowed.common_name});
  return out.empty() ? "no name" : out;
}

}  // namespace troth
