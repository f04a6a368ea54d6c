// Who sent a request, as nginx says it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/http/message.h"

namespace attestor {

// The DNS names of the client's certificate, in small letters, out of Troth-Client-Names, which the
// server block of `troth nginx-config` sets. To be believed only where nobody but nginx can reach
// the service. Errors: peer_not_authenticated when the field is not there exactly once, or is not
// what nginx writes.
absl::StatusOr<std::vector<std::string>> ClientDnsNames(const troth::HttpRequest& request);

}  // namespace attestor
