// The certificate of the authority's own servers: issued by itself, replaced by itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/authority.h"
#include "troth/identity/identity_source.h"

namespace troth {

// Holds a key that never leaves memory, and a certificate that is replaced, with a new key, when a
// third of its life is left, when the issuer changes, when it was revoked, and when it lies in the
// future, for the clock was put back. Thread-safe.
class OwnIdentity {
 public:
  static constexpr Seconds kLifetime = std::chrono::hours(24 * 7);

  // `authority` and `clock` outlive it. Errors: those of Authority::IssueOwn.
  static absl::StatusOr<std::unique_ptr<OwnIdentity>> Start(Authority& authority,
                                                            std::vector<AlternativeName> names,
                                                            const Clock& clock);
  virtual ~OwnIdentity() = default;
  virtual std::shared_ptr<IdentitySource> source() const = 0;
  // Replaces the certificate if it is time to. Called every few seconds by a thread of its own; a
  // failure is logged and tried again. Errors: those of Authority::IssueOwn.
  virtual absl::Status RenewIfDue() = 0;
};

}  // namespace troth
