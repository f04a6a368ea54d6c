// What public and private keys share. Never included by a public header.
#pragma once

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/pki/key.h"
#include "troth/pki/openssl_internal.h"

namespace troth {

struct SignatureTraits {
  PublicKey::Kind
      kind;  // of the keys that make it; kOther: nothing may be made or verified with it
  const EVP_MD* digest;  // null for Ed25519, which hashes by itself
  bool pss;
};
SignatureTraits TraitsOf(SignatureAlgorithm algorithm);
// What an ECDSA signature of `algorithm` signs.
std::string EcdsaDigest(SignatureAlgorithm algorithm, std::string_view message);

// The one private key in `pem`, of any kind that OpenSSL knows; errors as those of
// PrivateKey::FromPem.
absl::StatusOr<openssl::KeyPtr> ReadPrivateKeyPem(std::string_view pem, const Secret* passphrase);

// Prepares `context` to sign or verify; `init` is EVP_DigestSignInit or EVP_DigestVerifyInit.
template <typename Init>
bool BeginSignature(EVP_MD_CTX* context, const SignatureTraits& traits, EVP_PKEY* key, Init init) {
  EVP_PKEY_CTX* key_context = nullptr;  // owned by `context`
  if (init(context, &key_context, traits.digest, nullptr, key) != 1) return false;
  if (!traits.pss) return true;
  return EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(key_context, traits.digest) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

}  // namespace troth
