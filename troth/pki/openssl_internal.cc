#include "troth/pki/openssl_internal.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstdlib>

namespace troth::openssl {
namespace {

const EVP_MD* Fetch(const char* name) {
  const EVP_MD* method = EVP_MD_fetch(nullptr, name, nullptr);
  // Without SHA-1 and SHA-2 nothing here works: the process runs with a broken OpenSSL
  // configuration.
  if (method == nullptr) std::abort();
  return method;
}

}  // namespace

std::string TakeError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

bool TakeErrorIs(int library, std::initializer_list<int> reasons) {
  bool found = false;
  while (const unsigned long code = ERR_get_error()) {
    found = found || (ERR_GET_LIB(code) == library &&
                      std::ranges::find(reasons, ERR_GET_REASON(code)) != reasons.end());
  }
  return found;
}

ErrorScope::~ErrorScope() { ERR_clear_error(); }

const EVP_MD* Sha1Method() {
  static const EVP_MD* const method = Fetch("SHA1");
  return method;
}
const EVP_MD* Sha256Method() {
  static const EVP_MD* const method = Fetch("SHA256");
  return method;
}
const EVP_MD* Sha384Method() {
  static const EVP_MD* const method = Fetch("SHA384");
  return method;
}
const EVP_MD* Sha512Method() {
  static const EVP_MD* const method = Fetch("SHA512");
  return method;
}

}  // namespace troth::openssl
