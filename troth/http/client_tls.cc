#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <string_view>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/client_tls_internal.h"
#include "troth/http/server_chain_internal.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

// A chain longer than this is not looked at.
constexpr int kMostShown = 32;

absl::StatusOr<std::vector<Certificate>> ReadShown(const STACK_OF(X509) * shown) {
  std::vector<Certificate> out;
  const int count = shown == nullptr ? 0 : sk_X509_num(shown);
  if (count > kMostShown) {
    return MakeError(Reason::kPathTooComplex,
                     "the server showed " + std::to_string(count) + " certificates");
  }
  for (int i = 0; i < count; ++i) {
    unsigned char* der = nullptr;
    const int length = i2d_X509(sk_X509_value(shown, i), &der);
    if (length <= 0) return MakeError(Reason::kCertificateMalformed, "the server's certificate");
    absl::StatusOr<Certificate> certificate =
        Certificate::FromDer({reinterpret_cast<const char*>(der), static_cast<size_t>(length)});
    OPENSSL_free(der);
    if (!certificate.ok()) return WithContext(certificate.status(), "the server's certificate");
    out.push_back(*std::move(certificate));
  }
  return out;
}

Reason ReasonOfOpenssl(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Reason::kCertificateExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Reason::kCertificateNotYetValid;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return Reason::kCertificateSelfSigned;
    case X509_V_ERR_INVALID_PURPOSE:
      return Reason::kUsageNotAllowed;
    case X509_V_ERR_CERT_REVOKED:
      return Reason::kCertificateRevoked;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return Reason::kSignatureInvalid;
    default:
      return Reason::kIssuerUnknown;
  }
}

// What the server is told (RFC 8446 section 6.2), by the error that OpenSSL makes an alert of.
int AlertErrorOf(const absl::Status& verdict) {
  switch (ReasonOf(verdict).value_or(Reason::kInternal)) {
    case Reason::kCertificateExpired:
    case Reason::kCertificateNotYetValid:
      return X509_V_ERR_CERT_HAS_EXPIRED;
    case Reason::kIssuerUnknown:
    case Reason::kCertificateSelfSigned:
      return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    default:
      return X509_V_ERR_CERT_REJECTED;
  }
}

}  // namespace

// What the callbacks of a connection know.
struct ClientTls::State {
  HttpTrust trust;
  const AlternativeName* name = nullptr;
  ClientAttempt* attempt = nullptr;
};

absl::StatusOr<ClientTls> ClientTls::Create(const HttpTrust& trust, const Identity* identity) {
  const openssl::ErrorScope errors;
  ClientTls out;
  out.state_ = std::make_shared<State>(State{.trust = trust});
  if (identity == nullptr || !identity->has_certificate()) return out;
  for (const Certificate& certificate : identity->chain()) {
    const unsigned char* at = openssl::Bytes(certificate.der());
    out.chain_.emplace_back(d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())));
    if (out.chain_.back() == nullptr) {
      return MakeError(Reason::kInternal,
                       certificate.Describe() + " cannot be used for TLS: " + openssl::TakeError());
    }
  }
  const Secret pem = identity->private_key().ToPem();
  const openssl::BioPtr bio(
      BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size())));
  out.key_.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (out.key_ == nullptr) {
    return MakeError(Reason::kInternal,
                     "the private key cannot be used for TLS: " + openssl::TakeError());
  }
  return out;
}

bool ClientTls::UseIdentity(SSL_CTX& context) const {
  if (chain_.empty()) return true;
  if (SSL_CTX_use_certificate(&context, chain_.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(&context, key_.get()) != 1) {
    return false;
  }
  for (size_t i = 1; i < chain_.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(&context, chain_[i].get()) != 1) return false;
  }
  return true;
}

bool ClientTls::Prepare(SSL_CTX& context, const AlternativeName& name, ClientAttempt& attempt) {
  const openssl::ErrorScope errors;
  state_->name = &name;
  state_->attempt = &attempt;
  SSL_CTX_set_app_data(&context, state_.get());
  SSL_CTX_set_cert_verify_callback(&context, Verify, state_.get());
  SSL_CTX_set_info_callback(&context, OnInfo);
  SSL_CTX_set_msg_callback(&context, OnMessage);
  SSL_CTX_set_msg_callback_arg(&context, state_.get());
  return UseIdentity(context);
}

absl::Status ClientTls::Judge(X509_STORE_CTX& store, const State& state) {
  const absl::StatusOr<std::vector<Certificate>> shown =
      ReadShown(X509_STORE_CTX_get0_untrusted(&store));
  if (!shown.ok()) return shown.status();
  if (!state.trust.system) {
    return CheckServerChain(*shown, state.trust, *state.name, Clock::System().Now());
  }
  // libcurl has put the system's authorities into the store.
  if (X509_verify_cert(&store) != 1) {
    const int error = X509_STORE_CTX_get_error(&store);
    return MakeError(ReasonOfOpenssl(error),
                     "the server's certificate is not of an authority of the system: " +
                         std::string(X509_verify_cert_error_string(error)));
  }
  if (shown->empty()) return MakeError(Reason::kCertificateMissing, "the server showed none");
  return WithContext(CheckName(shown->front(), *state.name), "the server's certificate");
}

int ClientTls::Verify(X509_STORE_CTX* store, void* state) {
  const auto* known = static_cast<const State*>(state);
  known->attempt->verdict = Judge(*store, *known);
  const bool good = known->attempt->verdict.ok();
  X509_STORE_CTX_set_error(store, good ? X509_V_OK : AlertErrorOf(known->attempt->verdict));
  return good ? 1 : 0;
}

void ClientTls::OnInfo(const SSL* ssl, int where, int value) {
  constexpr int kAlertBits = 0xff;
  constexpr int kFatal = SSL3_AL_FATAL;
  // Ours have a bit in common with the other side's.
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || value >> 8 != kFatal) return;
  const auto* known = static_cast<const State*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  known->attempt->alert = value & kAlertBits;
}

void ClientTls::OnMessage(int is_sent, int /*version*/, int type, const void* bytes, size_t size,
                          SSL* /*ssl*/, void* state) {
  if (is_sent != 0 || type != SSL3_RT_HEADER) return;
  const std::string_view header(static_cast<const char*>(bytes), size);
  ClientAttempt& attempt = *static_cast<const State*>(state)->attempt;
  // A record begins with its kind: 20 to 24 (RFC 8446 section 5.1).
  if (header.starts_with("HTTP/")) {
    attempt.answered_in_plain_http = true;
  } else if (header.empty() || header.front() < 20 || header.front() > 24) {
    attempt.answered_without_tls = true;
  }
}

}  // namespace troth
