#include "troth/pki/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>

#include "troth/base/encoding.h"
#include "troth/base/strings.h"
#include "troth/pki/openssl_internal.h"

namespace troth {

Sha256Digest Sha256(std::string_view bytes) {
  Sha256Digest digest{};
  unsigned int length = 0;
  // SHA-256 over memory fails only where OpenSSL itself is unusable or memory is out; a wrong
  // digest would be worse than the end.
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, openssl::Sha256Method(),
                 nullptr) != 1 ||
      length != digest.size()) {
    std::abort();
  }
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
