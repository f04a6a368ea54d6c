#define OPENSSL_SUPPRESS_DEPRECATED

#include "troth/pki/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "troth/base/encoding.h"
#include "troth/base/strings.h"

namespace troth {

// By OpenSSL's older calls, which use the same code for the arithmetic: those that go through EVP
// set up and take down a context each time, which costs more than hashing a certificate.
Sha256Digest Sha256(std::string_view bytes) {
  Sha256Digest digest{};
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

bool EqualInConstantTime(const Sha256Digest& a, const Sha256Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string FormatFingerprint(const Sha256Digest& digest) {
  return ToHex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::optional<Sha256Digest> ParseFingerprint(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (EqualsIgnoreCaseAscii(text.substr(0, kPrefix.size()), kPrefix)) {
    text.remove_prefix(kPrefix.size());
  }
  const std::optional<std::string> bytes = FromHex(text);
  Sha256Digest digest{};
  if (!bytes.has_value() || bytes->size() != digest.size()) return std::nullopt;
  std::ranges::transform(*bytes, digest.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return digest;
}

}  // namespace troth
