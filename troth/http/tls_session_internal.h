// One TLS connection without a socket: bytes in, bytes out.
//
// In place of Asio's ssl::stream, which holds some 68 KB for every connection, idle ones too: this
// keeps nothing of its own, and OpenSSL gives its record buffers back between records.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "troth/http/tls_context_internal.h"
#include "troth/pki/openssl_internal.h"

namespace troth {

// The server's side. For one thread at a time.
class TlsSession {
 public:
  enum class Result {
    kDone,
    kNeedMore,  // what was fed is used up
    kClosed,    // the peer said goodbye
    kFailed,    // see TakeFailure; an alert for the peer may be in `out`
  };
  // What a client showed in the handshake.
  struct Shown {
    std::string leaf_pem, chain_pem;  // empty: none
  };

  // Null when memory is short. What is to be sent is appended to `out`, which outlives the session.
  static std::unique_ptr<TlsSession> Create(SSL_CTX& context, std::string& out);

  // `bytes` came from the peer; they must stay where they are until they are used up. Only when
  // everything before them is.
  void Feed(std::string_view bytes) { in_ = bytes; }

  Result Handshake();
  // Fills the front of `buffer` and says in `got` how much.
  Result Read(std::span<char> buffer, size_t& got);
  // Makes a record of up to 16 KB, several of more. kDone or kFailed.
  Result Write(std::string_view bytes);
  // Says goodbye.
  void Close();

  Shown ShownByPeer() const;
  // What OpenSSL says of the last kFailed: "tlsv1 alert unknown ca".
  std::string TakeFailure();

 private:
  using SslPtr = std::unique_ptr<SSL, openssl::Deleter<SSL_free>>;
  explicit TlsSession(std::string& out) : out_(out) {}
  static const BIO_METHOD* Method();
  static int OnRead(BIO* bio, char* buffer, int size);
  static int OnWrite(BIO* bio, const char* bytes, int size);
  Result ResultOf(int returned);

  std::string_view in_;
  std::string& out_;
  std::string failure_;
  SslPtr ssl_;
};

}  // namespace troth
