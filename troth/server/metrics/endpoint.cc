#include "troth/server/metrics/endpoint.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "troth/http/method_not_allowed.h"
#include "troth/server/metrics/health.h"
#include "troth/server/metrics/page.h"
#include "troth/server/metrics/trust.h"

namespace troth::metrics {
namespace {

constexpr std::string_view kCrlPath = "/crl";
constexpr std::string_view kIssuerPath = "/issuer/";

// "/crl/3" after "/crl/": 3. Only the canonical form, so that a list has one address.
std::optional<std::uint32_t> IssuerNumber(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (std::to_string(number) != text) return std::nullopt;
  return number;
}

HttpResponse UnknownIssuer() {
  return ProblemResponse(
      MakeError(Reason::kPathUnknown,
                "this authority has no issuer of that number; /crl is its newest list "
                "and the root's number is 0"));
}

class MetricsEndpoint final : public Endpoint {
 public:
  MetricsEndpoint(Authority& authority, std::function<HttpServerStatistics()> servers,
                  const Clock& clock)
      : authority_(authority), servers_(std::move(servers)), trust_(authority, clock) {}

  bool Handle(const std::shared_ptr<const HttpRequest>& request,
              const HttpRespond& respond) override {
    const std::optional<HttpResponse> response = Answer(*request);
    if (!response.has_value()) return false;
    respond(request->method == "GET" || request->method == "HEAD"
                ? *response
                : MethodNotAllowed(*request, "GET, HEAD"));
    return true;
  }

  std::vector<std::string> Methods() const override {
    return {"GET /healthz",  "HEAD /healthz",  "GET /metrics",  "HEAD /metrics",
            "GET /crl",      "HEAD /crl",      "GET /crl/*",    "HEAD /crl/*",
            "GET /issuer/*", "HEAD /issuer/*", "GET /v1/trust", "HEAD /v1/trust"};
  }

 private:
  std::optional<HttpResponse> Answer(const HttpRequest& request) {
    const std::string_view path = request.path;
    if (path == "/healthz") return HealthResponse(authority_);
    if (path == "/metrics") {
      return HttpResponse{.fields = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                          .body = MetricsPage(authority_.Statistics(),
                                              servers_ ? servers_() : HttpServerStatistics{})};
    }
    if (path == "/v1/trust") {
      return HttpResponse{
          .fields = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          .body = *trust_.Write()};
    }
    if (path == kCrlPath) return CrlResponse(authority_.IssuerNumbers().front());
    if (path.starts_with(kCrlPath) && path.substr(kCrlPath.size()).starts_with('/')) {
      const auto number = IssuerNumber(path.substr(kCrlPath.size() + 1));
      return number.has_value() ? CrlResponse(*number) : UnknownIssuer();
    }
    if (path.starts_with(kIssuerPath)) {
      const auto number = IssuerNumber(path.substr(kIssuerPath.size()));
      return number.has_value() ? IssuerResponse(*number) : UnknownIssuer();
    }
    return std::nullopt;
  }

  HttpResponse CrlResponse(std::uint32_t issuer) {
    const auto crl = authority_.CurrentCrl(issuer);
    if (!crl.ok()) return UnknownIssuer();
    // A cache may keep a list until the next one is made, which is at half of its life.
    return {.fields = {{"Content-Type", "application/pkix-crl"},
                       {"Cache-Control", "max-age=60"},
                       {"Last-Modified", FormatHttpTime((*crl)->this_update())}},
            .body = (*crl)->der()};
  }

  HttpResponse IssuerResponse(std::uint32_t number) {
    const auto certificate = authority_.IssuerOf(number);
    if (!certificate.ok()) return UnknownIssuer();
    return {
        .fields = {{"Content-Type", "application/pkix-cert"}, {"Cache-Control", "max-age=3600"}},
        .body = certificate->der()};
  }

  Authority& authority_;
  const std::function<HttpServerStatistics()> servers_;
  TrustWriter trust_;
};

}  // namespace

std::shared_ptr<Endpoint> MakeEndpoint(Authority& authority,
                                       std::function<HttpServerStatistics()> servers,
                                       const Clock& clock) {
  return std::make_shared<MetricsEndpoint>(authority, std::move(servers), clock);
}

}  // namespace troth::metrics
