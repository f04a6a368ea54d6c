#include <openssl/pem.h>

#include <string>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/tls_context_internal.h"
#include "troth/pki/openssl_internal.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

using X509Ptr = std::unique_ptr<X509, openssl::Deleter<X509_free>>;

// RFC 7301 section 3.1, as it goes over the wire.
constexpr std::string_view kHttp11 = "\x08http/1.1";

int ChooseProtocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* length,
                   const unsigned char* offered, unsigned offered_length, void* /*unused*/) {
  unsigned char* out = nullptr;
  if (SSL_select_next_proto(&out, length, openssl::Bytes(kHttp11),
                            static_cast<unsigned>(kHttp11.size()), offered,
                            offered_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = out;
  return SSL_TLSEXT_ERR_OK;
}

int AcceptAnyCertificate(X509_STORE_CTX* store, void* /*unused*/) {
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

X509Ptr ReadWithOpenssl(const Certificate& certificate) {
  const std::string& der = certificate.der();
  const unsigned char* at = openssl::Bytes(der);
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

// What to send behind the leaf: the intermediates, and the anchor where it is known.
std::vector<Certificate> ChainToShow(const Identity& identity, Time now) {
  std::vector<Certificate> chain(identity.chain().begin() + 1, identity.chain().end());
  const PathResult path = ValidatePath(identity.leaf(), chain, identity.trust_bundle(),
                                       {.now = now, .usage = Usage::kAny});
  if (!path.status.ok() || path.path.size() < 2) return chain;
  const Certificate& anchor = path.path.back();
  // An anchor that is an intermediate may be in the chain already, with what is above it.
  for (const Certificate& known : chain) {
    if (known == anchor) return chain;
  }
  chain.push_back(anchor);
  return chain;
}

absl::Status Failed(std::string_view what) {
  return MakeError(Reason::kInternal,
                   std::string(what) + " cannot be used for TLS: " + openssl::TakeError());
}

absl::Status UseIdentity(SSL_CTX& context, const Identity& identity, Time now) {
  const X509Ptr leaf = ReadWithOpenssl(identity.leaf());
  if (leaf == nullptr || SSL_CTX_use_certificate(&context, leaf.get()) != 1) {
    return Failed(identity.leaf().Describe());
  }
  const Secret pem = identity.private_key().ToPem();
  const openssl::BioPtr bio(
      BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size())));
  const openssl::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr || SSL_CTX_use_PrivateKey(&context, key.get()) != 1) {
    return Failed("the private key");
  }
  for (const Certificate& certificate : ChainToShow(identity, now)) {
    const X509Ptr next = ReadWithOpenssl(certificate);
    if (next == nullptr || SSL_CTX_add1_chain_cert(&context, next.get()) != 1) {
      return Failed(certificate.Describe());
    }
  }
  return absl::OkStatus();
}

// What a client may show before it is known: some certificates of a chain, RSA 4096 too.
constexpr long kMostShownBytes = 16 << 10;

bool Configure(SSL_CTX& context) {
  SSL_CTX_set_options(&context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  // With SSL_OP_NO_TICKET alone TLS 1.3 would send tickets of a server-side cache.
  SSL_CTX_set_num_tickets(&context, 0);
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  // An idle connection keeps no record buffers.
  SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_cert_list(&context, kMostShownBytes);
  SSL_CTX_set_alpn_select_cb(&context, ChooseProtocol, nullptr);
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(&context, AcceptAnyCertificate, nullptr);
  constexpr std::string_view kSessionContext = "troth";
  return SSL_CTX_set_min_proto_version(&context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(&context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
         SSL_CTX_set_session_id_context(&context, openssl::Bytes(kSessionContext),
                                        kSessionContext.size()) == 1;
}

}  // namespace

absl::StatusOr<TlsContext> MakeTlsContext(const Identity& identity, Time now) {
  const openssl::ErrorScope errors;
  if (!identity.has_certificate()) {
    return MakeError(Reason::kCertificateMissing,
                     "expected an identity with a certificate and its key, which an HTTPS server "
                     "needs, got one that only trusts");
  }
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr || !Configure(*context)) return Failed("the TLS library");
  if (absl::Status status = UseIdentity(*context, identity, now); !status.ok()) return status;
  return context;
}

absl::StatusOr<std::unique_ptr<TlsContextSource>> TlsContextSource::Create(
    std::shared_ptr<IdentitySource> identity, const Clock& clock) {
  std::unique_ptr<TlsContextSource> source(new TlsContextSource());
  source->subscription_ = identity->Subscribe(
      [self = source.get(), &clock](const std::shared_ptr<const Identity>& newest) {
        self->Replace(*newest, clock);
      });
  absl::StatusOr<TlsContext> first = MakeTlsContext(*identity->Current(), clock.Now());
  if (!first.ok()) return first.status();
  const std::lock_guard lock(source->mutex_);
  // When the subscription has already told of a change, that is newer.
  if (source->context_ == nullptr) source->context_ = *std::move(first);
  return source;
}

TlsContext TlsContextSource::Current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

void TlsContextSource::Replace(const Identity& identity, const Clock& clock) {
  absl::StatusOr<TlsContext> context = MakeTlsContext(identity, clock.Now());
  if (!context.ok()) {
    Log(LogLevel::kError, "the server keeps its old certificate",
        {{"reason", CodeOf(context.status())}, {"error", ToStd(context.status().message())}});
    return;
  }
  const std::lock_guard lock(mutex_);
  context_ = *std::move(context);
}

}  // namespace troth
