// Whether a client believes the certificates that a server showed.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/http/client.h"
#include "troth/pki/certificate.h"

namespace troth {

// The name that a certificate has when it is for `host`: an IP address (IPv6 also in brackets) or a
// DNS name. Errors: usage_error.
absl::StatusOr<AlternativeName> NameOfHost(std::string_view host);

// For trust by bundle or fingerprint: OK when `shown`, leaf first, leads to a trusted root, may be
// used by servers and has `name`. Errors: certificate_missing, and those of ValidatePath; a
// fingerprint that none of them has is issuer_unknown.
absl::Status CheckServerChain(const std::vector<Certificate>& shown, const HttpTrust& trust,
                              const AlternativeName& name, Time now);

}  // namespace troth
