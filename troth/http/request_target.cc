#include <cctype>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/request_target_internal.h"

namespace troth {
namespace {

absl::Status Refuse(std::string_view target, std::string_view why) {
  return MakeError(Reason::kHttpMalformed,
                   "the request target \"" + Printable(target) + "\" " + std::string(why));
}

bool IsUnreserved(unsigned char c) {  // RFC 3986 section 2.3
  return (c < 0x80 && std::isalnum(c) != 0) || c == '-' || c == '.' || c == '_' || c == '~';
}

// The path of an absolute URL, and what is behind it; `target` itself in the origin form.
std::string_view WithoutAuthority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!EqualsIgnoreCaseAscii(target.substr(0, scheme.size()), scheme)) continue;
    const size_t end = target.find_first_of("/?#", scheme.size());
    return end == std::string_view::npos ? std::string_view() : target.substr(end);
  }
  return target;
}

// One character or triple at a time; an error says what is wrong with it.
absl::StatusOr<std::string> NormalPath(std::string_view target, std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    const auto c = static_cast<unsigned char>(path[i]);
    if (c <= 0x20 || c >= 0x7f || c == '\\') {
      return Refuse(target, "has a character that a path cannot have");
    }
    if (c != '%') {
      out += path[i];
      continue;
    }
    const auto byte =
        i + 2 < path.size() ? FromHex(path.substr(i + 1, 2)) : std::optional<std::string>();
    if (!byte.has_value() || byte->size() != 1) return Refuse(target, "has a malformed escape");
    const auto escaped = static_cast<unsigned char>(byte->front());
    if (escaped == '/' || escaped == '\\' || escaped < 0x20 || escaped == 0x7f) {
      return Refuse(target, "escapes a slash or a control character");
    }
    if (IsUnreserved(escaped)) {
      out += *byte;
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      out += {'%', kDigits[escaped >> 4], kDigits[escaped & 15]};
    }
    i += 2;
  }
  return out;
}

bool HasDotSegment(std::string_view path) {
  if (path.find("/.") == std::string_view::npos) return false;
  for (const std::string_view segment : Split(path, '/')) {
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<RequestTarget> ParseRequestTarget(std::string_view target) {
  if (target == "*") return RequestTarget{.path = "*", .query = {}};
  if (target.find('#') != std::string_view::npos) return Refuse(target, "has a fragment");
  const std::string_view rest = WithoutAuthority(target);
  const size_t question = rest.find('?');
  const std::string_view path = rest.substr(0, question);
  const bool is_origin_form = rest.data() == target.data() && rest.size() == target.size();
  if (!path.starts_with('/') && (is_origin_form || !path.empty())) {
    return Refuse(target, "does not begin with a slash");
  }
  RequestTarget out;
  if (question != std::string_view::npos) out.query = rest.substr(question + 1);
  absl::StatusOr<std::string> normal = NormalPath(target, path.empty() ? "/" : path);
  if (!normal.ok()) return normal.status();
  out.path = *std::move(normal);
  if (HasDotSegment(out.path)) return Refuse(target, "has a dot segment");
  return out;
}

}  // namespace troth
