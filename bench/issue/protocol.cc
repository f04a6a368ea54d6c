#include "bench/issue/protocol.h"

#include <ctime>
#include <random>
#include <stdexcept>
#include <utility>

#include "bench/issue/web_token.h"
#include "troth/base/encoding.h"
#include "troth/pki/digest.h"

namespace bench {
namespace {

// How long a client of Caramel waits before it asks again. Its own clients wait longer; every
// question costs the server.
constexpr std::chrono::milliseconds kCaramelWait{200};

std::string Post(const ProtocolOptions& options, std::string_view target, std::string_view fields,
                 std::string_view body) {
  std::string text;
  text.reserve(256 + fields.size() + body.size());
  text.append("POST ").append(target).append(" HTTP/1.1\r\nHost: ").append(options.host);
  text.append("\r\n").append(fields).append("Content-Length: ");
  text.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return text;
}

// PEM as the inside of a JSON string.
std::string JsonLines(std::string_view pem) {
  std::string text;
  text.reserve(pem.size() + 32);
  for (const char c : pem) {
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

[[noreturn]] void Refused(std::string_view server, unsigned status, std::string_view body) {
  throw std::runtime_error(std::string(server) + " answered " + std::to_string(status) + ": " +
                           std::string(body.substr(0, 500)));
}

// One request, one answer.
class OneCall final : public Exchange {
 public:
  OneCall(std::string_view server, std::string request, unsigned expected)
      : server_(server), request_(std::move(request)), expected_(expected) {}

  std::string First() override { return std::move(request_); }
  std::optional<Step> Next(unsigned status, std::string_view body) override {
    if (status != expected_ || body.find("BEGIN CERTIFICATE-----") == std::string_view::npos) {
      Refused(server_, status, body);
    }
    return std::nullopt;
  }

 private:
  const std::string_view server_;
  std::string request_;
  const unsigned expected_;
};

// The JSON of the requests, escaped once.
class JsonProtocol : public Protocol {
 public:
  explicit JsonProtocol(ProtocolOptions options) : options_(std::move(options)) {
    for (std::string& pem : options_.pems) pem = JsonLines(pem);
  }

 protected:
  const std::string& Pem(std::uint64_t number) const {
    return options_.pems[number % options_.pems.size()];
  }
  const std::string& Name(std::uint64_t number) const {
    return options_.names[number % options_.names.size()];
  }
  const ProtocolOptions& options() const { return options_; }

 private:
  ProtocolOptions options_;
};

class Troth final : public JsonProtocol {
 public:
  explicit Troth(ProtocolOptions options)
      : JsonProtocol(std::move(options)),
        fields_("Authorization: Bearer " + this->options().secret +
                "\r\nContent-Type: application/json\r\n") {}

  std::unique_ptr<Exchange> Begin(std::uint64_t number) override {
    // The same request sent again would get the same certificate. Text before the block is skipped.
    const std::string body =
        "{\"csr\":\"" + run_ + std::to_string(number) + "\\n" + Pem(number) + "\"}";
    return std::make_unique<OneCall>("troth", Post(options(), "/v1/certificates", fields_, body),
                                     201);
  }

 private:
  const std::string fields_;
  const std::string run_ = std::to_string(std::random_device()()) + "-";
};

class Cfssl final : public JsonProtocol {
 public:
  using JsonProtocol::JsonProtocol;

  std::unique_ptr<Exchange> Begin(std::uint64_t number) override {
    const std::string body = "{\"certificate_request\":\"" + Pem(number) + "\"}";
    return std::make_unique<OneCall>(
        "cfssl", Post(options(), "/api/v1/cfssl/sign", "Content-Type: application/json\r\n", body),
        200);
  }
};

class StepCa final : public JsonProtocol {
 public:
  explicit StepCa(ProtocolOptions options)
      : JsonProtocol(std::move(options)),
        tokens_({.key_pem = this->options().secret,
                 .issuer = this->options().provisioner,
                 .audience = "https://" + this->options().host + "/1.0/sign",
                 .root_fingerprint = this->options().root_fingerprint}) {}

  std::unique_ptr<Exchange> Begin(std::uint64_t number) override {
    const std::string body = "{\"csr\":\"" + Pem(number) + "\",\"ott\":\"" +
                             tokens_.Make(Name(number), std::time(nullptr)) + "\"}";
    return std::make_unique<OneCall>(
        "step-ca", Post(options(), "/1.0/sign", "Content-Type: application/json\r\n", body), 201);
  }

 private:
  WebTokens tokens_;
};

// Posts, then asks until the server that signs has seen to it.
class CaramelExchange final : public Exchange {
 public:
  CaramelExchange(const ProtocolOptions& options, std::string_view pem)
      : options_(options), pem_(pem), target_("/" + troth::FormatFingerprint(troth::Sha256(pem))) {}

  std::string First() override { return Post(options_, target_, "", pem_); }
  std::optional<Step> Next(unsigned status, std::string_view body) override {
    if (status == 200 && body.find("BEGIN CERTIFICATE-----") != std::string_view::npos) {
      return std::nullopt;
    }
    if (status != 202 && status != 304) Refused("caramel", status, body);
    return Step{.request = "GET " + target_ + " HTTP/1.1\r\nHost: " + options_.host + "\r\n\r\n",
                .after = kCaramelWait};
  }

 private:
  const ProtocolOptions& options_;
  const std::string_view pem_;
  const std::string target_;
};

class Caramel final : public Protocol {
 public:
  explicit Caramel(ProtocolOptions options) : options_(std::move(options)) {}

  std::unique_ptr<Exchange> Begin(std::uint64_t number) override {
    if (number >= options_.pems.size()) throw std::runtime_error("too few requests for caramel");
    return std::make_unique<CaramelExchange>(options_, options_.pems[number]);
  }

 private:
  const ProtocolOptions options_;
};

}  // namespace

std::unique_ptr<Protocol> MakeProtocol(ProtocolOptions options) {
  if (options.pems.empty()) throw std::runtime_error("no requests to send");
  const std::string server = options.server;
  if (server == "troth") return std::make_unique<Troth>(std::move(options));
  if (server == "cfssl") return std::make_unique<Cfssl>(std::move(options));
  if (server == "step-ca") return std::make_unique<StepCa>(std::move(options));
  if (server == "caramel") return std::make_unique<Caramel>(std::move(options));
  throw std::runtime_error("no server is called " + server);
}

}  // namespace bench
