#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/tls_probe_internal.h"
#include "troth/pki/openssl_internal.h"

namespace troth {
namespace {

using std::chrono::steady_clock;

using ContextPtr = std::unique_ptr<SSL_CTX, openssl::Deleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, openssl::Deleter<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, openssl::Deleter<X509_free>>;

constexpr size_t kMostReceived = size_t{1} << 20;
constexpr size_t kMostAnswer = size_t{64} << 10;
constexpr size_t kMostFirstBytes = 256;
constexpr int kMostCertificates = 32;
constexpr int kMostAuthorities = 1000;
constexpr int kUnrecognizedName = 112;

std::string DerOf(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) return "";
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

class Probing {
 public:
  Probing(Socket socket, const TlsProbeOptions& options)
      : options_(options), socket_(std::move(socket)) {}

  TlsProbe Run() {
    if (socket_.state() != Socket::State::kOpen) {
      out_.socket = socket_.state();
      out_.error = socket_.error();
      return std::move(out_);
    }
    const openssl::ErrorScope errors;
    if (!Prepare()) {
      out_.end = TlsEnd::kGivenUp;
      out_.local_error = openssl::TakeError();
      return std::move(out_);
    }
    const auto begin = steady_clock::now();
    const bool done = Handshake();
    out_.handshake_took =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin);
    if (done) {
      out_.end = TlsEnd::kDone;
      if (options_.request != nullptr) Exchange();
      SSL_shutdown(ssl_.get());
      Flush();
    }
    return std::move(out_);
  }

 private:
  bool Prepare() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (context_ == nullptr) return false;
    const bool old = options_.versions == TlsVersions::kOld;
    // Level 0: weak keys and signatures are judged apart, not by a handshake that fails.
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_NO_AUTO_CHAIN);
    if (SSL_CTX_set_min_proto_version(context_.get(), old ? TLS1_VERSION : TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context_.get(), old ? TLS1_1_VERSION
                                                      : options_.versions == TlsVersions::kUpTo12
                                                          ? TLS1_2_VERSION
                                                          : TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context_.get(), "DEFAULT:@SECLEVEL=0") != 1) {
      return false;
    }
    SSL_CTX_set_cert_verify_callback(context_.get(), OnChain, &out_);
    SSL_CTX_set_cert_cb(context_.get(), OnRequest, &out_);
    SSL_CTX_set_info_callback(context_.get(), OnInfo);
    SSL_CTX_set_msg_callback(context_.get(), OnMessage);
    SSL_CTX_set_app_data(context_.get(), &out_);
    if (options_.credentials != nullptr && !UseCredentials()) return false;

    ssl_.reset(SSL_new(context_.get()));
    if (ssl_ == nullptr) return false;
    in_ = BIO_new(BIO_s_mem());
    written_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, written_);  // owns both
    SSL_set_connect_state(ssl_.get());
    if (!options_.server_name.empty() &&
        SSL_set_tlsext_host_name(ssl_.get(), options_.server_name.c_str()) != 1) {
      return false;
    }
    std::string protocols;
    for (const std::string& protocol : options_.alpn) {
      protocols += static_cast<char>(protocol.size());
      protocols += protocol;
    }
    return protocols.empty() ||
           SSL_set_alpn_protos(ssl_.get(), openssl::Bytes(std::as_const(protocols)),
                               static_cast<unsigned>(protocols.size())) == 0;
  }

  bool UseCredentials() {
    const auto read = [](const Certificate& certificate) {
      const unsigned char* at = openssl::Bytes(certificate.der());
      return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())));
    };
    const std::vector<Certificate>& chain = options_.credentials->chain;
    const Secret pem = options_.credentials->key.ToPem();
    const openssl::BioPtr bio(
        BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size())));
    const openssl::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    const X509Ptr leaf = read(chain.front());
    if (key == nullptr || leaf == nullptr ||
        SSL_CTX_use_certificate(context_.get(), leaf.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1) {
      return false;
    }
    for (size_t i = 1; i < chain.size(); ++i) {
      const X509Ptr more = read(chain[i]);
      if (more == nullptr || SSL_CTX_add1_chain_cert(context_.get(), more.get()) != 1) return false;
    }
    return true;
  }

  bool Handshake() {
    while (true) {
      ERR_clear_error();
      const int result = SSL_do_handshake(ssl_.get());
      const int error = SSL_get_error(ssl_.get(), result);
      Flush(options_.handshake_deadline);
      NoteParameters();
      if (result == 1) {
        out_.handshake_done = true;
        return true;
      }
      if (error == SSL_ERROR_WANT_READ) {
        if (Receive(options_.handshake_deadline)) continue;
      } else {
        NoteError();
      }
      return false;
    }
  }

  void NoteParameters() {
    const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
    if (cipher == nullptr) return;  // before the server's hello
    out_.version = SSL_get_version(ssl_.get());
    out_.cipher = SSL_CIPHER_get_name(cipher);
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
    out_.alpn.assign(reinterpret_cast<const char*>(chosen), size);
  }

  void Exchange() {
    const Deadline deadline = steady_clock::now() + options_.answer_time;
    const std::string request = options_.request(out_.alpn);
    ERR_clear_error();
    if (!request.empty() &&
        SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size())) <= 0) {
      NoteError();
      return;
    }
    Flush(deadline);
    std::string piece(size_t{16} << 10, '\0');
    while (true) {
      ERR_clear_error();
      const int size = SSL_read(ssl_.get(), piece.data(), static_cast<int>(piece.size()));
      if (size > 0) {
        out_.answer.append(piece, 0, static_cast<size_t>(size));
        if (options_.is_whole(out_.alpn, out_.answer)) return;
        if (out_.answer.size() <= kMostAnswer) continue;
        out_.answer.resize(kMostAnswer);
        return;
      }
      const int error = SSL_get_error(ssl_.get(), size);
      Flush(deadline);  // an answer of TLS itself, such as a new key
      if (error == SSL_ERROR_WANT_READ) {
        if (Receive(deadline)) continue;
      } else if (error == SSL_ERROR_ZERO_RETURN) {
        out_.end = TlsEnd::kClosed;
      } else {
        NoteError();
      }
      return;
    }
  }

  // More bytes for TLS; otherwise says in `end` why there are none.
  bool Receive(Deadline deadline) {
    const std::string bytes = socket_.Receive(deadline);
    if (bytes.empty()) {
      switch (socket_.state()) {
        case Socket::State::kTimedOut:
          out_.end = TlsEnd::kTimedOut;
          break;
        case Socket::State::kClosed:
          out_.end = TlsEnd::kClosed;
          break;
        default:
          out_.end = TlsEnd::kReset;
          out_.error = socket_.error();
      }
      return false;
    }
    if (received_ == 0 && (bytes.front() < 20 || bytes.front() > 23)) {
      // A record begins with its kind (RFC 8446 section 5.1).
      out_.first_bytes = bytes.substr(0, kMostFirstBytes);
      out_.end = TlsEnd::kNotTls;
      return false;
    }
    received_ += bytes.size();
    if (received_ > kMostReceived) {
      out_.end = TlsEnd::kTooMuch;
      return false;
    }
    BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    return true;
  }

  void Flush(Deadline deadline = steady_clock::now() + std::chrono::milliseconds(1)) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(written_, &bytes);
    // A peer that takes no more may still have said why: what it sent is read all the same.
    if (size > 0) socket_.Send({bytes, static_cast<size_t>(size)}, deadline);
    BIO_reset(written_);
  }

  void NoteError() {
    out_.end = out_.alert.has_value() ? TlsEnd::kAlert : TlsEnd::kGivenUp;
    out_.local_error = openssl::TakeError();
  }

  static int OnChain(X509_STORE_CTX* store, void* state) {
    auto& out = *static_cast<TlsProbe*>(state);
    out.chain.clear();  // of a handshake before, when TLS 1.2 makes another
    out.chain_status = absl::OkStatus();
    const STACK_OF(X509)* shown = X509_STORE_CTX_get0_untrusted(store);
    const int count = shown == nullptr ? 0 : std::min(sk_X509_num(shown), kMostCertificates);
    for (int i = 0; i < count; ++i) {
      absl::StatusOr<Certificate> certificate =
          Certificate::FromDer(DerOf(sk_X509_value(shown, i)));
      if (!certificate.ok()) {
        out.chain_status = WithContext(certificate.status(),
                                       "certificate " + std::to_string(i + 1) + " of the chain");
        break;
      }
      out.chain.push_back(*std::move(certificate));
    }
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }

  // Called when the server asks for a certificate, also when we have none.
  static int OnRequest(SSL* ssl, void* state) {
    auto& out = *static_cast<TlsProbe*>(state);
    out.certificate_requested = true;
    const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(ssl);
    const int count = names == nullptr ? 0 : std::min(sk_X509_NAME_num(names), kMostAuthorities);
    for (int i = 0; i < count; ++i) {
      const unsigned char* der = nullptr;
      size_t size = 0;
      if (X509_NAME_get0_der(sk_X509_NAME_value(names, i), &der, &size) != 1) continue;
      const absl::StatusOr<DistinguishedName> name =
          DistinguishedName::FromDer({reinterpret_cast<const char*>(der), size});
      if (name.ok()) out.accepted_authorities.push_back(*name);
    }
    return 1;
  }

  static void OnMessage(int written, int version, int kind, const void* bytes, size_t size,
                        SSL* ssl, void* /*state*/) {
    if (written != 0 || version != TLS1_3_VERSION || kind != SSL3_RT_HANDSHAKE || size == 0) return;
    if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_NEWSESSION_TICKET) return;
    static_cast<TlsProbe*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->sent_ticket = true;
  }

  static void OnInfo(const SSL* ssl, int where, int value) {
    constexpr int kAlertBits = 0xff;
    // Ours have a bit in common with the other side's.
    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT) return;
    auto& out = *static_cast<TlsProbe*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const int alert = value & kAlertBits;
    if (value >> 8 == SSL3_AL_FATAL) {
      out.alert = alert;
    } else if (alert == kUnrecognizedName) {
      out.warned_of_name = true;
    }
  }

  const TlsProbeOptions& options_;
  TlsProbe out_;
  Socket socket_;
  ContextPtr context_;
  SslPtr ssl_;
  BIO* in_ = nullptr;       // owned by ssl_
  BIO* written_ = nullptr;  // owned by ssl_
  size_t received_ = 0;
};

}  // namespace

TlsProbe ProbeTls(Socket socket, const TlsProbeOptions& options) {
  return Probing(std::move(socket), options).Run();
}

}  // namespace troth
