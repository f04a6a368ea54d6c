// X.509 certificates, read by Troth's own strict DER reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/pki/digest.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"
#include "troth/pki/serial_number.h"

namespace troth {

// No certificate is larger. 64 KiB.
inline constexpr size_t kMaxCertificateBytes = size_t{64} << 10;

struct Validity {
  Time not_before;
  // Inclusive: the last second in which the certificate is valid (RFC 5280 section 4.1.2.5).
  Time not_after;
  bool operator==(const Validity&) const = default;
};

// RFC 5280 section 4.2.1.3, as the bits of the extension: bit 0 (digitalSignature) is 1 << 0.
enum KeyUsageBit : std::uint16_t {
  kDigitalSignature = 1 << 0,
  kContentCommitment = 1 << 1,
  kKeyEncipherment = 1 << 2,
  kDataEncipherment = 1 << 3,
  kKeyAgreement = 1 << 4,
  kKeyCertSign = 1 << 5,
  kCrlSign = 1 << 6,
  kEncipherOnly = 1 << 7,
  kDecipherOnly = 1 << 8,
};

struct BasicConstraints {
  bool is_ca = false;
  std::optional<int> path_length = {};
};

// RFC 5280 section 4.2.1.10, one subtree; `minimum`/`maximum` are refused when present.
struct NameConstraints {
  struct Subtree {
    AlternativeName::Kind kind;
    std::string base;  // DNS, email, URI: text; IP: 8 or 32 bytes; directory: DER; other: DER
  };
  std::vector<Subtree> permitted, excluded;
};

struct Extension {
  std::string oid;  // dotted
  bool critical = false;
  std::string value;  // content of the OCTET STRING
};

// A certificate. Immutable, cheap to copy (one shared pointer), thread-safe. Exists only when it is
// well-formed: strict DER, every extension that Troth knows parsed, no extension twice.
//
// What is poor or not supported is read all the same, for a trust bundle may hold it: versions 1
// and 2, a key that gives PublicKey::Kind::kOther, a signature that gives
// SignatureAlgorithm::kOther (nothing verifies with either). Leniencies, for what tools in wide use
// write: cA FALSE written out (rcgen), trailing zero bits in keyUsage, the attributes of an RDN in
// any order, * @ & _ in a PrintableString. issuerAltName is not parsed.
class Certificate {
 public:
  // Errors: certificate_malformed, with the field and the byte offset.
  static absl::StatusOr<Certificate> FromDer(std::string_view der);
  // The one certificate in `pem`; keys and other blocks are skipped. Errors: certificate_missing
  // (there are blocks, and none is a certificate: says what they are), certificate_malformed,
  // file_wrong_format (no PEM, or two certificates).
  static absl::StatusOr<Certificate> FromPem(std::string_view pem);
  // Every certificate in order, at least one. Errors: as FromPem, and file_too_large when there are
  // more than `max`.
  static absl::StatusOr<std::vector<Certificate>> ListFromPem(std::string_view pem,
                                                              size_t max = 1000);

  const std::string& der() const;
  std::string ToPem() const;
  const Sha256Digest& fingerprint() const;  // SHA-256 of der()

  int version() const;  // 1, 2 or 3
  const SerialNumber& serial_number() const;
  const DistinguishedName& subject() const;
  const DistinguishedName& issuer() const;
  const Validity& validity() const;
  const PublicKey& public_key() const;
  SignatureAlgorithm signature_algorithm() const;
  std::string_view tbs_der() const;  // the signed bytes
  std::string_view signature() const;

  // Extensions; nothing when the certificate has none of that kind.
  const std::vector<AlternativeName>& alternative_names() const;
  bool alternative_names_critical() const;
  std::optional<BasicConstraints> basic_constraints() const;
  std::optional<std::uint16_t> key_usage() const;                             // KeyUsageBit
  const std::optional<std::vector<std::string>>& extended_key_usage() const;  // dotted OIDs
  const std::optional<NameConstraints>& name_constraints() const;
  const std::optional<std::string>& subject_key_id() const;
  const std::optional<std::string>& authority_key_id() const;       // keyIdentifier
  const std::vector<std::string>& crl_distribution_points() const;  // URIs
  // "ocsp http://...", "caIssuers http://..."; other methods and other kinds of location are left
  // out.
  const std::vector<std::string>& authority_info_access() const;
  const std::vector<Extension>& extensions() const;  // all of them, in order

  // CA:TRUE, or a self-issued version-1 certificate (which can only be a trust anchor).
  bool is_ca() const;
  // Subject and issuer match and its own key verifies its signature.
  bool IsSelfSigned() const;
  // When it has exactly one URI name and that is a SPIFFE ID.
  std::optional<SpiffeId> spiffe_id() const;
  // One line for people: subject, serial, fingerprint's first 16 digits.
  std::string Describe() const;
  // What is poor about it, though it is read and works: "version 1 ...", "no keyUsage ...". For
  // warnings.
  std::vector<std::string> Weaknesses() const;

  bool operator==(const Certificate& other) const { return der() == other.der(); }

 private:
  struct Fields;
  explicit Certificate(std::shared_ptr<const Fields> fields) : fields_(std::move(fields)) {}
  std::shared_ptr<const Fields> fields_;
};

inline constexpr std::string_view kServerAuthOid = "1.3.6.1.5.5.7.3.1";
inline constexpr std::string_view kClientAuthOid = "1.3.6.1.5.5.7.3.2";
inline constexpr std::string_view kAnyExtendedKeyUsageOid = "2.5.29.37.0";

}  // namespace troth
