// What a server asks of its clients in the TLS handshake.
#pragma once

#include <optional>
#include <string_view>

namespace troth {

// gRPC's five modes (see docs/client-certificates.md).
enum class ClientCertificate {
  kDontRequest,        // "none": role `anyone` only
  kRequestUnverified,  // "request": only pinned certificates count
  kVerifyIfGiven,      // "verify": verified peers; without a certificate `anyone`
  kRequireUnverified,  // "require-any": only pinned certificates count
  kRequire,            // "require": verified peers
};

std::string_view NameOf(ClientCertificate mode);
std::optional<ClientCertificate> ClientCertificateFromName(std::string_view name);

inline bool VerifiesPeers(ClientCertificate mode) {
  return mode == ClientCertificate::kVerifyIfGiven || mode == ClientCertificate::kRequire;
}
inline bool RequiresCertificate(ClientCertificate mode) {
  return mode == ClientCertificate::kRequireUnverified || mode == ClientCertificate::kRequire;
}

}  // namespace troth
