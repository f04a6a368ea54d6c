#include "troth/pki/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/digest.h"
#include "troth/pki/ecdsa_internal.h"
#include "troth/pki/key_internal.h"
#include "troth/pki/openssl_internal.h"
#include "troth/pki/signature_algorithm.h"

namespace troth {
namespace {

constexpr std::array<std::pair<KeyType, std::string_view>, 6> kKeyTypeNames = {{
    {KeyType::kP256, "p256"},
    {KeyType::kP384, "p384"},
    {KeyType::kEd25519, "ed25519"},
    {KeyType::kRsa2048, "rsa2048"},
    {KeyType::kRsa3072, "rsa3072"},
    {KeyType::kRsa4096, "rsa4096"},
}};

constexpr std::string_view kEcOid = "1.2.840.10045.2.1";
constexpr std::string_view kEd25519Oid = "1.3.101.112";
constexpr std::string_view kRsaOid = "1.2.840.113549.1.1.1";
constexpr std::string_view kRsaPssOid = "1.2.840.113549.1.1.10";

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr size_t kMaxExponentBytes =
    8;  // OpenSSL verifies with none larger when the modulus is long
constexpr size_t kEd25519Bytes = 32;

struct Curve {
  std::string_view oid;
  std::string_view name;  // for people
  int bits;
  size_t coordinate_bytes;
  EcCurve id;
};
constexpr std::array kCurves = {
    Curve{"1.2.840.10045.3.1.7", "P-256", 256, 32, EcCurve::kP256},
    Curve{"1.3.132.0.34", "P-384", 384, 48, EcCurve::kP384},
    Curve{"1.3.132.0.35", "P-521", 521, 66, EcCurve::kP521},
};

// Keys to which a signature exists that verifies for a good part of all messages: the points of
// small order, and encodings that are not canonical (RFC 8032 section 5.1.3). Little-endian, the
// sign bit cleared.
bool IsDegenerateEd25519(std::string_view point) {
  static const std::array<std::string, 3> kPoints = {
      std::string(kEd25519Bytes, '\0'),  // y = 0
      // The two y of order 8.
      *FromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
      *FromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
  };
  std::string y(point);
  y.back() = static_cast<char>(y.back() & 0x7f);
  if (std::ranges::find(kPoints, y) != kPoints.end()) return true;
  if (y == std::string(1, '\x01') + std::string(kEd25519Bytes - 1, '\0')) return true;
  // p - 1 (order 2) and everything from p = 2^255 - 19 up.
  return static_cast<std::uint8_t>(y[0]) >= 0xec && y.back() == 0x7f &&
         std::all_of(y.begin() + 1, y.end() - 1, [](char c) { return c == '\xff'; });
}

int BitLength(std::string_view magnitude) {
  int bits = static_cast<int>(magnitude.size()) * 8;
  for (std::uint8_t mask = 0x80; mask != 0; mask >>= 1) {
    if ((static_cast<std::uint8_t>(magnitude[0]) & mask) != 0) break;
    --bits;
  }
  return bits;
}

// A positive INTEGER as its magnitude.
bool ReadPositive(der::Reader& reader, std::string_view field, std::string_view& out) {
  if (!reader.ReadInteger(field, out)) return false;
  if ((static_cast<std::uint8_t>(out[0]) & 0x80) != 0 || out == std::string_view("\0", 1)) {
    return reader.Fail(field, "expected a positive number");
  }
  if (out[0] == 0) out.remove_prefix(1);
  return true;
}

bool IsOdd(std::string_view magnitude) { return (magnitude.back() & 1) != 0; }

openssl::KeyPtr MakeRsaKey(std::string_view modulus, std::string_view exponent) {
  using BignumPtr = std::unique_ptr<BIGNUM, openssl::Deleter<BN_free>>;
  using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, openssl::Deleter<OSSL_PARAM_BLD_free>>;
  using ParamsPtr = std::unique_ptr<OSSL_PARAM, openssl::Deleter<OSSL_PARAM_free>>;
  const auto number = [](std::string_view bytes) {
    return BignumPtr(BN_bin2bn(openssl::Bytes(bytes), static_cast<int>(bytes.size()), nullptr));
  };
  const BignumPtr n = number(modulus);
  const BignumPtr e = number(exponent);
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
  const openssl::KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return openssl::KeyPtr(key);
}

}  // namespace

std::string_view NameOf(KeyType type) {
  return std::ranges::find(kKeyTypeNames, type, &std::pair<KeyType, std::string_view>::first)
      ->second;
}

std::optional<KeyType> KeyTypeFromName(std::string_view name) {
  const auto row =
      std::ranges::find(kKeyTypeNames, name, &std::pair<KeyType, std::string_view>::second);
  if (row == kKeyTypeNames.end()) return std::nullopt;
  return row->first;
}

std::string_view NameOf(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kEcdsaSha256:
      return "ECDSA with SHA-256";
    case SignatureAlgorithm::kEcdsaSha384:
      return "ECDSA with SHA-384";
    case SignatureAlgorithm::kEcdsaSha512:
      return "ECDSA with SHA-512";
    case SignatureAlgorithm::kEd25519:
      return "Ed25519";
    case SignatureAlgorithm::kRsaSha256:
      return "RSA with SHA-256";
    case SignatureAlgorithm::kRsaSha384:
      return "RSA with SHA-384";
    case SignatureAlgorithm::kRsaSha512:
      return "RSA with SHA-512";
    case SignatureAlgorithm::kRsaPssSha256:
      return "RSA-PSS with SHA-256";
    case SignatureAlgorithm::kRsaPssSha384:
      return "RSA-PSS with SHA-384";
    case SignatureAlgorithm::kRsaPssSha512:
      return "RSA-PSS with SHA-512";
    case SignatureAlgorithm::kRsaSha1:
      return "RSA with SHA-1";
    case SignatureAlgorithm::kEcdsaSha1:
      return "ECDSA with SHA-1";
    case SignatureAlgorithm::kOther:
      return "an unknown algorithm";
  }
  return "unknown";
}

SignatureTraits TraitsOf(SignatureAlgorithm algorithm) {
  using Kind = PublicKey::Kind;
  switch (algorithm) {
    case SignatureAlgorithm::kEcdsaSha256:
      return {Kind::kEc, openssl::Sha256Method(), false};
    case SignatureAlgorithm::kEcdsaSha384:
      return {Kind::kEc, openssl::Sha384Method(), false};
    case SignatureAlgorithm::kEcdsaSha512:
      return {Kind::kEc, openssl::Sha512Method(), false};
    case SignatureAlgorithm::kEd25519:
      return {Kind::kEd25519, nullptr, false};
    case SignatureAlgorithm::kRsaSha256:
      return {Kind::kRsa, openssl::Sha256Method(), false};
    case SignatureAlgorithm::kRsaSha384:
      return {Kind::kRsa, openssl::Sha384Method(), false};
    case SignatureAlgorithm::kRsaSha512:
      return {Kind::kRsa, openssl::Sha512Method(), false};
    case SignatureAlgorithm::kRsaPssSha256:
      return {Kind::kRsa, openssl::Sha256Method(), true};
    case SignatureAlgorithm::kRsaPssSha384:
      return {Kind::kRsa, openssl::Sha384Method(), true};
    case SignatureAlgorithm::kRsaPssSha512:
      return {Kind::kRsa, openssl::Sha512Method(), true};
    case SignatureAlgorithm::kRsaSha1:
    case SignatureAlgorithm::kEcdsaSha1:
    case SignatureAlgorithm::kOther:
      break;
  }
  return {Kind::kOther, nullptr, false};
}

std::string EcdsaDigest(SignatureAlgorithm algorithm, std::string_view message) {
  const EVP_MD* const method = TraitsOf(algorithm).digest;
  if (method == openssl::Sha256Method()) {
    const Sha256Digest digest = Sha256(message);
    return {digest.begin(), digest.end()};
  }
  std::string digest(static_cast<size_t>(EVP_MD_get_size(method)), '\0');
  unsigned int length = 0;
  if (EVP_Digest(message.data(), message.size(), openssl::Bytes(digest), &length, method,
                 nullptr) != 1) {
    std::abort();  // only when memory is out
  }
  return digest;
}

struct PublicKey::Parts {
  std::string der;
  std::string_view key_bits;  // this and the other views point into `der`
  Kind kind = Kind::kOther;
  int bits = 0;
  std::string description;
  const Curve* curve = nullptr;                     // kEc
  std::string_view modulus, exponent;               // kRsa
  bool pss_only = false;                            // kRsa: id-RSASSA-PSS
  std::optional<SignatureAlgorithm> pss_algorithm;  // the only one, when the key is bound to it

  // kEc. Looked at once.
  bool IsPointOnCurve() const {
    std::call_once(once_, [this] { on_curve_ = IsOnCurve(curve->id, key_bits); });
    return on_curve_;
  }

  // kRsa and kEd25519. Null when OpenSSL refuses the key.
  EVP_PKEY* OpenSslKey() const {
    std::call_once(once_, [this] {
      const openssl::ErrorScope errors;
      switch (kind) {
        case Kind::kRsa:
          key_ = MakeRsaKey(modulus, exponent);
          break;
        case Kind::kEd25519:
          key_.reset(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                                 openssl::Bytes(key_bits), key_bits.size()));
          break;
        case Kind::kEc:
        case Kind::kOther:
          break;
      }
    });
    return key_.get();
  }

  // Whether an algorithm of this kind of key made the signature.
  bool Verifies(SignatureAlgorithm algorithm, std::string_view message,
                std::string_view signature) const;

  // Reads the algorithm's parameters and the key after it. False with the error in one of the
  // readers.
  bool ReadEc(der::Reader& algorithm, der::Reader& outer);
  bool ReadEd25519(der::Reader& algorithm, der::Reader& outer);
  bool ReadRsa(der::Reader& algorithm, der::Reader& outer);

 private:
  mutable std::once_flag once_;
  mutable openssl::KeyPtr key_;
  mutable bool on_curve_ = false;
};

bool PublicKey::Parts::Verifies(SignatureAlgorithm algorithm, std::string_view message,
                                std::string_view signature) const {
  if (kind == Kind::kEc) {
    return VerifyEcdsa(curve->id, key_bits, EcdsaDigest(algorithm, message), signature);
  }
  const openssl::ErrorScope errors;
  EVP_PKEY* const key = OpenSslKey();
  const openssl::DigestContextPtr context(EVP_MD_CTX_new());
  return key != nullptr && context != nullptr &&
         BeginSignature(context.get(), TraitsOf(algorithm), key, EVP_DigestVerifyInit) &&
         EVP_DigestVerify(context.get(), openssl::Bytes(signature), signature.size(),
                          openssl::Bytes(message), message.size()) == 1;
}

bool PublicKey::Parts::ReadEc(der::Reader& algorithm, der::Reader& outer) {
  if (algorithm.PeekTag() != der::kOid) {
    description = "EC key with explicit parameters";
    return true;
  }
  std::string oid;
  if (!algorithm.ReadOid("curve", oid) || !algorithm.End("algorithm")) return false;
  const auto known = std::ranges::find(kCurves, oid, &Curve::oid);
  if (known == kCurves.end()) {
    description = "EC key on curve " + oid;
    return true;
  }
  if (key_bits.size() == 1 + known->coordinate_bytes &&
      (key_bits[0] == 0x02 || key_bits[0] == 0x03)) {
    description = std::string(known->name) + " key in compressed form";
    return true;
  }
  if (key_bits.size() != 1 + 2 * known->coordinate_bytes || key_bits[0] != 0x04) {
    return outer.Fail("key", "expected an uncompressed point of " + std::string(known->name));
  }
  kind = Kind::kEc;
  curve = &*known;
  bits = known->bits;
  description = known->name;
  return true;
}

bool PublicKey::Parts::ReadEd25519(der::Reader& algorithm, der::Reader& outer) {
  if (!algorithm.End("algorithm")) return false;
  if (key_bits.size() != kEd25519Bytes) return outer.Fail("key", "expected 32 bytes for Ed25519");
  kind = Kind::kEd25519;
  bits = 256;
  description = "Ed25519";
  return true;
}

bool PublicKey::Parts::ReadRsa(der::Reader& algorithm, der::Reader& outer) {
  if (!pss_only) {
    der::Element null;
    if (!algorithm.Read(der::kNull, "parameters", null) || !algorithm.End("algorithm"))
      return false;
    if (!null.content.empty()) return algorithm.Fail("parameters", "a NULL has no content");
  }
  // A reader of the whole, so that offsets are counted from its beginning.
  der::Element bits_element{.tag = der::kBitString, .content = key_bits, .full = key_bits};
  der::Reader inside = outer.Into(bits_element);
  der::Reader key = inside.Enter(der::kSequence, "key");
  if (!ReadPositive(key, "modulus", modulus) || !ReadPositive(key, "exponent", exponent) ||
      !key.End("key")) {
    return outer.Fail("key",
                      "expected a modulus and an exponent, positive, in their shortest form");
  }
  if (!inside.End("key")) return outer.Fail("key", "bytes follow where it should end");
  kind = Kind::kRsa;
  bits = BitLength(modulus);
  description = (pss_only ? "RSA-PSS " : "RSA ") + std::to_string(bits);
  return true;
}

absl::StatusOr<PublicKey> PublicKey::FromDer(std::string_view subject_public_key_info) {
  auto parts = std::make_shared<Parts>();
  parts->der = std::string(subject_public_key_info);
  const auto malformed = [](const der::Reader& reader) {
    return MakeError(Reason::kCertificateMalformed, ToStd(reader.status().message()));
  };
  der::Reader whole(parts->der, "public key");
  der::Reader outer = whole.Enter(der::kSequence, "SubjectPublicKeyInfo");
  if (whole.status().ok()) whole.End("SubjectPublicKeyInfo");
  if (!whole.status().ok()) return malformed(whole);
  der::Element algorithm_element;
  std::string oid;
  int unused = 0;
  if (!outer.Read(der::kSequence, "algorithm", algorithm_element)) return malformed(outer);
  der::Reader algorithm = outer.Into(algorithm_element);
  if (!algorithm.ReadOid("algorithm", oid)) return malformed(algorithm);
  if (!outer.ReadBitString("key", parts->key_bits, unused)) return malformed(outer);
  if (unused != 0) outer.Fail("key", "expected whole octets");
  if (!outer.End("SubjectPublicKeyInfo")) return malformed(outer);

  bool read = true;
  if (oid == kEcOid) {
    read = parts->ReadEc(algorithm, outer);
  } else if (oid == kEd25519Oid) {
    read = parts->ReadEd25519(algorithm, outer);
  } else if (oid == kRsaOid) {
    read = parts->ReadRsa(algorithm, outer);
  } else if (oid == kRsaPssOid) {
    parts->pss_only = true;
    bool usable = true;
    if (!algorithm.AtEnd()) {
      const absl::StatusOr<SignatureAlgorithm> bound =
          ReadSignatureAlgorithm(algorithm_element.full);
      if (bound.ok()) {
        parts->pss_algorithm = *bound;
      } else if (ReasonOf(bound.status()).has_value()) {
        parts->description = "RSA-PSS key with parameters that are not supported";
        usable = false;
      } else {
        return MakeError(Reason::kCertificateMalformed, ToStd(bound.status().message()));
      }
    }
    if (usable) read = parts->ReadRsa(algorithm, outer);
  } else {
    parts->description = "key of algorithm " + oid;
  }
  if (!read) return malformed(algorithm.status().ok() ? outer : algorithm);
  return PublicKey(std::move(parts));
}

PublicKey::Kind PublicKey::kind() const { return parts_->kind; }
int PublicKey::bits() const { return parts_->bits; }
bool PublicKey::is_pss_only() const { return parts_->pss_only; }
std::string PublicKey::Describe() const { return parts_->description; }
const std::string& PublicKey::der() const { return parts_->der; }
std::string_view PublicKey::key_bits() const { return parts_->key_bits; }

absl::Status PublicKey::Verify(SignatureAlgorithm algorithm, std::string_view message,
                               std::string_view signature) const {
  const SignatureTraits traits = TraitsOf(algorithm);
  if (traits.kind == Kind::kOther) {
    return MakeError(Reason::kAlgorithmNotAllowed,
                     "expected a signature with SHA-256 or better, got " +
                         std::string(NameOf(algorithm)) + "; sign it again with SHA-256");
  }
  const bool fits = traits.kind == parts_->kind && (traits.pss || !parts_->pss_only) &&
                    (!parts_->pss_algorithm.has_value() || parts_->pss_algorithm == algorithm);
  if (!fits) {
    return MakeError(Reason::kAlgorithmNotAllowed,
                     "a signature by " + std::string(NameOf(algorithm)) +
                         " is not one by the key, which is " + parts_->description);
  }
  if (parts_->kind == Kind::kEc && !parts_->IsPointOnCurve()) {
    return MakeError(
        Reason::kSignatureInvalid,
        "no signature verifies with the key: its point is not on " + parts_->description);
  }
  if (parts_->Verifies(algorithm, message, signature)) return absl::OkStatus();
  return MakeError(Reason::kSignatureInvalid, "the " + std::string(NameOf(algorithm)) +
                                                  " signature does not verify with the " +
                                                  parts_->description + " key");
}

absl::Status PublicKey::CheckStrength() const {
  const auto malformed = [&](std::string_view what) {
    return MakeError(Reason::kKeyMalformed, "the " + parts_->description + " key " +
                                                std::string(what) + "; make a new key");
  };
  switch (parts_->kind) {
    case Kind::kOther:
      return MakeError(
          Reason::kAlgorithmNotAllowed,
          "expected a key on P-256, P-384 or P-521 (uncompressed), Ed25519 or RSA, got " +
              parts_->description);
    case Kind::kEc:
      if (!parts_->IsPointOnCurve()) return malformed("has a point that is not on its curve");
      return absl::OkStatus();
    case Kind::kEd25519:
      if (IsDegenerateEd25519(parts_->key_bits)) return malformed("is a point of small order");
      return absl::OkStatus();
    case Kind::kRsa:
      break;
  }
  if (parts_->bits < kMinRsaBits) {
    return MakeError(Reason::kKeyTooWeak,
                     "expected RSA of at least 2048 bits, got " + std::to_string(parts_->bits));
  }
  if (parts_->bits > kMaxRsaBits) {
    return MakeError(Reason::kAlgorithmNotAllowed,
                     "expected RSA of at most 8192 bits, got " + std::to_string(parts_->bits));
  }
  if (!IsOdd(parts_->modulus)) return malformed("has an even modulus");
  const bool exponent_small = BitLength(parts_->exponent) < 17;
  if (exponent_small || !IsOdd(parts_->exponent) || parts_->exponent.size() > kMaxExponentBytes) {
    return malformed("has a public exponent that is even, under 65537 or over 64 bits");
  }
  return absl::OkStatus();
}

}  // namespace troth
