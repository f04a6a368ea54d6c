#include "troth/pki/random.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "troth/pki/openssl_internal.h"

namespace troth {

Secret RandomSecret(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_priv_bytes(openssl::Bytes(bytes), static_cast<int>(count)) != 1) std::abort();
  return Secret(std::move(bytes));
}

}  // namespace troth
