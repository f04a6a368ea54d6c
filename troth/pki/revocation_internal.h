// Whether a certificate is on its issuer's revocation list (RFC 5280 section 6.3, full lists of the
// issuer itself only).
//
// What counts, and why:
// * A list belongs to an issuer when its issuer's name matches and its signature verifies with the
// issuer's key. A list of that name
//   under another key is ignored with a warning; when it names the issuer's key identifier all the
//   same it was tampered with: signature_invalid.
// * Of several lists of an issuer the newest (by CRL number, then thisUpdate) must be current:
// thisUpdate not in the future, nextUpdate
//   not past (crl_expired, after the grace). It must have a number and a nextUpdate
//   (sections 5.1.2.5, 5.2.3; crl_malformed), and the issuer's keyUsage, when it has one, must have
//   cRLSign (revocation_unknown). This holds under kWhereListed too: a list that is there and
//   cannot be relied on is not the same as no list.
// * A certificate is revoked when the newest list has it, or any list that is current or dated in
// the future: only a certificateHold
//   can be lifted by a newer list (section 5.3.1). Whatever is wrong with a list, its revocations
//   count. A hold in a list dated in the future counts from its thisUpdate on: no answer holds
//   beyond that.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/signature_checks_internal.h"

namespace troth {

struct RevocationAnswer {
  absl::Status status;
  // When a list was used: its nextUpdate (with the grace), or the last second before a list that is
  // dated in the future comes into force.
  std::optional<Time> good_until;
  std::vector<std::string> warnings;
};

// Not thread-safe. Options, checks, and the certificates that are asked about must outlive it.
class RevocationChecker {
 public:
  RevocationChecker(const PathOptions& options, SignatureChecks& signatures)
      : options_(options), signatures_(signatures) {}

  // Whether `certificate`, which `issuer` signed, is revoked. Errors: certificate_revoked,
  // revocation_unknown, crl_expired, crl_malformed, signature_invalid, path_too_complex.
  const RevocationAnswer& Check(const Certificate& certificate, const Certificate& issuer);

 private:
  RevocationAnswer Answer(const Certificate& certificate, const Certificate& issuer);

  const PathOptions& options_;
  SignatureChecks& signatures_;
  std::map<std::pair<const char*, const char*>, RevocationAnswer> answers_;  // where their DER is
};

}  // namespace troth
