// The request that an operator means.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "troth/ca/authority_context_internal.h"
#include "troth/ca/records.h"

namespace troth {

// By its id, the id's first 8 or more digits, or a name. Errors: request_unknown; request_ambiguous
// (lists those that fit), store_failed.
absl::StatusOr<RequestRecord> FindRequest(AuthorityContext& context, std::string_view which);

}  // namespace troth
