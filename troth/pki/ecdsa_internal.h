// ECDSA on OpenSSL's EC_KEY rather than on EVP's keys, whose set-up for one verification costs a
// tenth of it: a type looked up by its names, contexts made and freed. The arithmetic is the same.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

typedef struct evp_pkey_st EVP_PKEY;

namespace troth {

enum class EcCurve { kP256, kP384, kP521 };

// Thread-safe, all of them: the key that a point is put into is the thread's own.

// Whether the encoded point is one of the curve.
bool IsOnCurve(EcCurve curve, std::string_view point);
// `signature` is the DER form, and nothing after it.
bool VerifyEcdsa(EcCurve curve, std::string_view point, std::string_view digest,
                 std::string_view signature);

// The private half of an EC key. Immutable.
class EcdsaSigner {
 public:
  // Null: not an EC key.
  static std::unique_ptr<const EcdsaSigner> Create(EVP_PKEY* key);
  ~EcdsaSigner();
  EcdsaSigner(const EcdsaSigner&) = delete;
  EcdsaSigner& operator=(const EcdsaSigner&) = delete;

  // Nothing when OpenSSL fails: memory or randomness is out.
  std::optional<std::string> Sign(std::string_view digest) const;

 private:
  explicit EcdsaSigner(void* key) : key_(key) {}
  void* key_;  // EC_KEY
};

}  // namespace troth
