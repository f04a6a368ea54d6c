// What an attestor's file says: the keys of the seed, and what this example adds.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"

namespace attestor {

struct AttestorConfig {
  // ca_certificate, attestor_certificate, attestor_key: PEM files, watched.
  std::string ca_certificate, attestor_certificate, attestor_key;
  std::string signing_key;  // PEM file: what packets are signed with, not encrypted
  std::string db_service;   // "https://db.example:8443"
  std::string server_name;  // expected of it in place of the URL's host; empty: that one
  // As whom it signs; empty: the first DNS name of its certificate.
  std::string attestor;
  std::chrono::milliseconds poll_interval{5000};
};

// Errors: those of ReadFile; configuration_invalid, with file, line and key.
absl::StatusOr<AttestorConfig> LoadAttestorConfig(const std::string& path);

}  // namespace attestor
