// GeneralName (RFC 5280 section 4.2.1.6) as certificates, lists and requests hold it.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/pki/der.h"
#include "troth/pki/name.h"

namespace troth {

// Where the names stand decides what an address may be, and whether a text may be empty.
enum class GeneralNameContext {
  kName,        // an IP address is 4 or 16 bytes, no text is empty
  kConstraint,  // RFC 5280 section 4.2.1.10: address and contiguous mask, 8 or 32 bytes; an empty
                // text is everything
};

// Reads the GeneralNames that `names` (the content of their SEQUENCE, or of what is tagged in its
// place) holds, at least one, and appends them to `out`. Text is IA5 without control characters.
// Errors: InvalidArgument without a reason, for the caller to add.
absl::Status ReadGeneralNames(der::Reader names, GeneralNameContext context,
                              std::vector<AlternativeName>& out);

// Reads the next GeneralName only.
absl::Status ReadGeneralName(der::Reader& names, GeneralNameContext context, AlternativeName& out);

// The value of a subjectAltName extension. Errors as ReadGeneralNames.
absl::StatusOr<std::vector<AlternativeName>> ReadAlternativeNames(std::string_view extension_value);

}  // namespace troth
