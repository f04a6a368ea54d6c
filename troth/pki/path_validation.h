// Path building and validation: RFC 5280 section 6.1, with an answer that says which certificate
// failed which rule.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// What the certificate is used for. kAny checks neither key usage nor extended key usage of the
// leaf.
enum class Usage { kAny, kServer, kClient };

// How revocation counts.
enum class RevocationCheck {
  kWhereListed,  // a CRL of the issuer counts when there is one; none is fine
  kRequired,     // every certificate below the anchor needs a current CRL of its issuer
};

// Enough for a leaf whose issuer hides among 1,000 certificates of the same name that give no hint
// which is the right one; some 0.2 seconds with P-256 keys. A search with helpful key identifiers
// needs one check a certificate.
inline constexpr size_t kDefaultSignatureChecks = 2500;

struct PathOptions {
  Time now;
  Usage usage = Usage::kAny;
  // When set, the leaf must have this name (RFC 6125: alternative names only, never the common
  // name).
  std::optional<AlternativeName> name = {};
  const std::vector<Crl>* crls = nullptr;  // not owned
  RevocationCheck revocation = RevocationCheck::kWhereListed;
  // A CRL past its nextUpdate is refused (crl_expired) once this much more time has gone.
  Seconds crl_grace{0};
  // No more signatures of certificates and CRLs are checked; then path_too_complex.
  size_t max_signature_checks = kDefaultSignatureChecks;
};

// The answer. `status` is OK, or has the reason and a message with the certificate, the rule,
// expected against got.
struct PathResult {
  absl::Status status;
  // Leaf first, anchor last, when OK; otherwise the path that broke the fewest rules, or how far
  // signatures led.
  std::vector<Certificate> path;
  // The last second for which the answer holds: by the earliest notAfter, by nextUpdate (with the
  // grace) of the CRLs used, and before a CRL that is dated in the future comes into force. Only
  // when OK.
  Time valid_until{};
  // The certificate that failed, when one did.
  std::optional<Certificate> failed;
  // Poor but accepted: version-1 leaf, no keyUsage, a CRL of another key ... Only when OK.
  std::vector<std::string> warnings;
  // Signatures that were checked, of certificates and CRLs. Each pair of signed bytes and key is
  // checked once.
  size_t signature_checks = 0;
};

// Looks for a path from `leaf` to an anchor of `trust` through any of `intermediates`, and checks
// it. Thread-safe.
//
// Neither order nor number of the intermediates matters: a good path is found when there is one, by
// a search over certificates (not over paths, of which cross-signed CAs have exponentially many)
// that follows key identifiers first and tries everything else after. There is no limit on a path's
// length. The work is bounded by `max_signature_checks`, by 1,000,000 steps of the search and by
// 2,000,000 comparisons of a name with a name constraint; a search that would need more ends with
// path_too_complex. When there is no good path, the error is that of the path that breaks the
// fewest rules, or says where the chain ends.
//
// A leaf that is itself an anchor (byte for byte) is a path of its own: no issuer, no revocation
// check.
//
// What RFC 5280 leaves open, and where this differs from its section 6.1:
// * Anchors are certificates, and everything that they say binds: validity, pathLenConstraint, name
// constraints, usages,
//   unknown critical extensions. An anchor may be an intermediate; it must be a CA (or a
//   self-issued version-1 certificate).
// * Signatures with SHA-1, and keys that PublicKey::CheckStrength refuses, are refused, the
// anchor's key too.
// * CA certificates that have extended key usages must allow the usage that is asked for.
// * nameConstraints must be critical, not empty, well-formed and in a CA certificate
// (section 4.2.1.10). A certificate
//   with a malformed name of a constrained kind is refused; a wildcard name is refused when one of
//   its expansions is excluded or not permitted. emailAddress attributes of the subject are email
//   addresses. Common names are not DNS names.
// * Certificate policies are not processed: a CA that requires an explicit policy
// (policyConstraints) is refused. Without
//   that requirement no policy extension can fail a path, and they are ignored.
// * Issuer and CA subject are not empty; an empty subject needs a critical subjectAltName; key
// identifiers and authority information
//   access are not critical, policyConstraints are; keyCertSign is for CAs (section 4.2.1).
// * A CA whose basicConstraints are not critical, or that has no keyUsage, is accepted with a
// warning, as is version 1 for a leaf.
// * Revocation: a list counts when its issuer's name matches and the issuer's key signed it; one of
//   that name under another key is ignored with a warning. The newest (by number, then thisUpdate)
//   must be current, have a number and a nextUpdate, and an issuer that may sign lists, under
//   kWhereListed too. An entry in any current list revokes; only a certificateHold is lifted by a
//   newer list. Why: troth/pki/revocation_internal.h.
PathResult ValidatePath(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                        const TrustBundle& trust, const PathOptions& options);

// OK when an alternative name of `certificate` is `name`; otherwise name_mismatch (lists the names
// that it has) or names_missing. A DNS pattern "*.example.com" stands for one label; IP addresses
// match bytes, URIs text, email addresses text with the host in any case.
absl::Status CheckName(const Certificate& certificate, const AlternativeName& name);

}  // namespace troth
