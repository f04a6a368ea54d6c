// The bodies that the JSON front end takes: one flat object each.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/time.h"

namespace troth::json {

// No body is larger. A certificate request has at most 64 KiB, a third more in PEM.
inline constexpr size_t kMaxBodyBytes = size_t{32} << 10;
// No list in a body is longer.
inline constexpr size_t kMaxListLength = 1000;
// No lifetime is longer: a hundred years, so that sums of times stay far from their ends.
inline constexpr Seconds kMaxLifetime = std::chrono::hours(24 * 36525);

// One member that an object may have, and where its value goes. A text is one line of at least one
// character, but for `lines`; a length of time is a whole number of seconds, at least one.
struct Member {
  using Target = std::variant<std::string*, std::uint64_t*, bool*, std::optional<Seconds>*,
                              std::vector<std::string>*>;
  std::string_view name;
  Target target;
  bool required = false;
  bool lines = false;  // texts may have several lines: PEM
};

// Reads `body` (RFC 8259, UTF-8) in one pass, without building a tree. Targets of members that are
// not there stay as they are. An empty body is an object without members. Errors: body_too_large,
// json_malformed (no JSON, not an object, a member twice), parameter_invalid (an unknown member,
// with the nearest right one; a wrong type or value; one that is missing). Some targets may have
// been written then. Messages repeat names of members, never a value.
absl::Status ReadObject(std::string_view body, std::initializer_list<Member> members);

}  // namespace troth::json
