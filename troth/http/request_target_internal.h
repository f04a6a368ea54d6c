// The request-target of a request line (RFC 9112 section 3.2).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

struct RequestTarget {
  // In one spelling, so that guard and handler mean the same resource by the same bytes: escapes of
  // unreserved characters are undone (RFC 3986 section 6.2.2.2), the others have upper-case digits.
  std::string path;
  std::string_view query;  // of `target`, without '?'
};

// Origin form, absolute form (its authority is dropped) and "*". What two readers could understand
// in different ways is refused: dot segments, escaped slashes, backslashes and control characters,
// malformed escapes, fragments, bytes outside ASCII. Errors: http_malformed.
absl::StatusOr<RequestTarget> ParseRequestTarget(std::string_view target);

}  // namespace troth
