#include "troth/http/tls_session_internal.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "troth/pki/pem.h"

namespace troth {
namespace {

std::string PemOf(const X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  if (length <= 0) return {};
  std::string pem =
      FormatPem("CERTIFICATE", {reinterpret_cast<const char*>(der), static_cast<size_t>(length)});
  OPENSSL_free(der);
  return pem;
}

long Control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int Prepare(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

}  // namespace

const BIO_METHOD* TlsSession::Method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troth");
    if (made != nullptr) {
      BIO_meth_set_read(made, OnRead);
      BIO_meth_set_write(made, OnWrite);
      BIO_meth_set_ctrl(made, Control);
      BIO_meth_set_create(made, Prepare);
    }
    return made;
  }();
  return method;
}

int TlsSession::OnRead(BIO* bio, char* buffer, int size) {
  std::string_view& in = static_cast<TlsSession*>(BIO_get_data(bio))->in_;
  BIO_clear_retry_flags(bio);
  if (in.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = std::min(in.size(), static_cast<size_t>(size));
  std::memcpy(buffer, in.data(), count);
  in.remove_prefix(count);
  return static_cast<int>(count);
}

int TlsSession::OnWrite(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  static_cast<TlsSession*>(BIO_get_data(bio))->out_.append(bytes, static_cast<size_t>(size));
  return size;
}

std::unique_ptr<TlsSession> TlsSession::Create(SSL_CTX& context, std::string& out) {
  const openssl::ErrorScope errors;
  std::unique_ptr<TlsSession> session(new TlsSession(out));
  session->ssl_.reset(SSL_new(&context));
  BIO* const bio = Method() == nullptr ? nullptr : BIO_new(Method());
  if (session->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return nullptr;
  }
  BIO_set_data(bio, session.get());
  SSL_set_bio(session->ssl_.get(), bio, bio);
  SSL_set_accept_state(session->ssl_.get());
  return session;
}

TlsSession::Result TlsSession::ResultOf(int returned) {
  if (returned > 0) return Result::kDone;
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return Result::kNeedMore;
    case SSL_ERROR_ZERO_RETURN:
      return Result::kClosed;
    default:
      failure_ = openssl::TakeError();
      return Result::kFailed;
  }
}

TlsSession::Result TlsSession::Handshake() {
  ERR_clear_error();  // SSL_get_error looks at what others left there
  return ResultOf(SSL_do_handshake(ssl_.get()));
}

TlsSession::Result TlsSession::Read(std::span<char> buffer, size_t& got) {
  ERR_clear_error();
  got = 0;
  constexpr size_t kMost = std::numeric_limits<int>::max();
  const int count =
      SSL_read(ssl_.get(), buffer.data(), static_cast<int>(std::min(buffer.size(), kMost)));
  if (count > 0) got = static_cast<size_t>(count);
  return ResultOf(count);
}

TlsSession::Result TlsSession::Write(std::string_view bytes) {
  ERR_clear_error();
  return ResultOf(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())));
}

void TlsSession::Close() {
  const openssl::ErrorScope errors;
  SSL_shutdown(ssl_.get());
}

TlsSession::Shown TlsSession::ShownByPeer() const {
  Shown shown;
  const X509* const leaf = SSL_get0_peer_certificate(ssl_.get());
  if (leaf == nullptr) return shown;
  shown.leaf_pem = PemOf(leaf);
  // On a server's side without the leaf.
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    shown.chain_pem += PemOf(sk_X509_value(chain, i));
  }
  return shown;
}

std::string TlsSession::TakeFailure() { return std::exchange(failure_, {}); }

}  // namespace troth
