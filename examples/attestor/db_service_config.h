// What the db-service's file says.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "troth/pki/key.h"

namespace attestor {

// Signing keys by the attestor's name in small letters, a DNS name of its certificate.
using AttestorKeys = std::map<std::string, troth::PublicKey>;

struct DbServiceConfig {
  // "unix:/run/db-service/http.sock". Nothing else: who could reach it past nginx could call
  // himself whom he likes.
  std::string listen;
  std::string database;
  int threshold = 2;  // so many attestors confirm a packet
  AttestorKeys attestors;
};

// Reads the file, and the key files that it names: one PEM block PUBLIC KEY each, as `openssl pkey
// -pubout` writes it. Errors: those of ReadFile; configuration_invalid, with file, line and key;
// key_malformed, key_too_weak, algorithm_not_allowed, with the file.
absl::StatusOr<DbServiceConfig> LoadDbServiceConfig(const std::string& path);

}  // namespace attestor
