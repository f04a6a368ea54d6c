#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/ecdsa_internal.h"
#include "troth/pki/key.h"
#include "troth/pki/key_internal.h"
#include "troth/pki/openssl_internal.h"
#include "troth/pki/pem.h"

namespace troth {

struct PrivateKey::Impl {
  Impl(openssl::KeyPtr given, PublicKey its_public_key, SignatureAlgorithm its_algorithm)
      : key(std::move(given)),
        public_key(std::move(its_public_key)),
        algorithm(its_algorithm),
        ecdsa(EcdsaSigner::Create(key.get())) {}

  const openssl::KeyPtr key;
  const PublicKey public_key;
  const SignatureAlgorithm algorithm;
  const std::unique_ptr<const EcdsaSigner> ecdsa;  // of an EC key
};

namespace {

// PBKDF2-HMAC-SHA256 for keys on disk: about a quarter of a second for whoever guesses a
// passphrase.
constexpr int kIterations = 600'000;
constexpr size_t kSaltBytes = 16;
// OpenSSL reads no longer passphrase in the legacy form.
constexpr size_t kMaxLegacyPassphrase = 1023;

openssl::KeyPtr GenerateKey(KeyType type) {
  switch (type) {
    case KeyType::kP256:
      return openssl::KeyPtr(EVP_EC_gen("P-256"));
    case KeyType::kP384:
      return openssl::KeyPtr(EVP_EC_gen("P-384"));
    case KeyType::kEd25519:
      return openssl::KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case KeyType::kRsa2048:
      return openssl::KeyPtr(EVP_RSA_gen(2048));
    case KeyType::kRsa3072:
      return openssl::KeyPtr(EVP_RSA_gen(3072));
    case KeyType::kRsa4096:
      return openssl::KeyPtr(EVP_RSA_gen(4096));
  }
  return nullptr;
}

// The SubjectPublicKeyInfo in its canonical form, whatever form the key was read in: named curve,
// uncompressed point. It must be equal, byte for byte, to that of a certificate for the key.
absl::StatusOr<PublicKey> PublicKeyOf(EVP_PKEY* key) {
  const openssl::ErrorScope errors;
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    if (EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
                                       OSSL_PKEY_EC_ENCODING_GROUP) != 1 ||
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1) {
      return MakeError(Reason::kAlgorithmNotAllowed,
                       "expected an EC key on P-256, P-384 or P-521, got one on another curve");
    }
  }
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) {
    return MakeError(Reason::kAlgorithmNotAllowed,
                     "expected an EC, Ed25519 or RSA key, got one of another kind");
  }
  const std::string spki(reinterpret_cast<const char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return PublicKey::FromDer(spki);
}

SignatureAlgorithm AlgorithmFor(const PublicKey& key) {
  if (key.kind() == PublicKey::Kind::kEd25519) return SignatureAlgorithm::kEd25519;
  if (key.kind() == PublicKey::Kind::kRsa) return SignatureAlgorithm::kRsaSha256;
  if (key.bits() > 384) return SignatureAlgorithm::kEcdsaSha512;
  return key.bits() > 256 ? SignatureAlgorithm::kEcdsaSha384 : SignatureAlgorithm::kEcdsaSha256;
}

// Ed25519 has no form older than PKCS#8.
bool IsTraditional(PrivateKey::Format format, const PublicKey& key) {
  return format == PrivateKey::Format::kTraditional && key.kind() != PublicKey::Kind::kEd25519;
}

// What was written to a memory BIO, which wipes its own copy when it is freed.
Secret ContentOf(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return Secret(std::string(data, length > 0 ? static_cast<size_t>(length) : 0));
}

}  // namespace

PrivateKey::PrivateKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

absl::StatusOr<PrivateKey> PrivateKey::Generate(KeyType type) {
  const openssl::ErrorScope errors;
  openssl::KeyPtr key = GenerateKey(type);
  if (key == nullptr) {
    return MakeError(Reason::kInternal, "cannot generate a " + std::string(NameOf(type)) +
                                            " key: " + openssl::TakeError());
  }
  absl::StatusOr<PublicKey> public_key = PublicKeyOf(key.get());
  if (!public_key.ok()) return public_key.status();
  const SignatureAlgorithm algorithm = AlgorithmFor(*public_key);
  return PrivateKey(std::make_unique<Impl>(std::move(key), *std::move(public_key), algorithm));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(std::string_view pem, const Secret* passphrase) {
  absl::StatusOr<openssl::KeyPtr> key = ReadPrivateKeyPem(pem, passphrase);
  if (!key.ok()) return key.status();
  absl::StatusOr<PublicKey> public_key = PublicKeyOf(key->get());
  if (!public_key.ok()) {
    if (ReasonOf(public_key.status()) == Reason::kAlgorithmNotAllowed) return public_key.status();
    return MakeError(Reason::kKeyMalformed, "the private key's public half is damaged: " +
                                                std::string(ToStd(public_key.status().message())));
  }
  if (public_key->kind() == PublicKey::Kind::kOther || EVP_PKEY_is_a(key->get(), "RSA-PSS") == 1) {
    return MakeError(Reason::kAlgorithmNotAllowed,
                     "expected a private key on P-256, P-384 or P-521, Ed25519 or RSA, got " +
                         public_key->Describe() + "; make a new key");
  }
  const SignatureAlgorithm algorithm = AlgorithmFor(*public_key);
  PrivateKey read(std::make_unique<Impl>(*std::move(key), *std::move(public_key), algorithm));
  // Files carry the public half too, and OpenSSL believes it. Found out here, not in a peer's
  // handshake.
  const absl::StatusOr<std::string> signature = read.Sign("troth");
  if (!signature.ok() || !read.public_key().Verify(algorithm, "troth", *signature).ok()) {
    return MakeError(Reason::kKeyMalformed,
                     "the private key does not fit the public key in its own file; copy it again");
  }
  return read;
}

const PublicKey& PrivateKey::public_key() const { return impl_->public_key; }
SignatureAlgorithm PrivateKey::signature_algorithm() const { return impl_->algorithm; }

absl::StatusOr<std::string> PrivateKey::Sign(std::string_view message) const {
  const openssl::ErrorScope errors;
  std::string signature;
  if (impl_->ecdsa != nullptr) {
    std::optional<std::string> made = impl_->ecdsa->Sign(EcdsaDigest(impl_->algorithm, message));
    if (made.has_value()) return *std::move(made);
  } else {
    const openssl::DigestContextPtr context(EVP_MD_CTX_new());
    size_t length = static_cast<size_t>(EVP_PKEY_get_size(impl_->key.get()));
    signature.resize(length);
    if (context != nullptr &&
        BeginSignature(context.get(), TraitsOf(impl_->algorithm), impl_->key.get(),
                       EVP_DigestSignInit) &&
        EVP_DigestSign(context.get(), openssl::Bytes(signature), &length, openssl::Bytes(message),
                       message.size()) == 1) {
      signature.resize(length);
      return signature;
    }
  }
  return MakeError(Reason::kInternal, "cannot sign with the " + impl_->public_key.Describe() +
                                          " key: " + openssl::TakeError());
}

Secret PrivateKey::ToPem(Format format) const {
  const openssl::ErrorScope errors;
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  const bool written =
      bio != nullptr &&
      (!IsTraditional(format, impl_->public_key)
           ? PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr, 0,
                                           nullptr, nullptr)
           : PEM_write_bio_PrivateKey_traditional(bio.get(), impl_->key.get(), nullptr, nullptr, 0,
                                                  nullptr, nullptr)) == 1;
  if (!written) std::abort();  // only when memory is out
  return ContentOf(bio.get());
}

absl::StatusOr<Secret> PrivateKey::ToEncryptedPem(const Secret& passphrase, Format format) const {
  const std::string_view text = passphrase.Reveal();
  const bool legacy = IsTraditional(format, impl_->public_key);
  if (text.empty() || (legacy && text.size() > kMaxLegacyPassphrase)) {
    return MakeError(Reason::kUsageError,
                     text.empty()
                         ? "expected a passphrase, got an empty one"
                         : "expected a passphrase of at most 1023 bytes, got a longer one");
  }
  const openssl::ErrorScope errors;
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  const auto failed = [] {
    return MakeError(Reason::kInternal, "cannot encrypt the private key: " + openssl::TakeError());
  };
  if (bio == nullptr) return failed();
  if (legacy) {
    if (PEM_write_bio_PrivateKey_traditional(bio.get(), impl_->key.get(), EVP_des_ede3_cbc(),
                                             openssl::Bytes(text), static_cast<int>(text.size()),
                                             nullptr, nullptr) != 1) {
      return failed();
    }
    return ContentOf(bio.get());
  }
  std::array<unsigned char, kSaltBytes> salt{};
  using AlgorithmPtr = std::unique_ptr<X509_ALGOR, openssl::Deleter<X509_ALGOR_free>>;
  if (RAND_bytes(salt.data(), salt.size()) != 1) return failed();
  AlgorithmPtr algorithm(PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kIterations, salt.data(),
                                           static_cast<int>(salt.size()), nullptr,
                                           NID_hmacWithSHA256));
  const openssl::PrivateKeyInfoPtr info(EVP_PKEY2PKCS8(impl_->key.get()));
  if (algorithm == nullptr || info == nullptr) return failed();
  const openssl::EncryptedKeyPtr encrypted(
      PKCS8_set0_pbe(text.data(), static_cast<int>(text.size()), info.get(), algorithm.get()));
  if (encrypted == nullptr) return failed();
  (void)algorithm.release();  // `encrypted` owns it
  if (PEM_write_bio_PKCS8(bio.get(), encrypted.get()) != 1) return failed();
  return ContentOf(bio.get());
}

}  // namespace troth
