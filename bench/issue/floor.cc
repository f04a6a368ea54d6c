#include <openssl/ec.h>
#include <openssl/evp.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>

#include "bench/issue/load.h"

namespace bench {
namespace {

constexpr int kAtOnce = 50;  // between two looks at the clock

using ContextPtr = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Nanoseconds ThreadCpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

// Everything that can be is prepared.
void SignAndVerify(EVP_PKEY* key, const std::string& message) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  unsigned char signature[128];
  size_t length = sizeof signature;
  const ContextPtr sign(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const ContextPtr verify(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (EVP_DigestSignInit(sign.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(sign.get(), signature, &length, bytes, message.size()) != 1 ||
      EVP_DigestVerifyInit(verify.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestVerify(verify.get(), signature, length, bytes, message.size()) != 1) {
    throw std::runtime_error("OpenSSL does not sign and verify");
  }
}

}  // namespace

Nanoseconds MeasureFloor(Nanoseconds time) {
  const KeyPtr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::string message(600, 'x');
  std::vector<Nanoseconds> each;
  for (const Nanoseconds end = ThreadCpu() + time; ThreadCpu() < end;) {
    const Nanoseconds before = ThreadCpu();
    for (int i = 0; i < kAtOnce; ++i) SignAndVerify(key.get(), message);
    each.push_back((ThreadCpu() - before) / kAtOnce);
  }
  const auto middle = each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2);
  std::nth_element(each.begin(), middle, each.end());
  return *middle;
}

}  // namespace bench
