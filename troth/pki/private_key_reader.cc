// Private keys out of PEM, with a precise answer when the text holds something else.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/key_internal.h"
#include "troth/pki/openssl_internal.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

// More would let a file keep the process busy for minutes; the common tools use 2,048 to 1,000,000.
constexpr int kMaxIterations = 10'000'000;
// scrypt's N * r * p: some seconds of work.
constexpr std::uint64_t kMaxScryptWork = std::uint64_t{1} << 24;
constexpr size_t kMaxPassphrase = 1023;  // OpenSSL's limit for the legacy form

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kKeyMalformed, message);
}

bool IsPrivateKeyLabel(std::string_view label) { return label.ends_with("PRIVATE KEY"); }

std::string Expected() { return "expected a private key (BEGIN PRIVATE KEY), got "; }

absl::Status NoPassphrase() {
  return MakeError(
      Reason::kKeyEncrypted,
      "the private key is encrypted, expected its passphrase; give one, or decrypt the "
      "key with `openssl pkey -in KEY -out PLAIN`");
}

absl::Status WrongPassphrase() {
  return MakeError(Reason::kPassphraseWrong, "the passphrase does not open the private key");
}

// The key in the DER of a PrivateKeyInfo (RFC 5208), null when there is none.
openssl::KeyPtr DecodePkcs8(std::string_view der) {
  const unsigned char* at = openssl::Bytes(der);
  const openssl::PrivateKeyInfoPtr info(
      d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  if (info == nullptr || at != openssl::Bytes(der) + der.size()) return nullptr;
  return openssl::KeyPtr(EVP_PKCS82PKEY(info.get()));
}

// The key in the DER of an RSAPrivateKey (RFC 8017) or ECPrivateKey (RFC 5915), null when there is
// none.
openssl::KeyPtr DecodeTraditional(int type, std::string_view der) {
  const unsigned char* at = openssl::Bytes(der);
  openssl::KeyPtr key(d2i_PrivateKey(type, nullptr, &at, static_cast<long>(der.size())));
  return at == openssl::Bytes(der) + der.size() ? std::move(key) : nullptr;
}

absl::Status UnsupportedEncryption(std::string_view what) {
  return Malformed("the private key is encrypted with " + std::string(what) +
                   ", expected PBES2 of bounded work; convert it with `openssl pkcs8 -topk8 -v2 "
                   "aes-256-cbc -in KEY -out NEW`");
}

bool ReadKeyDerivation(der::Reader& reader, std::string& unsupported) {
  der::Reader derivation = reader.Enter(der::kSequence, "key derivation");
  std::string oid;
  if (!derivation.ReadOid("key derivation", oid)) return false;
  der::Reader parameters = derivation.Enter(der::kSequence, "parameters");
  der::Element salt;
  if (!parameters.Read(der::kOctetString, "salt", salt)) return false;
  if (oid == "1.2.840.113549.1.5.12") {  // PBKDF2
    int iterations = 0;
    if (!parameters.ReadSmallInteger("iterations", iterations)) return false;
    if (iterations > kMaxIterations) {
      unsupported = "PBKDF2 of " + std::to_string(iterations) + " iterations";
    }
    return true;
  }
  if (oid == "1.3.6.1.4.1.11591.4.11") {  // scrypt (RFC 7914)
    int n = 0;
    int r = 0;
    int p = 0;
    if (!parameters.ReadSmallInteger("N", n) || !parameters.ReadSmallInteger("r", r) ||
        !parameters.ReadSmallInteger("p", p)) {
      return false;
    }
    const std::uint64_t rp = static_cast<std::uint64_t>(r) * static_cast<std::uint64_t>(p);
    if (rp > kMaxScryptWork || rp * static_cast<std::uint64_t>(n) > kMaxScryptWork) {
      unsupported = "scrypt of too much work";
    }
    return true;
  }
  unsupported = "key derivation " + oid;
  return true;
}

// Checks how an EncryptedPrivateKeyInfo (RFC 5208 section 6) is encrypted, before any work is put
// into it.
absl::Status CheckEncryption(std::string_view der) {
  der::Reader outer(der, "encrypted private key");
  der::Reader reader = outer.Enter(der::kSequence, "EncryptedPrivateKeyInfo");
  der::Reader algorithm = reader.Enter(der::kSequence, "encryption algorithm");
  std::string oid;
  std::string unsupported;
  bool read = outer.End("EncryptedPrivateKeyInfo") && algorithm.ReadOid("encryption", oid);
  if (read && oid == "1.2.840.113549.1.5.13") {  // PBES2 (RFC 8018)
    der::Reader parameters = algorithm.Enter(der::kSequence, "parameters");
    read = ReadKeyDerivation(parameters, unsupported);
  } else if (read && oid == "1.2.840.113549.1.12.1.3") {  // PKCS#12's SHA-1 and 3DES: older tools
    der::Reader parameters = algorithm.Enter(der::kSequence, "parameters");
    der::Element salt;
    int iterations = 0;
    read = parameters.Read(der::kOctetString, "salt", salt) &&
           parameters.ReadSmallInteger("iterations", iterations);
    if (iterations > kMaxIterations) unsupported = std::to_string(iterations) + " iterations";
  } else if (read) {
    unsupported = "algorithm " + oid;
  }
  if (!read)
    return Malformed("the encrypted private key is damaged, expected PKCS#8; copy it again");
  return unsupported.empty() ? absl::OkStatus() : UnsupportedEncryption(unsupported);
}

absl::StatusOr<openssl::KeyPtr> DecodeEncryptedPkcs8(std::string_view der,
                                                     const Secret* passphrase) {
  if (absl::Status checked = CheckEncryption(der); !checked.ok()) return checked;
  if (passphrase == nullptr) return NoPassphrase();
  const unsigned char* at = openssl::Bytes(der);
  const openssl::EncryptedKeyPtr encrypted(
      d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (encrypted == nullptr) return Malformed("the encrypted private key is damaged; copy it again");
  const std::string_view text = passphrase->Reveal();
  const openssl::PrivateKeyInfoPtr info(
      PKCS8_decrypt(encrypted.get(), text.data(), static_cast<int>(text.size())));
  if (info == nullptr) {
    // The padding is wrong, or, for one wrong passphrase of 256, right around bytes that are no
    // key.
    const bool decrypted_wrongly = openssl::TakeErrorIs(
        ERR_LIB_PKCS12, {PKCS12_R_PKCS12_CIPHERFINAL_ERROR, PKCS12_R_DECODE_ERROR});
    return decrypted_wrongly ? WrongPassphrase()
                             : UnsupportedEncryption("a cipher that is not supported");
  }
  return openssl::KeyPtr(EVP_PKCS82PKEY(info.get()));
}

// OpenSSL's callback: gives the passphrase, and never asks on the terminal.
int GivePassphrase(char* buffer, int size, int /*writing*/, void* passphrase) {
  const std::string_view text = static_cast<const Secret*>(passphrase)->Reveal();
  if (size < 0 || text.size() > static_cast<size_t>(size)) return -1;
  std::ranges::copy(text, buffer);
  return static_cast<int>(text.size());
}

// Decrypts the body of a block with "Proc-Type: 4,ENCRYPTED" and DEK-Info (RFC 1421).
absl::StatusOr<Secret> DecryptLegacy(const PemBlock& block, const Secret* passphrase) {
  // OpenSSL writes into it.
  std::string headers = block.headers + "\n";
  EVP_CIPHER_INFO cipher{};
  if (PEM_get_EVP_CIPHER_INFO(headers.data(), &cipher) != 1 || cipher.cipher == nullptr) {
    return Malformed(
        "the headers of " + DescribePemLabel(block.label) +
        " name no cipher that is supported; convert it with `openssl pkey -aes256 -in KEY "
        "-out NEW`");
  }
  if (passphrase == nullptr) return NoPassphrase();
  std::string content(block.content.Reveal());
  long length = static_cast<long>(content.size());
  const bool decrypted = passphrase->Reveal().size() <= kMaxPassphrase &&
                         PEM_do_header(&cipher, openssl::Bytes(content), &length, GivePassphrase,
                                       const_cast<Secret*>(passphrase)) == 1;
  Secret plain(decrypted ? content.substr(0, static_cast<size_t>(length)) : std::string());
  Wipe(content);
  if (!decrypted) return WrongPassphrase();
  return plain;
}

absl::StatusOr<openssl::KeyPtr> Decode(const PemBlock& block, const Secret* passphrase) {
  const auto damaged = [&] {
    return Malformed("the body of " + DescribePemLabel(block.label) +
                     " is no such key; check that the file is whole");
  };
  openssl::KeyPtr key;
  if (block.label == "PRIVATE KEY") {
    key = DecodePkcs8(block.content.Reveal());
  } else if (block.label == "ENCRYPTED PRIVATE KEY") {
    absl::StatusOr<openssl::KeyPtr> decoded =
        DecodeEncryptedPkcs8(block.content.Reveal(), passphrase);
    if (!decoded.ok()) return decoded.status();
    key = *std::move(decoded);
  } else if (block.label == "RSA PRIVATE KEY" || block.label == "EC PRIVATE KEY") {
    const int type = block.label == "RSA PRIVATE KEY" ? EVP_PKEY_RSA : EVP_PKEY_EC;
    if (block.headers.find("ENCRYPTED") == std::string::npos) {
      key = DecodeTraditional(type, block.content.Reveal());
    } else {
      const absl::StatusOr<Secret> plain = DecryptLegacy(block, passphrase);
      if (!plain.ok()) return plain.status();
      key = DecodeTraditional(type, plain->Reveal());
      // One wrong passphrase of 256 leaves padding that looks right around bytes that are no key.
      if (key == nullptr) return WrongPassphrase();
    }
  } else if (block.label == "OPENSSH PRIVATE KEY") {
    return Malformed(Expected() + DescribePemLabel(block.label) +
                     "; convert it with `ssh-keygen -p -m PKCS8 -f KEY`");
  } else {
    const bool known = block.label == "DSA PRIVATE KEY";
    return MakeError(
        known ? Reason::kAlgorithmNotAllowed : Reason::kKeyMalformed,
        Expected() + DescribePemLabel(block.label) + "; use an EC, Ed25519 or RSA key");
  }
  if (key == nullptr) return damaged();
  return key;
}

}  // namespace

absl::StatusOr<openssl::KeyPtr> ReadPrivateKeyPem(std::string_view pem, const Secret* passphrase) {
  const openssl::ErrorScope errors;
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(pem);
  if (!blocks.ok()) {
    return Malformed("expected a private key in PEM: " +
                     std::string(ToStd(blocks.status().message())));
  }
  const PemBlock* found = nullptr;
  size_t count = 0;
  std::set<std::string> others;
  for (const PemBlock& block : *blocks) {
    if (IsPrivateKeyLabel(block.label)) {
      found = &block;
      ++count;
    } else {
      others.insert(DescribePemLabel(block.label));
    }
  }
  if (count == 0) {
    return Malformed(Expected() + Join({others.begin(), others.end()}, ", ") +
                     "; give the file of the key that it was made with");
  }
  if (count > 1) {
    return Malformed("expected one private key, got " + std::to_string(count) +
                     "; keep the one that belongs to the certificate");
  }
  return Decode(*found, passphrase);
}

}  // namespace troth
