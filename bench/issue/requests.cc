#include "bench/issue/requests.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "troth/pki/certificate_request.h"

namespace bench {
namespace {

constexpr std::uint64_t kRsaKeys = 16;
constexpr std::string_view kEnd = "-----END CERTIFICATE REQUEST-----";

template <typename T>
T Need(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return *std::move(result);
}

std::string NameOf(const RequestPoolOptions& options, std::uint64_t number) {
  if (options.caramel_prefix.empty()) return "host-" + std::to_string(number) + ".web.internal";
  const std::string digits = std::to_string(number);
  return "5f2c81a0-9d3e-4b77-8a01-" + std::string(12 - std::min<size_t>(digits.size(), 12), '0') +
         digits;
}

}  // namespace

RequestPool MakeRequests(const RequestPoolOptions& options) {
  const std::uint64_t keys =
      options.key_type == troth::KeyType::kP256 ? options.count : std::min(options.count, kRsaKeys);
  std::vector<troth::PrivateKey> made;
  RequestPool pool;
  for (std::uint64_t i = 0; i < options.count; ++i) {
    if (made.size() < keys) made.push_back(Need(troth::PrivateKey::Generate(options.key_type)));
    const troth::PrivateKey& key = made[i % made.size()];
    const std::string name = NameOf(options, i);
    std::vector<troth::AlternativeName> names;
    if (options.caramel_prefix.empty()) names = {{troth::AlternativeName::Kind::kDns, name}};
    const auto subject =
        Need(troth::DistinguishedName::FromSlashes(options.caramel_prefix + "/CN=" + name));
    pool.names.push_back(name);
    pool.pems.push_back(Need(troth::CertificateRequest::Create(key, subject, names)).ToPem());
  }
  return pool;
}

// A line with the name, then the block.
void WriteRequests(const RequestPool& pool, const std::string& path) {
  std::ofstream file(path);
  for (size_t i = 0; i < pool.pems.size(); ++i) file << pool.names[i] << "\n" << pool.pems[i];
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

RequestPool ReadRequests(const std::string& path) {
  std::ifstream file(path);
  RequestPool pool;
  std::string line, pem;
  while (std::getline(file, line)) {
    if (pool.names.size() == pool.pems.size()) {
      pool.names.push_back(line);
      continue;
    }
    pem += line + "\n";
    if (line == kEnd) pool.pems.push_back(std::exchange(pem, ""));
  }
  if (pool.pems.empty() || pool.names.size() != pool.pems.size()) {
    throw std::runtime_error(path + " does not hold requests");
  }
  return pool;
}

}  // namespace bench
