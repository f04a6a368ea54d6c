#include "troth/authz/name_pattern.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

constexpr std::string_view kSpiffeScheme = "spiffe://";

bool PartsMatch(const std::vector<std::string_view>& patterns,
                const std::vector<std::string_view>& parts) {
  return std::ranges::equal(patterns, parts, GlobMatches);
}

bool SpiffeIdMatches(std::string_view pattern, std::string_view name) {
  std::vector<std::string_view> patterns = Split(pattern, '/');
  std::vector<std::string_view> parts = Split(name, '/');
  if (patterns.back() == "**") {
    patterns.pop_back();
    if (parts.size() <= patterns.size()) return false;
    parts.resize(patterns.size());
  }
  return PartsMatch(patterns, parts);
}

bool DnsMatches(std::string_view pattern, std::string_view name) {
  const std::string lower_pattern = ToLowerAscii(pattern);
  const std::string lower_name = ToLowerAscii(name);
  return PartsMatch(Split(lower_pattern, '.'), Split(lower_name, '.'));
}

bool EmailMatches(std::string_view pattern, std::string_view name) {
  const size_t pattern_at = pattern.rfind('@');
  const size_t name_at = name.rfind('@');
  if (pattern_at == std::string_view::npos || name_at == std::string_view::npos) return false;
  return GlobMatches(pattern.substr(0, pattern_at), name.substr(0, name_at)) &&
         GlobMatches(ToLowerAscii(pattern.substr(pattern_at)), ToLowerAscii(name.substr(name_at)));
}

std::string WithoutStars(std::string_view text) {
  std::string out(text);
  std::ranges::replace(out, '*', 'x');
  return out;
}

}  // namespace

absl::StatusOr<NamePattern> NamePattern::Parse(Kind kind, std::string_view text) {
  const auto error = [&](const std::string& what) {
    return MakeError(Reason::kPolicyInvalid, "\"" + Printable(text) + "\" " + what);
  };
  if (text.empty()) return error("is empty");
  if (text.size() > kMaxNamePatternBytes) {
    return error("has " + std::to_string(text.size()) + " bytes, expected at most " +
                 std::to_string(kMaxNamePatternBytes));
  }
  NamePattern pattern(kind, text);
  std::string_view stars = text;
  if (kind == Kind::kSpiffeId && stars.ends_with("/**")) stars.remove_suffix(1);
  if (stars.find("**") != std::string_view::npos) {
    return error(kind == Kind::kSpiffeId
                     ? "has \"**\" elsewhere than as its last segment"
                     : "has \"**\", expected \"*\", which stands for any run of characters");
  }
  switch (kind) {
    case Kind::kSpiffeId: {
      if (!text.starts_with(kSpiffeScheme)) {
        return error("is not a SPIFFE ID, expected \"spiffe://trust-domain/path\"");
      }
      std::string_view domain = text.substr(kSpiffeScheme.size());
      domain = domain.substr(0, domain.find('/'));
      if (domain.find('*') != std::string_view::npos) {
        return error("has \"*\" in its trust domain, which must be named in full");
      }
      if (const auto id = SpiffeId::Parse(WithoutStars(text)); !id.ok()) {
        return error("is not a SPIFFE ID: " + std::string(ToStd(id.status().message())));
      }
      break;
    }
    case Kind::kDns:
      if (!IsDnsName(WithoutStars(text), false)) {
        return error("is not a DNS name, expected letters, digits, hyphens, dots and \"*\"");
      }
      break;
    case Kind::kEmail: {
      const size_t at = text.rfind('@');
      if (at == std::string_view::npos || at == 0 || at == text.size() - 1) {
        return error("is not an email address, expected \"name@domain\"");
      }
      break;
    }
    case Kind::kIp: {
      absl::StatusOr<IpNetwork> network = IpNetwork::Parse(text);
      if (!network.ok()) {
        return MakeError(Reason::kPolicyInvalid, ToStd(network.status().message()));
      }
      pattern.network_ = *std::move(network);
      break;
    }
    case Kind::kText:
      break;
  }
  return pattern;
}

bool NamePattern::Matches(std::string_view name) const {
  switch (kind_) {
    case Kind::kSpiffeId:
      return SpiffeIdMatches(text_, name);
    case Kind::kDns:
      return DnsMatches(text_, name);
    case Kind::kEmail:
      return EmailMatches(text_, name);
    case Kind::kIp:
      return network_.has_value() && network_->Holds(name);
    case Kind::kText:
      return GlobMatches(text_, name);
  }
  return false;
}

}  // namespace troth
