#include "troth/nginx/original_request.h"

#include <algorithm>
#include <cctype>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/request_target_internal.h"

namespace troth {
namespace {

constexpr size_t kLongestVerb = 32;

bool IsVerb(std::string_view verb) {
  if (verb.empty() || verb.size() > kLongestVerb) return false;
  for (const char c : verb) {
    if ((c < 'A' || c > 'Z') && c != '-' && c != '_') return false;
  }
  return true;
}

absl::Status Refuse(std::string_view target, std::string_view why) {
  return MakeError(Reason::kHttpMalformed,
                   "the request target \"" + Printable(target) + "\" " + std::string(why));
}

bool IsHexDigit(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

bool EscapesAnEscape(std::string_view path) {
  for (size_t at = path.find("%25"); at != std::string_view::npos; at = path.find("%25", at + 3)) {
    if (at + 4 < path.size() && IsHexDigit(path[at + 3]) && IsHexDigit(path[at + 4])) return true;
  }
  return false;
}

// A ";" may also be escaped.
std::string_view WithoutParameters(std::string_view segment) {
  return segment.substr(0, std::min(segment.find(';'), segment.find("%3B")));
}

}  // namespace

absl::StatusOr<std::string> NameOriginalRequest(std::string_view verb, std::string_view target) {
  if (!IsVerb(verb)) {
    return MakeError(
        Reason::kHttpMalformed,
        "expected a method in capital letters such as GET, got \"" + Printable(verb, 40) + "\"");
  }
  if (!target.starts_with('/')) return Refuse(target, "does not begin with a slash");
  const absl::StatusOr<RequestTarget> parsed = ParseRequestTarget(target);
  if (!parsed.ok()) return parsed.status();
  const std::string& path = parsed->path;
  if (path.find("//") != std::string::npos) return Refuse(target, "has an empty segment");
  if (EscapesAnEscape(path)) return Refuse(target, "escapes an escape");
  for (const std::string_view segment : Split(path, '/')) {
    const std::string_view name = WithoutParameters(segment);
    if (name == "." || name == "..") return Refuse(target, "has a dot segment");
  }
  return std::string(verb) + " " + path;
}

}  // namespace troth
