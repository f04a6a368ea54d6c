// What a client of Caramel posts: one certificate request as PEM, to the letter.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/name.h"

namespace troth::caramel {

// What a request's subject has to begin with: the C, ST, L and O of the CA's, in this order, those
// that it has.
std::vector<NameAttribute> RequiredPrefix(const DistinguishedName& authority);

// Reads a body. It must be what its request is written as: one block of 64 characters a line, with
// nothing before, behind or between. The subject must begin with `prefix` and have one common name.
// The messages of errors are the original server's, word for word, where it refuses as well; where
// Troth alone refuses they say why. Errors: request_malformed, signature_invalid, name_mismatch
// (the subject's beginning), name_not_permitted (no common name, or several), key_too_weak,
// algorithm_not_allowed.
absl::StatusOr<CertificateRequest> ReadPostedRequest(std::string_view body,
                                                     const std::vector<NameAttribute>& prefix);

}  // namespace troth::caramel
