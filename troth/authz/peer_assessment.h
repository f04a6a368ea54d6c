// What a peer's certificate amounts to today, before any policy is asked.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/authz/client_certificate.h"
#include "troth/authz/role.h"
#include "troth/base/time.h"
#include "troth/pki/crl.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

struct AssessmentOptions {
  ClientCertificate mode = ClientCertificate::kRequire;
  Time now;
  TrustBundle trust;
  const std::vector<Crl>* crls = nullptr;  // not owned
  RevocationCheck revocation = RevocationCheck::kWhereListed;
  Seconds crl_grace{0};
  Usage usage = Usage::kClient;
};

struct PeerAssessment {
  // Not OK: the peer may call nothing, whatever the policy says. Its reason is that of path
  // validation, or peer_not_authenticated where the mode requires a certificate and there is none.
  absl::Status status;
  PeerEvidence evidence;
  // The last second in which this answer holds. Failures hold for a short while only: some heal by
  // themselves.
  Time valid_until = Time::max();
};

// Judges the certificate that a peer proved to possess. `leaf_pem` is empty when it showed none;
// `chain_pem` is what else it sent.
//
// In the modes that verify, the leaf needs a path to the trust bundle, for use by a client. In the
// others nothing is verified, so that only a pin can give it a role; validity and revocation count
// all the same: a list of the leaf's issuer counts when its signature verifies with a CA of that
// name in the trust bundle, or when the bundle has no such CA (it can then do no more than refuse).
// With kRequired a list is needed, except for a certificate that is its own issuer. Thread-safe.
PeerAssessment AssessPeer(std::string_view leaf_pem, std::string_view chain_pem,
                          const AssessmentOptions& options);

}  // namespace troth
