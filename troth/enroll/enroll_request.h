// What a client asks for: its own name, in the form that the authority's protocol wants.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/pki/certificate.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

// OK when `client_id` can name a client: 1 to 64 printable characters (the room that a common name
// has; a SPIFFE ID may be longer). Errors: usage_error.
absl::Status CheckClientId(std::string_view client_id);

// For Caramel: C, ST, L and O as the authority's own certificate has them, then CN=`client_id`.
// Such an authority writes the alternative names itself.
absl::StatusOr<CertificateRequest> MakeCaramelRequest(const PrivateKey& key,
                                                      std::string_view client_id,
                                                      const Certificate& authority);
// For everyone else: CN=`client_id` where it fits and is no URI, and `client_id` as an alternative
// name where it is a DNS name, an address, a URI or an email address; then `more`.
absl::StatusOr<CertificateRequest> MakeNamedRequest(const PrivateKey& key,
                                                    std::string_view client_id,
                                                    const std::vector<AlternativeName>& more);

// OK when `certificate` names `client_id`, as common name or alternative name. Errors:
// name_mismatch, with the names that it has.
absl::Status CheckClientName(const Certificate& certificate, std::string_view client_id);

}  // namespace troth
