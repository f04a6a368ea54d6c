// Lifetimes as people say them: "18 months", "1 year 2 days", "90d".
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "troth/base/time.h"

namespace troth {

// The moment that lies `text` after `now`. Reads sums of "N
// years|months|weeks|days|hours|minutes|seconds" (singular too), and what ParseDuration reads.
// Years and months are the calendar's: the day stays, or becomes the last of a shorter month.
// Errors: usage_error for anything else, for nothing at all, and for what lies beyond the year
// 9999.
absl::StatusOr<Time> TimeAfter(Time now, std::string_view text);

}  // namespace troth
