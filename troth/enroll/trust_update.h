// The CAs of an authority and their revocation lists, as files hold them that servers verify
// clients with, and what becomes of them when the authority says what there is now.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"

namespace troth {

// CAs and lists, in no order that counts.
struct TrustMaterial {
  std::vector<Certificate> authorities = {};
  std::vector<Crl> lists = {};

  // Every certificate, and every list, one after the other.
  std::string AuthoritiesPem() const;
  std::string ListsPem() const;
};

// Reads what GET /v1/trust answers: {"trust_bundle", "issuers", "crls"}, each PEM. The root in it
// is left out: who asks knows whom to believe. Errors: response_malformed, with what is wrong.
absl::StatusOr<TrustMaterial> ReadTrustAnswer(std::string_view body);

// What is to be in the files from now on.
struct TrustUpdate {
  TrustMaterial material;  // issuers, then the root; the lists in the same order
  std::vector<std::string> warnings;
  // The first issuer of which there is no current list, when there is one. `material` is good all
  // the same: that issuer is in it when it was before, with the list that it had.
  absl::Status incomplete;
};

// What `offered`, which may be anybody's, makes of `present`. Nothing in `offered` counts but what
// `root` vouches for:
// * each issuer is a CA that the root signed, valid now; those that have expired, or that the
// root's
//   list revokes, are left out, offered or present, since whoever reads ca.pem takes each CA in it
//   for an anchor;
// * each list is signed by one of these CAs, or one of `present`;
// * each CA has a current list. One that is older (by number, else by thisUpdate) than the list in
//   `present` does not replace it: the newer one stays, with a warning.
// A CA of `present` that the root vouches for, and that is not offered, stays as long as it and its
// list are valid, with a warning.
// Errors, which mean that none of it counts: those of ValidatePath, and
// not_a_certificate_authority, signature_invalid (a list of nobody's), crl_expired and
// revocation_unknown (the root has no current list).
absl::StatusOr<TrustUpdate> UpdateTrust(const Certificate& root, const TrustMaterial& present,
                                        const TrustMaterial& offered, Time now);

}  // namespace troth
