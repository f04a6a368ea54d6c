// The CA certificates that peers are verified against.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/pki/certificate.h"

namespace troth {

// Immutable, cheap to copy, thread-safe. Every certificate in it is a trust anchor, an intermediate
// too (RFC 5280 section 6.1.1 (d)).
class TrustBundle {
 public:
  TrustBundle();  // trusts nobody
  // Every CERTIFICATE block; duplicates are dropped. A certificate that is not a CA is an error
  // (not_a_certificate_authority), for it would trust nobody.
  static absl::StatusOr<TrustBundle> FromPem(std::string_view pem);
  static absl::StatusOr<TrustBundle> FromFile(const std::string& path);
  static TrustBundle FromCertificates(std::vector<Certificate> anchors);

  const std::vector<Certificate>& anchors() const;
  bool empty() const { return anchors().empty(); }
  std::string ToPem() const;
  // Anchors whose subject matches `name`.
  std::vector<Certificate> FindBySubject(const DistinguishedName& name) const;
  // The same anchors, in whatever order.
  bool operator==(const TrustBundle& other) const;

 private:
  struct Index;
  std::shared_ptr<const Index> index_;
};

}  // namespace troth
