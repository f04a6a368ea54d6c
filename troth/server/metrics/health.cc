#include "troth/server/metrics/health.h"

namespace troth::metrics {

HttpResponse HealthResponse(Authority& authority) {
  if (const absl::Status status = authority.Health(); !status.ok()) {
    HttpResponse response = ProblemResponse(status);
    response.status = 503;  // whatever is wrong, it is the service that is not there
    return response;
  }
  return {.fields = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}},
          .body = "ok\n"};
}

}  // namespace troth::metrics
