// Certificate revocation lists (RFC 5280 section 5).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/pki/certificate.h"

namespace troth {

// No list is larger. 64 MiB: some two million entries.
inline constexpr size_t kMaxCrlBytes = size_t{64} << 20;

struct RevokedEntry {
  SerialNumber serial;
  Time revoked_at;
  int reason = 0;  // RFC 5280 section 5.3.1; 0 unspecified
};

// A full CRL of one issuer. Immutable, cheap to copy, thread-safe.
class Crl {
 public:
  // Errors: crl_malformed. Refused, for each would cover less than it seems to: delta lists,
  // indirect lists, partitioned lists (onlyContainsUserCerts ...), unknown critical extensions,
  // entries with the reason removeFromCRL. Read: version 1; version 2 without number, authority key
  // id or nextUpdate; an issuingDistributionPoint that only says where the full list is found.
  static absl::StatusOr<Crl> FromDer(std::string_view der);
  // PEM with one or more X509 CRL blocks, or the DER of one.
  static absl::StatusOr<std::vector<Crl>> ListFromBytes(std::string_view bytes);

  const std::string& der() const;
  std::string ToPem() const;
  const DistinguishedName& issuer() const;
  const std::optional<std::string>& authority_key_id() const;
  Time this_update() const;
  // RFC 5280 section 5.1.2.5 requires it; whoever uses a list without it decides what to make of
  // that.
  std::optional<Time> next_update() const;
  const std::optional<std::string>& number() const;  // content octets of the INTEGER
  // OK when `key` signed the list. The key that did is remembered by every copy of it: a long list
  // takes milliseconds to hash, and is asked for with every peer. Errors: as PublicKey::Verify.
  absl::Status VerifySignature(const PublicKey& key) const;
  std::string_view tbs_der() const;
  std::string_view signature() const;
  SignatureAlgorithm signature_algorithm() const;
  const std::vector<RevokedEntry>& entries() const;  // sorted by serial
  // The entry of `serial`, the first of the list when there are several; or null. Logarithmic.
  const RevokedEntry* Find(const SerialNumber& serial) const;

 private:
  struct Fields;
  explicit Crl(std::shared_ptr<const Fields> fields) : fields_(std::move(fields)) {}
  std::shared_ptr<const Fields> fields_;
};

}  // namespace troth
