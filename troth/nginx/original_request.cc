#include "troth/nginx/original_request.h"

#include <cctype>
#include <optional>

#include "troth/base/encoding.h"
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

// What may stand in a path with and without an escape (RFC 3986 section 3.3), but ';'.
constexpr std::string_view kBare = "!$&'()*+,=:@";

// `path` is as ParseRequestTarget spells it: escapes are whole, their digits in upper case.
std::string WithBareCharacters(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (size_t at = 0; at < path.size(); ++at) {
    const auto byte =
        path[at] == '%' ? FromHex(path.substr(at + 1, 2)) : std::optional<std::string>();
    if (byte.has_value() && kBare.find(byte->front()) != std::string_view::npos) {
      out += *byte;
      at += 2;
    } else {
      out += path[at];
    }
  }
  return out;
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
  if (path.find(';') != std::string::npos || path.find("%3B") != std::string::npos) {
    return Refuse(target, "has parameters (\";\"), which some services cut off");
  }
  return std::string(verb) + " " + WithBareCharacters(path);
}

}  // namespace troth
