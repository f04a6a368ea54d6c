// Certificate requests that are made before anything is measured, kept in a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "troth/pki/key.h"

namespace bench {

struct RequestPool {
  std::vector<std::string> names;  // of each, as it is in the subject
  std::vector<std::string> pems;
};

struct RequestPoolOptions {
  std::uint64_t count = 0;
  troth::KeyType key_type = troth::KeyType::kP256;
  // Subjects are this and a common name: "/C=SE/O=Example". With it names are UUIDs, as Caramel's
  // signing by itself asks for; without, "host-17.web.internal".
  std::string caramel_prefix;
};

// P-256: a key each. RSA, whose keys take long to make: 16 keys for all.
// Throws std::runtime_error.
RequestPool MakeRequests(const RequestPoolOptions& options);

void WriteRequests(const RequestPool& pool, const std::string& path);
RequestPool ReadRequests(const std::string& path);

}  // namespace bench
