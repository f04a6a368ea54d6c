// Public and private keys. OpenSSL does the arithmetic; no OpenSSL type appears here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"

namespace troth {

enum class KeyType { kP256, kP384, kEd25519, kRsa2048, kRsa3072, kRsa4096 };

// "p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096".
std::string_view NameOf(KeyType type);
std::optional<KeyType> KeyTypeFromName(std::string_view name);

// How a signature was made. What is read may have any of these; what Troth makes is SHA-256 or
// better.
enum class SignatureAlgorithm {
  kEcdsaSha256,
  kEcdsaSha384,
  kEcdsaSha512,
  kEd25519,
  kRsaSha256,
  kRsaSha384,
  kRsaSha512,
  kRsaPssSha256,
  kRsaPssSha384,
  kRsaPssSha512,
  kRsaSha1,    // read, never accepted
  kEcdsaSha1,  // read, never accepted
  kOther,      // any other (MD5, DSA, RSASSA-PSS with odd parameters ...): read, never accepted
};
std::string_view NameOf(SignatureAlgorithm algorithm);

// A public key as a certificate or request carries it. Immutable, cheap to copy, thread-safe.
class PublicKey {
 public:
  enum class Kind { kEc, kEd25519, kRsa, kOther };

  // Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). The structure is checked here; that a
  // point lies on its curve is checked when the key is first used. An algorithm that is not known
  // gives Kind::kOther, with which nothing verifies. Errors: certificate_malformed.
  static absl::StatusOr<PublicKey> FromDer(std::string_view subject_public_key_info);

  Kind kind() const;
  // RSA modulus or curve size in bits; 0 for kOther.
  int bits() const;
  // An RSA key that makes RSASSA-PSS signatures and no others (id-RSASSA-PSS).
  bool is_pss_only() const;
  // "P-256", "RSA 2048", "Ed25519": for people.
  std::string Describe() const;
  // The SubjectPublicKeyInfo, byte for byte as read.
  const std::string& der() const;
  // The content of its BIT STRING: what a subject key identifier hashes (RFC 5280 section 4.2.1.2).
  std::string_view key_bits() const;
  bool operator==(const PublicKey& other) const { return der() == other.der(); }

  // OK when `signature` over `message` verifies with this key. Errors: signature_invalid,
  // algorithm_not_allowed (SHA-1, or an algorithm that is not this key's).
  absl::Status Verify(SignatureAlgorithm algorithm, std::string_view message,
                      std::string_view signature) const;

  // OK for P-256, P-384, P-521, Ed25519, and RSA of 2048 to 8192 bits. Errors: key_too_weak,
  // algorithm_not_allowed, key_malformed (a point off its curve or, for Ed25519, of small order; an
  // even modulus; a public exponent that is even, under 65537 or over 64 bits).
  absl::Status CheckStrength() const;

 private:
  struct Parts;
  explicit PublicKey(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
  friend class PrivateKey;
};

// A private key. Move-only, wiped when it goes, never printed. Thread-safe once made.
class PrivateKey {
 public:
  static absl::StatusOr<PrivateKey> Generate(KeyType type);

  // Reads the one private key in `pem`: PKCS#8 (plain or encrypted), PKCS#1, SEC1, and their legacy
  // encrypted form with DEK-Info. Certificates and EC PARAMETERS beside it are skipped; a
  // passphrase for a key in the clear does not matter. Weak RSA keys are read: see
  // PublicKey::CheckStrength. Never asks on the terminal. Errors: key_malformed (says what the text
  // holds instead, or that it holds two keys, or that the key's two halves differ), key_encrypted
  // (no passphrase given), passphrase_wrong, algorithm_not_allowed (a key that is not P-256, P-384,
  // P-521, Ed25519 or RSA).
  static absl::StatusOr<PrivateKey> FromPem(std::string_view pem,
                                            const Secret* passphrase = nullptr);

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  const PublicKey& public_key() const;
  // The algorithm that Sign uses: SHA-256 for P-256 and RSA, SHA-384 for P-384, SHA-512 for P-521,
  // Ed25519.
  SignatureAlgorithm signature_algorithm() const;
  // The bytes of the signature (for ECDSA the DER form).
  absl::StatusOr<std::string> Sign(std::string_view message) const;

  // "PRIVATE KEY"; "RSA PRIVATE KEY" or "EC PRIVATE KEY" (Ed25519 has no such form: "PRIVATE KEY"
  // again).
  enum class Format { kPkcs8, kTraditional };
  // PEM in the clear. Give it to WriteFile with mode 0600 and nothing else.
  Secret ToPem(Format format = Format::kPkcs8) const;
  // PEM encrypted with `passphrase`: PBES2 with AES-256 and 600,000 rounds of PBKDF2 (a quarter of
  // a second) for kPkcs8; DEK-Info with 3DES, as certstrap writes, for kTraditional. Errors:
  // usage_error (an empty passphrase, or one over 1023 bytes for kTraditional).
  absl::StatusOr<Secret> ToEncryptedPem(const Secret& passphrase,
                                        Format format = Format::kPkcs8) const;

 private:
  struct Impl;
  explicit PrivateKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace troth
