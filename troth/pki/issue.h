// Making certificates and CRLs: a template, written as DER directly, signed, and read back before it leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/key.h"

namespace troth {

// What a certificate is to hold. Nothing comes from a request unless the caller put it here.
struct CertificateTemplate {
  SerialNumber serial;
  DistinguishedName subject;
  Validity validity;
  PublicKey public_key;
  std::vector<AlternativeName> alternative_names;
  std::optional<BasicConstraints> basic_constraints = BasicConstraints{};  // leaf: CA:FALSE, critical
  std::uint16_t key_usage = 0;                       // 0: by the key type (leaf) or certSign+crlSign (CA)
  std::vector<std::string> extended_key_usage;       // dotted OIDs; empty: no extension
  std::optional<NameConstraints> name_constraints;
  std::vector<std::string> crl_urls, ca_issuer_urls, ocsp_urls;
};

// A CA certificate with its key, which belong together (checked by Create).
class Signer {
 public:
  // Errors: key_mismatch, not_a_certificate_authority.
  static absl::StatusOr<Signer> Create(Certificate certificate, PrivateKey key);
  const Certificate& certificate() const { return certificate_; }
  const PrivateKey& key() const { return key_; }

 private:
  Signer(Certificate certificate, PrivateKey key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Certificate certificate_;
  PrivateKey key_;
};

// Issues `what`, signed by `signer`: subject and authority key ids are added, notAfter is cut so that a certificate never outlives its
// issuer, and the finished bytes are read again and compared with the template before they are returned.
absl::StatusOr<Certificate> Issue(const CertificateTemplate& what, const Signer& signer);
// The same, signed by its own key: a root, or a self-signed development certificate.
absl::StatusOr<Certificate> IssueSelfSigned(const CertificateTemplate& what, const PrivateKey& key);

struct CrlTemplate {
  Time this_update;
  Time next_update;
  std::uint64_t number = 1;
  std::vector<RevokedEntry> entries;
};
absl::StatusOr<Crl> IssueCrl(const CrlTemplate& what, const Signer& signer);

}  // namespace troth
