#include "examples/bridge/digest.h"

#include <random>

#include "troth/pki/digest.h"

namespace bridge {

std::string RandomKey() {
  std::random_device random;
  std::string key;
  while (key.size() < 32) key += static_cast<char>(random() & 0xff);
  return key;
}

std::string Digest(std::string_view key, std::string_view text) {
  const troth::Sha256Digest digest = troth::Sha256(std::string(key) + std::string(text));
  return {digest.begin(), digest.end()};
}

std::string PublicOf(std::string_view key) { return Digest(key, "public"); }

}  // namespace bridge
