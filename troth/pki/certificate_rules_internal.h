// The rules that a certificate must keep by itself, as the leaf or as a CA of a path (RFC 5280
// sections 4.2 and 6.1).
#pragma once

#include "absl/status/status.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"
#include "troth/pki/path_validation.h"

namespace troth {

// Errors: certificate_expired, certificate_not_yet_valid.
absl::Status CheckTime(const Certificate& certificate, Time now);

// That every critical extension is understood, and that those which must or must not be critical
// are so. Errors: critical_extension_unknown, certificate_malformed.
absl::Status CheckExtensions(const Certificate& certificate);

enum class CaRole { kAnchor, kIntermediate };

// That `ca` may issue certificates for `usage` (6.1.4 (k) and (n), the usages it allows). Errors:
// not_a_certificate_authority, usage_not_allowed, certificate_malformed.
absl::Status CheckAuthority(const Certificate& ca, CaRole role, Usage usage);

// That the first certificate of a path is in order apart from its time: names, key, usage. Errors:
// certificate_malformed, usage_not_allowed, and what PublicKey::CheckStrength answers.
absl::Status CheckLeaf(const Certificate& leaf, Usage usage);

}  // namespace troth
