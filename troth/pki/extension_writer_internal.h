// Extensions (RFC 5280 section 4.2) and the names in them, written as DER.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/pki/der.h"
#include "troth/pki/name.h"

namespace troth {

// One Extension around `value`, the DER that goes into its OCTET STRING.
void WriteExtension(der::Writer& writer, std::string_view oid, bool critical,
                    std::string_view value);

// OK when each of `names` may stand in a certificate: DNS names of letters, digits, hyphens and
// underscores, whose first label may be
// "*"; absolute URIs; "local@domain"; addresses of 4 or 16 bytes; well-formed DER in the other
// kinds. Errors: request_malformed.
absl::Status CheckAlternativeNames(const std::vector<AlternativeName>& names);

// One GeneralName. The value is written as it is.
void WriteGeneralName(der::Writer& writer, AlternativeName::Kind kind, std::string_view value);

// GeneralNames: the value of a subjectAltName extension.
void WriteAlternativeNames(der::Writer& writer, const std::vector<AlternativeName>& names);

}  // namespace troth
