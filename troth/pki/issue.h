// Making certificates and CRLs: a template, written as DER directly, signed, and read back before
// it leaves.
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
  std::vector<AlternativeName> alternative_names = {};
  std::optional<BasicConstraints> basic_constraints =
      BasicConstraints{};       // leaf: CA:FALSE, critical
  std::uint16_t key_usage = 0;  // 0: by the key type (leaf) or certSign+crlSign (CA)
  std::vector<std::string> extended_key_usage = {};  // dotted OIDs; empty: no extension
  bool extended_key_usage_critical = false;
  std::optional<NameConstraints> name_constraints = {};
  std::vector<std::string> crl_urls = {}, ca_issuer_urls = {}, ocsp_urls = {};
};

// A CA certificate with its key, which belong together (checked by Create). Move-only; thread-safe
// once made.
class Signer {
 public:
  // Errors: key_mismatch, not_a_certificate_authority (not a CA, or one whose keyUsage lacks
  // keyCertSign), and what PublicKey::CheckStrength answers.
  static absl::StatusOr<Signer> Create(Certificate certificate, PrivateKey key);
  const Certificate& certificate() const { return certificate_; }
  const PrivateKey& key() const { return key_; }

 private:
  Signer(Certificate certificate, PrivateKey key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Certificate certificate_;
  PrivateKey key_;
};

// Issues `what`, signed by `signer`: subject and authority key ids (RFC 5280 section 4.2.1.2,
// method 1) are added, notAfter is cut so that a certificate never outlives its issuer, and the
// finished bytes are read again by Certificate::FromDer and compared with the template, field by
// field, before they are returned. Thread-safe. Errors:
//   request_malformed     the template cannot be a certificate: a malformed name or URL, no
//   positive serial of at most 20 octets, a
//                         notAfter before notBefore, keyCertSign without CA or a CA without a
//                         subject ...
//   names_missing         neither a subject nor an alternative name
//   certificate_expired   the issuer's validity ends before the template's begins
//   path_length_exceeded  a CA below a CA that allows none
//   name_not_permitted    a name outside the issuer's name constraints
//   internal              the finished bytes are not what was asked for: a defect of Troth
// and what PublicKey::CheckStrength answers.
absl::StatusOr<Certificate> Issue(const CertificateTemplate& what, const Signer& signer);
// The same, signed by its own key: a root, or a self-signed development certificate. Also
// key_mismatch when the template's public key is not that of `key`.
absl::StatusOr<Certificate> IssueSelfSigned(const CertificateTemplate& what, const PrivateKey& key);

struct CrlTemplate {
  Time this_update;
  Time next_update;
  std::uint64_t number = 1;                // each list of an issuer has a higher one than the last
  std::vector<RevokedEntry> entries = {};  // in any order, each serial once
};
// A version-2 list of `signer`, sorted by serial, read back and compared like a certificate.
// Errors: request_malformed (nextUpdate not after thisUpdate, a serial twice, a reason that RFC
// 5280 does not have), usage_not_allowed (the CA's keyUsage lacks cRLSign), internal.
absl::StatusOr<Crl> IssueCrl(const CrlTemplate& what, const Signer& signer);

}  // namespace troth
