// The AlgorithmIdentifier (RFC 5280 section 4.1.1.2) of signatures.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/pki/key.h"

namespace troth {

// Reads the DER of one AlgorithmIdentifier, its SEQUENCE header with it. Parameters are those of
// RFC 4055 (RSA: NULL or absent; RSASSA-PSS: MGF1 with the same hash, a salt as long as the hash),
// RFC 5758 (ECDSA: absent) and RFC 8410 (Ed25519: absent). Errors: algorithm_not_allowed when it is
// well-formed but none that SignatureAlgorithm names (MD5, DSA, RSASSA-PSS with other parameters
// ...), with the OID in the message; InvalidArgument without a reason when it is not well-formed:
// callers give it theirs.
absl::StatusOr<SignatureAlgorithm> ReadSignatureAlgorithm(std::string_view algorithm_identifier);

// The DER that ReadSignatureAlgorithm reads, in the one form that RFC 5280 wants written. Empty for
// kOther.
std::string SignatureAlgorithmToDer(SignatureAlgorithm algorithm);

}  // namespace troth
