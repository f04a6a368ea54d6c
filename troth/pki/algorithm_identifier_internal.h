// AlgorithmIdentifier (RFC 5280 section 4.1.1.2) of algorithms that Troth does not know.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace troth {

// Whether the DER of an AlgorithmIdentifier, its SEQUENCE header with it, is one, though what its
// OID and parameters mean is not known: an OID and at most one parameter, which is a SEQUENCE, an
// OID or NULL (no algorithm of keys or signatures has another). Errors: InvalidArgument without a
// reason, for the caller to add.
absl::Status CheckUnknownAlgorithm(std::string_view algorithm_identifier);

}  // namespace troth
