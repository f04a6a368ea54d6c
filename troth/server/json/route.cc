#include "troth/server/json/route.h"

#include <array>

namespace troth::json {
namespace {

constexpr std::array kRoutes = {
    Route{"POST", "/v1/certificates", Access::kAnyone, Takes::kBody, Enrol},
    Route{"POST", "/v1/certificates/renew", Access::kAuthenticated, Takes::kBody, Renew},
    Route{"GET", "/v1/certificates", Access::kOperator, Takes::kQuery,
          AsOperator<ListCertificates>},
    Route{"GET", "/v1/certificates/{serial}", Access::kOperator, Takes::kNothing,
          AsOperator<ShowCertificate>},
    Route{"POST", "/v1/certificates/{serial}/revoke", Access::kOperator, Takes::kBody,
          AsOperator<RevokeCertificates>},
    Route{"POST", "/v1/requests", Access::kAnyone, Takes::kBody, Submit},
    Route{"GET", "/v1/requests", Access::kOperator, Takes::kQuery, AsOperator<ListRequests>},
    Route{"GET", "/v1/requests/{id}", Access::kAnyone, Takes::kNothing, Fetch},
    Route{"POST", "/v1/requests/{id}/approve", Access::kOperator, Takes::kBody,
          AsOperator<ApproveRequest>},
    Route{"POST", "/v1/requests/{id}/reject", Access::kOperator, Takes::kBody,
          AsOperator<RejectRequest>},
    Route{"POST", "/v1/tokens", Access::kOperator, Takes::kBody, AsOperator<CreateToken>},
    Route{"GET", "/v1/tokens", Access::kOperator, Takes::kNothing, AsOperator<ListTokens>},
    Route{"POST", "/v1/tokens/{id}/revoke", Access::kOperator, Takes::kBody,
          AsOperator<RevokeToken>},
    Route{"GET", "/v1/trust-bundle", Access::kAnyone, Takes::kNothing, GetTrustBundle},
    Route{"HEAD", "/v1/trust-bundle", Access::kAnyone, Takes::kNothing, GetTrustBundle},
};

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

std::optional<std::string_view> MatchPath(std::string_view pattern, std::string_view path) {
  const size_t brace = pattern.find('{');
  if (brace == std::string_view::npos) {
    return pattern == path ? std::optional(std::string_view()) : std::nullopt;
  }
  const std::string_view head = pattern.substr(0, brace);
  const std::string_view tail = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= head.size() + tail.size() || !path.starts_with(head) ||
      !path.ends_with(tail)) {
    return std::nullopt;
  }
  const std::string_view part = path.substr(head.size(), path.size() - head.size() - tail.size());
  if (part.find('/') != std::string_view::npos) return std::nullopt;
  return part;
}

std::string PolicyMethod(const Route& route) {
  const size_t brace = route.pattern.find('{');
  std::string out = std::string(route.method) + " " + std::string(route.pattern.substr(0, brace));
  if (brace != std::string_view::npos) out += '*';
  return out;
}

}  // namespace troth::json
