// These calls are deprecated, for they know no providers.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include <array>
#include <string>

#include "troth/pki/ecdsa_internal.h"
#include "troth/pki/openssl_internal.h"

namespace troth {
namespace {

using EcKeyPtr = std::unique_ptr<EC_KEY, openssl::Deleter<EC_KEY_free>>;

constexpr std::array kCurveIds = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};

// A curve's key of one thread, and the point that is in it.
struct ThreadKey {
  EcKeyPtr key;
  std::string point;
};

// This thread's key of the curve, with the point in it; null when it is none of the curve. Decoding
// takes two microseconds, and a request's point comes twice: whether it is on the curve is asked
// before its signature is verified.
EC_KEY* WithPoint(EcCurve curve, std::string_view point) {
  thread_local std::array<ThreadKey, kCurveIds.size()> keys;
  const auto index = static_cast<size_t>(curve);
  auto& [key, present] = keys[index];
  if (key == nullptr) key.reset(EC_KEY_new_by_curve_name(kCurveIds[index]));
  if (key == nullptr) return nullptr;
  if (!present.empty() && present == point) return key.get();
  present.clear();
  if (EC_KEY_oct2key(key.get(), openssl::Bytes(point), point.size(), nullptr) != 1) return nullptr;
  present = point;
  return key.get();
}

EC_KEY* KeyOf(void* key) { return static_cast<EC_KEY*>(key); }

}  // namespace

bool IsOnCurve(EcCurve curve, std::string_view point) {
  const openssl::ErrorScope errors;
  return WithPoint(curve, point) != nullptr;
}

bool VerifyEcdsa(EcCurve curve, std::string_view point, std::string_view digest,
                 std::string_view signature) {
  const openssl::ErrorScope errors;
  EC_KEY* const key = WithPoint(curve, point);
  return key != nullptr &&
         ECDSA_verify(0, openssl::Bytes(digest), static_cast<int>(digest.size()),
                      openssl::Bytes(signature), static_cast<int>(signature.size()), key) == 1;
}

std::unique_ptr<const EcdsaSigner> EcdsaSigner::Create(EVP_PKEY* key) {
  const openssl::ErrorScope errors;
  if (EVP_PKEY_is_a(key, "EC") != 1) return nullptr;
  EC_KEY* const own = EVP_PKEY_get1_EC_KEY(key);
  if (own == nullptr) return nullptr;
  return std::unique_ptr<const EcdsaSigner>(new EcdsaSigner(own));
}

EcdsaSigner::~EcdsaSigner() { EC_KEY_free(KeyOf(key_)); }  // wipes the private number

std::optional<std::string> EcdsaSigner::Sign(std::string_view digest) const {
  EC_KEY* const key = KeyOf(key_);
  std::string signature(static_cast<size_t>(ECDSA_size(key)), '\0');
  unsigned int length = 0;
  if (ECDSA_sign(0, openssl::Bytes(digest), static_cast<int>(digest.size()),
                 openssl::Bytes(signature), &length, key) != 1) {
    return std::nullopt;
  }
  signature.resize(length);
  return signature;
}

}  // namespace troth
