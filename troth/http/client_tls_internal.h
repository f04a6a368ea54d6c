// A client's TLS settings, put into the contexts that libcurl makes.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/http/client.h"
#include "troth/http/client_failure_internal.h"
#include "troth/pki/openssl_internal.h"

namespace troth {

class ClientTls {
 public:
  // `identity` may be null: nothing is shown. Errors: internal, when OpenSSL refuses what the
  // identity holds.
  static absl::StatusOr<ClientTls> Create(const HttpTrust& trust, const Identity* identity);

  // Makes connections of `context` show the identity, believe servers as the trust says and only
  // with `name`, and tell `attempt` what they see. Both outlive the connections; their content at
  // the moment of a handshake counts. False when OpenSSL fails.
  bool Prepare(SSL_CTX& context, const AlternativeName& name, ClientAttempt& attempt);

 private:
  using X509Ptr = std::unique_ptr<X509, openssl::Deleter<X509_free>>;
  struct State;

  ClientTls() = default;
  bool UseIdentity(SSL_CTX& context) const;
  static int Verify(X509_STORE_CTX* store, void* state);
  static absl::Status Judge(X509_STORE_CTX& store, const State& state);
  static void OnInfo(const SSL* ssl, int where, int value);
  static void OnMessage(int is_sent, int version, int type, const void* bytes, size_t size,
                        SSL* ssl, void* state);

  std::vector<X509Ptr> chain_;  // leaf first
  openssl::KeyPtr key_;
  std::shared_ptr<State> state_;  // at an address that stays
};

}  // namespace troth
