// A server's TLS settings, made of its identity.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/identity/identity_source.h"

namespace troth {

using TlsContext = std::shared_ptr<SSL_CTX>;

// TLS 1.2 and 1.3 with forward secrecy, "http/1.1" by ALPN; no session tickets, no cache, no
// renegotiation, no compression. Clients are asked for a certificate, without naming authorities,
// and each is let in: TLS proves that they have its key, the guard judges it at each request. The
// chain that is shown ends with the root where the identity's trust bundle has it, for clients that
// know nothing but its fingerprint. Errors: certificate_missing, and internal when OpenSSL refuses
// what the identity holds.
absl::StatusOr<TlsContext> MakeTlsContext(const Identity& identity, Time now);

// The context of the newest snapshot that one could be made of. Thread-safe.
class TlsContextSource {
 public:
  // Errors: those of MakeTlsContext for the present snapshot. `clock` is not owned.
  static absl::StatusOr<std::unique_ptr<TlsContextSource>> Create(
      std::shared_ptr<IdentitySource> identity, const Clock& clock);

  TlsContext Current() const;

 private:
  TlsContextSource() = default;
  void Replace(const Identity& identity, const Clock& clock);

  mutable std::mutex mutex_;
  TlsContext context_;  // guarded by mutex_
  // Last: its callback uses the others until it is gone.
  Subscription subscription_;
};

}  // namespace troth
