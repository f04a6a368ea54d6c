#include "troth/authz/name_pattern.h"

#include <algorithm>
#include <charconv>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

constexpr std::string_view kSpiffeScheme = "spiffe://";

// "*" in `pattern` stands for any run of characters. On a mismatch only the last "*" needs to take
// more, so the work is bounded by the product of the lengths.
bool PartMatches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    // First: a name may hold the character "*" itself.
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool PartsMatch(const std::vector<std::string_view>& patterns,
                const std::vector<std::string_view>& parts) {
  return std::ranges::equal(patterns, parts, PartMatches);
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
  return PartMatches(pattern.substr(0, pattern_at), name.substr(0, name_at)) &&
         PartMatches(ToLowerAscii(pattern.substr(pattern_at)), ToLowerAscii(name.substr(name_at)));
}

bool NetworkHolds(std::string_view network, size_t bits, std::string_view address) {
  if (address.size() != network.size()) return false;
  const size_t whole = bits / 8;
  if (address.substr(0, whole) != network.substr(0, whole)) return false;
  if (bits % 8 == 0) return true;
  const unsigned mask = 0xffU << (8 - bits % 8) & 0xffU;
  return ((static_cast<unsigned char>(address[whole]) ^
           static_cast<unsigned char>(network[whole])) &
          mask) == 0;
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
      const size_t slash = text.find('/');
      const auto bytes = ParseIpAddress(text.substr(0, slash));
      if (!bytes.has_value()) {
        return error("is not an IP address, expected \"10.0.0.1\", \"::1\" or \"10.0.0.0/8\"");
      }
      pattern.network_ = *bytes;
      pattern.network_bits_ = bytes->size() * 8;
      if (slash == std::string_view::npos) break;
      const std::string_view digits = text.substr(slash + 1);
      size_t bits = 0;
      const auto [end, parse_error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), bits);
      if (parse_error != std::errc() || end != digits.data() + digits.size() ||
          bits > pattern.network_bits_) {
        return error("has no prefix length of 0 to " + std::to_string(pattern.network_bits_) +
                     " after \"/\"");
      }
      pattern.network_bits_ = bits;
      for (size_t bit = bits; bit < bytes->size() * 8; ++bit) {
        if (((*bytes)[bit / 8] >> (7 - bit % 8) & 1) != 0) {
          return error("has address bits after its first " + std::to_string(bits) +
                       ", expected zeros there");
        }
      }
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
      return NetworkHolds(network_, network_bits_, name);
    case Kind::kText:
      return PartMatches(text_, name);
  }
  return false;
}

}  // namespace troth
