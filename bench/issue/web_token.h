// The one-time tokens (JWT, ES256) that step-ca takes.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "troth/pki/key.h"

namespace bench {

class WebTokens {
 public:
  struct Options {
    std::string key_pem;  // P-256
    std::string issuer;   // name of the provisioner; the key's id too
    std::string audience;
    std::string root_fingerprint;
  };
  // Throws std::runtime_error for a key that cannot be read.
  explicit WebTokens(const Options& options);

  // A token for this name, five minutes from now on, that was never made before.
  std::string Make(std::string_view name, std::time_t now);

 private:
  const troth::PrivateKey key_;
  const std::string head_;    // encoded
  const std::string claims_;  // those that all have: without the closing brace
  const std::string run_;     // what no other process' tokens have
  std::uint64_t made_ = 0;
};

}  // namespace bench
