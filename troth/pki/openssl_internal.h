// What the sources of this folder share of OpenSSL: owning pointers, the one way to read its
// errors, methods fetched once. Never included by a public header.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace troth::openssl {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_vfree>>;
using EncryptedKeyPtr = std::unique_ptr<X509_SIG, Deleter<X509_SIG_free>>;
using PrivateKeyInfoPtr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Deleter<PKCS8_PRIV_KEY_INFO_free>>;

// Empties this thread's error queue and tells what its oldest error, the cause, says in words:
// "wrong tag". "unknown error" when there was none. To be called after every failure, for a stale
// error would be taken for that of a later call.
std::string TakeError();

// Whether one of these errors of `library` was among those of the failure. Empties the queue.
bool TakeErrorIs(int library, std::initializer_list<int> reasons);

// Empties this thread's error queue when it goes: for functions that fail without looking at the
// queue.
struct ErrorScope {
  ErrorScope() = default;
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
  ~ErrorScope();
};

// Fetched once for the process (a fetch costs more than the hash of a certificate). Never null.
const EVP_MD* Sha1Method();
const EVP_MD* Sha256Method();
const EVP_MD* Sha384Method();
const EVP_MD* Sha512Method();

inline const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace troth::openssl
