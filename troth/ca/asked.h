// What is asked for: a public key and names, taken out of a request. Nothing else of it counts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/name_rules.h"
#include "troth/ca/profile.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

struct Asked {
  PublicKey key;
  std::string common_name = {};
  std::vector<AlternativeName> names = {};  // DNS names in lower case; none twice
  // The request's subject as it is; used for profiles with `whole_subject` and for nothing else.
  DistinguishedName subject = {};
};

// A request read: key canonical (named curve, uncompressed point on it; odd modulus of an allowed
// size, e >= 65537), signature good. Accepts PEM or DER. Errors: those of CertificateRequest.
absl::StatusOr<CertificateRequest> ReadRequest(std::string_view body);
// Errors: request_malformed (more than one common name).
absl::StatusOr<Asked> AskedOf(const CertificateRequest& request);
// What counts of it with this profile: without the alternative names for one with
// `common_name_only`.
absl::StatusOr<Asked> AskedOf(const CertificateRequest& request, const Profile& profile);

// Every name that a record keeps for it: common name (as it is and, when it is a DNS name, in lower
// case) and alternative names, as plain text, each once. A name was never seen when the store knows
// none of these.
std::vector<std::string> PlainNamesOf(const Asked& asked);

// OK when `profile` allows key and names. Errors, each naming what is allowed: name_not_permitted
// (reserved names too), names_missing, request_malformed (a name that is none), key_too_weak,
// algorithm_not_allowed.
absl::Status CheckAsked(const Asked& asked, const Profile& profile, const ReservedNames& reserved);

// Whether the profile decides such a request at once: its common name matches the profile's
// pattern, and its other names only repeat it. That the name was never seen, the caller checks.
bool IsDecidedAtOnce(const Asked& asked, const Profile& profile);

}  // namespace troth
