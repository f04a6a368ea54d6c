#include <algorithm>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"

namespace troth {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kMaxTrustDomainBytes = 255;
constexpr size_t kMaxIdBytes = 2048;

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsTrustDomainCharacter(char c) {
  return IsLowerOrDigit(c) || c == '-' || c == '.' || c == '_';
}

bool IsPathCharacter(char c) { return IsTrustDomainCharacter(c) || (c >= 'A' && c <= 'Z'); }

// The rule that `id` breaks, or empty.
std::string_view BrokenRule(std::string_view id) {
  if (!id.starts_with(kScheme)) return "it does not begin with spiffe:// in lower case";
  if (id.size() > kMaxIdBytes) return "it is longer than 2048 bytes";
  id.remove_prefix(kScheme.size());
  const size_t slash = std::min(id.find('/'), id.size());
  const std::string_view trust_domain = id.substr(0, slash);
  std::string_view path = id.substr(slash);
  if (trust_domain.empty()) return "the trust domain is empty";
  if (trust_domain.size() > kMaxTrustDomainBytes) {
    return "the trust domain is longer than 255 bytes";
  }
  if (!std::ranges::all_of(trust_domain, IsTrustDomainCharacter)) {
    return "the trust domain may have only lower-case letters, digits, dots, dashes and "
           "underscores (no user, port, query or percent sign)";
  }
  if (path.empty()) return "";
  path.remove_prefix(1);
  for (const std::string_view segment : Split(path, '/')) {
    if (segment.empty()) return "a path segment is empty (a slash too many?)";
    if (segment == "." || segment == "..") return "a path segment is . or ..";
    if (!std::ranges::all_of(segment, IsPathCharacter)) {
      return "a path segment may have only letters, digits, dots, dashes and underscores (no "
             "query, fragment or percent sign)";
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<SpiffeId> SpiffeId::Parse(std::string_view text) {
  const std::string_view broken = BrokenRule(text);
  if (!broken.empty()) {
    return MakeError(Reason::kRequestMalformed,
                     "SPIFFE ID " + Printable(text) + ": " + std::string(broken));
  }
  return SpiffeId(std::string(text));
}

std::string_view SpiffeId::trust_domain() const {
  const std::string_view rest = std::string_view(text_).substr(kScheme.size());
  return rest.substr(0, rest.find('/'));
}

std::string_view SpiffeId::path() const {
  const std::string_view rest = std::string_view(text_).substr(kScheme.size());
  return rest.substr(std::min(rest.find('/'), rest.size()));
}

}  // namespace troth
