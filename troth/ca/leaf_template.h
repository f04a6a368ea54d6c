// The straight line's second and fourth step: what a certificate is to hold, and whether the
// finished one holds it.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/asked.h"
#include "troth/ca/profile.h"
#include "troth/pki/certificate.h"
#include "troth/pki/issue.h"

namespace troth {

// The straight line's second step. `lifetime`: nothing for the profile's default. The subject is
// the common name alone or, for a profile with `whole_subject`, the request's: there is nothing for
// the caller to add. A request without alternative names gets its common name as one, when that is
// a DNS name or an address that the profile allows. The serial is fresh; CRL and AIA addresses,
// which are the issuer's, the caller adds. Errors: usage_error (a lifetime of nothing, or beyond
// the profile's), those of CheckAsked.
absl::StatusOr<CertificateTemplate> BuildTemplate(const Asked& asked, const Profile& profile,
                                                  const ReservedNames& reserved,
                                                  std::optional<Seconds> lifetime, Time now);

// The straight line's fourth step, on the finished bytes as read by Certificate::FromDer: is it a
// leaf of this profile, with these names and this key and no other? Looks at nothing but the
// certificate. The error is internal.
absl::Status CheckAgainstProfile(const Certificate& certificate, const Asked& asked,
                                 const Profile& profile, const ReservedNames& reserved);

}  // namespace troth
