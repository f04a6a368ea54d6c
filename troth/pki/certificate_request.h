// Certificate signing requests (PKCS#10, RFC 2986).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

// No request is larger. 64 KiB.
inline constexpr size_t kMaxRequestBytes = size_t{64} << 10;

// A request whose own signature verified: its sender holds the private key. Immutable, cheap to
// copy.
class CertificateRequest {
 public:
  // Errors: request_malformed, signature_invalid, key_too_weak, algorithm_not_allowed.
  static absl::StatusOr<CertificateRequest> FromDer(std::string_view der);
  static absl::StatusOr<CertificateRequest> FromPem(std::string_view pem);

  // Makes and signs one. Asked-for names go into an extensionRequest attribute.
  static absl::StatusOr<CertificateRequest> Create(const PrivateKey& key,
                                                   const DistinguishedName& subject,
                                                   const std::vector<AlternativeName>& names);

  const std::string& der() const;
  std::string ToPem() const;
  const DistinguishedName& subject() const;
  const PublicKey& public_key() const;
  // The names that the extensionRequest attribute asks for. Nothing else of the request is ever
  // used.
  const std::vector<AlternativeName>& alternative_names() const;

 private:
  struct Fields;
  explicit CertificateRequest(std::shared_ptr<const Fields> fields) : fields_(std::move(fields)) {}
  std::shared_ptr<const Fields> fields_;
};

}  // namespace troth
