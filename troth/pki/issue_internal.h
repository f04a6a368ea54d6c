// Before and after the signature: whether a template can be a certificate, and whether the
// certificate is what the template said.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/pki/issue.h"

namespace troth {

// RFC 5280 section 4.2.1.2, method (1): the SHA-1 of the key's bits, as OpenSSL and certstrap make
// it. An identifier, no protection.
std::string KeyIdOf(const PublicKey& key);

// The keyUsage of what `what` describes: its own, or the default for its key and kind.
std::uint16_t KeyUsageFor(const CertificateTemplate& what);

// Whether `time` can be written as RFC 5280 section 4.1.2.5 wants: 1950 to 9999.
bool IsWritable(Time time);

// Errors: request_malformed, names_missing, and what PublicKey::CheckStrength answers.
absl::Status CheckTemplate(const CertificateTemplate& what);

// What goes into a certificate apart from its template.
struct IssuerFields {
  std::string_view name_der;  // not owned
  std::string key_id;
  SignatureAlgorithm algorithm;
};

// Whether `issued`, as it was read back, is `what` by `issuer`, in every field and with nothing
// more. Errors: internal, with the field.
absl::Status CheckIssued(const Certificate& issued, const CertificateTemplate& what,
                         const IssuerFields& issuer);

}  // namespace troth
