// How each server is asked for a certificate over HTTP.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct Step {
  std::string request;  // the whole HTTP request, as it is sent
  std::chrono::milliseconds after{0};
};

// One certificate that is asked for: the requests and answers on one connection.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual std::string First() = 0;
  // What to send after this answer; nothing: the certificate was in it. Throws std::runtime_error
  // when the server refused.
  virtual std::optional<Step> Next(unsigned status, std::string_view body) = 0;
};

class Protocol {
 public:
  virtual ~Protocol() = default;
  // A certificate for request `number` (it starts over behind the last one; no two have the same
  // bytes then either, where the server looks at that).
  virtual std::unique_ptr<Exchange> Begin(std::uint64_t number) = 0;
};

struct ProtocolOptions {
  std::string server;              // "troth", "caramel", "step-ca", "cfssl"
  std::string host;                // "localhost:8443"
  std::vector<std::string> names;  // of the requests
  std::vector<std::string> pems;   // the requests
  // Troth: the token; step-ca: the PEM of the provisioner's key.
  std::string secret;
  std::string root_fingerprint;  // step-ca
  std::string provisioner;       // step-ca
};

// Throws std::runtime_error for an unknown server or an unusable secret.
std::unique_ptr<Protocol> MakeProtocol(ProtocolOptions options);

}  // namespace bench
