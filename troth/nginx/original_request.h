// The request that nginx asks about, as a policy names it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace troth {

// "GET /packets/5" of `verb` and the raw request-target (nginx's $request_uri). The path is in the
// one spelling of ParseRequestTarget, and escapes of "!$&'()*+,=:@" are undone too, so that rules
// match it however it was escaped; the query does
// not count. nginx hands the raw target to the upstream, whose reading of it nobody here knows.
// Refused is therefore whatever two programs may read as two paths, beyond what ParseRequestTarget
// refuses: an empty segment ("//", which some merge), parameters (";" and "%3B", which some
// cut off with what follows), an escaped escape ("%252F", which some undo twice), and a target that
// is not a path. Errors: http_malformed.
absl::StatusOr<std::string> NameOriginalRequest(std::string_view verb, std::string_view target);

}  // namespace troth
