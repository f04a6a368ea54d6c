#include "bench/issue/web_token.h"

#include <random>
#include <stdexcept>
#include <utility>

#include "troth/base/encoding.h"

namespace bench {
namespace {

constexpr size_t kHalf = 32;  // of a P-256 signature
constexpr std::time_t kLifetime = 300;

troth::PrivateKey ReadKey(const std::string& pem) {
  auto key = troth::PrivateKey::FromPem(pem);
  if (!key.ok()) throw std::runtime_error(key.status().ToString());
  return *std::move(key);
}

// Takes an INTEGER of at most 32 bytes off the front of `der`, and pads it.
std::string TakeHalf(std::string_view& der) {
  const auto length = static_cast<size_t>(der[1]);
  std::string_view digits = der.substr(2, length);
  der.remove_prefix(2 + length);
  while (digits.size() > kHalf) digits.remove_prefix(1);
  return std::string(kHalf - digits.size(), '\0') + std::string(digits);
}

// RFC 7518 section 3.4: r and s side by side.
std::string Plain(std::string_view der) {
  der.remove_prefix(2);
  const std::string r = TakeHalf(der);
  return r + TakeHalf(der);
}

}  // namespace

WebTokens::WebTokens(const Options& options)
    : key_(ReadKey(options.key_pem)),
      head_(troth::ToBase64Url(R"({"alg":"ES256","typ":"JWT","kid":")" + options.issuer + "\"}")),
      claims_(R"({"iss":")" + options.issuer + R"(","aud":")" + options.audience + R"(","sha":")" +
              options.root_fingerprint + "\""),
      run_(std::to_string(std::random_device()()) + "-") {}

std::string WebTokens::Make(std::string_view name, std::time_t now) {
  const std::string subject(name);
  const std::string claims = claims_ + ",\"sub\":\"" + subject + "\",\"sans\":[\"" + subject +
                             "\"],\"iat\":" + std::to_string(now) +
                             ",\"nbf\":" + std::to_string(now) +
                             ",\"exp\":" + std::to_string(now + kLifetime) + ",\"jti\":\"" + run_ +
                             std::to_string(made_++) + "\"}";
  std::string text = head_ + "." + troth::ToBase64Url(claims);
  const auto signature = key_.Sign(text);
  if (!signature.ok()) throw std::runtime_error(signature.status().ToString());
  return text + "." + troth::ToBase64Url(Plain(*signature));
}

}  // namespace bench
