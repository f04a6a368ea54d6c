// Path building and validation: RFC 5280 section 6.1, with an answer that says which certificate failed which rule.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// What the certificate is used for. kAny checks no extended key usage of the leaf.
enum class Usage { kAny, kServer, kClient };

// How revocation counts.
enum class RevocationCheck {
  kWhereListed,  // a CRL of the issuer counts when there is one; none is fine
  kRequired,     // every certificate below the anchor needs a current CRL of its issuer
};

struct PathOptions {
  Time now;
  Usage usage = Usage::kAny;
  // When set, the leaf must have this name (RFC 6125: alternative names only, never the common name).
  std::optional<AlternativeName> name;
  const std::vector<Crl>* crls = nullptr;  // not owned
  RevocationCheck revocation = RevocationCheck::kWhereListed;
  // A CRL past its nextUpdate is refused (crl_expired) once this much more time has gone.
  Seconds crl_grace{0};
};

// The answer. `status` is OK, or has the reason and a message with the certificate, the rule, expected against got.
struct PathResult {
  absl::Status status;
  std::vector<Certificate> path;  // leaf first, anchor last, when OK; otherwise the longest that was tried
  // Until when the answer holds: the earliest notAfter, and nextUpdate of the CRLs used. Only when OK.
  Time valid_until{};
  // The certificate that failed, when one did.
  std::optional<Certificate> failed;
  std::vector<std::string> warnings;  // poor but accepted: version-1 leaf, no keyUsage, unused CRL ...
};

// Looks for a path from `leaf` to an anchor of `trust` through any of `intermediates`, whatever their order, and checks it. Of several
// paths a good one wins; the error is that of the path that came furthest. Bounded work: at most 10 certificates a path, 100
// signature checks, then path_too_complex. Thread-safe.
//
// Deviations from RFC 5280, all stricter or named here: certificate policies are read and not processed (a critical policyConstraints or inhibitAnyPolicy
// extension is refused); anchors' own validity is checked; SHA-1 signatures and RSA under 2048 bits are refused below the anchor.
PathResult ValidatePath(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                        const TrustBundle& trust, const PathOptions& options);

// OK when an alternative name of `certificate` is `name`; otherwise name_mismatch (lists the names that it has) or names_missing. A
// DNS pattern "*.example.com" stands for one label; IP addresses match bytes, URIs text.
absl::Status CheckName(const Certificate& certificate, const AlternativeName& name);

}  // namespace troth
