#include "troth/authz/method_pattern.h"

#include <algorithm>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

bool IsVerb(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

absl::StatusOr<MethodPattern> MethodPattern::Parse(std::string_view text) {
  const auto error = [&](const std::string& what) {
    return MakeError(Reason::kPolicyInvalid, "method \"" + Printable(text) + "\": " + what);
  };
  if (text.empty()) {
    return MakeError(Reason::kPolicyInvalid,
                     "a method is empty, expected \"/package.Service/Method\"");
  }
  if (text.size() > kMaxPatternBytes) {
    return error("has " + std::to_string(text.size()) + " bytes, expected at most " +
                 std::to_string(kMaxPatternBytes));
  }
  if (text == "*") return MethodPattern(text);
  if (const size_t star = text.find('*'); star < text.size() - 1) {
    return error("\"*\" may only be the last character; name each service in a pattern of its own");
  }
  std::string_view path = text;
  if (!path.starts_with('/')) {
    const size_t space = path.find(' ');
    if (space == std::string_view::npos || !IsVerb(path.substr(0, space)) ||
        !path.substr(space + 1).starts_with('/')) {
      return error(
          "expected \"/package.Service/Method\" for gRPC, \"GET /path\" for HTTP, or \"*\"");
    }
    path.remove_prefix(space + 1);
  } else if (!path.ends_with('*')) {
    // Without these a rule would be read, match nothing for ever, and leave its author to wonder.
    const size_t second = path.find('/', 1);
    if (second == std::string_view::npos) {
      return error("names no method, expected \"" + Printable(text) + "/*\" for all of a service");
    }
    if (second == path.size() - 1) {
      return error("names no method, expected \"" + Printable(text) + "*\" for all of a service");
    }
  }
  const bool printable = std::ranges::all_of(
      path, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
  if (!printable) return error("holds a space or control character, which no method name has");
  return MethodPattern(text);
}

}  // namespace troth
