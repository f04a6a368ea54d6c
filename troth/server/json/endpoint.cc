#include "troth/server/json/endpoint.h"

#include <algorithm>
#include <string>
#include <utility>

#include "troth/base/reason.h"
#include "troth/http/method_not_allowed.h"
#include "troth/server/json/handler.h"
#include "troth/server/json/request.h"
#include "troth/server/json/route.h"

namespace troth::json {
namespace {

// More calls of operators than this wait only when the disk stands still.
constexpr size_t kMaxOperatorCalls = 256;

// Whether the call is made as the route takes it, before anything in it is read.
absl::Status CheckCall(const Route& route, const HttpRequest& request) {
  if (route.takes == Takes::kBody) {
    if (absl::Status status = CheckContentType(request); !status.ok()) return status;
  } else if (!request.body.empty()) {
    return MakeError(Reason::kParameterInvalid,
                     "expected no body with " + request.method + ", got one");
  }
  return route.takes == Takes::kQuery ? absl::OkStatus() : ReadEmptyQuery(request.query);
}

class JsonEndpoint final : public Endpoint {
 public:
  explicit JsonEndpoint(Authority& authority)
      : context_{.authority = authority,
                 .root_pem = authority.root().ToPem(),
                 .operators = WorkQueue(kMaxOperatorCalls)} {}

  bool Handle(const std::shared_ptr<const HttpRequest>& request,
              const HttpRespond& respond) override {
    std::string allow;  // the methods of routes that have the path and not the method
    for (const Route& route : Routes()) {
      const auto part = MatchPath(route.pattern, request->path);
      if (!part.has_value()) continue;
      if (route.method == request->method) {
        Answer(route, *part, request, respond);
        return true;
      }
      allow += (allow.empty() ? "" : ", ") + std::string(route.method);
    }
    if (allow.empty()) return false;
    context_.authority.CountRefusal(Reason::kMethodNotAllowed);
    respond(MethodNotAllowed(*request, allow));
    return true;
  }

  std::vector<std::string> Methods() const override {
    std::vector<std::string> methods;
    for (const Route& route : Routes()) {
      std::string method = PolicyMethod(route);
      if (std::ranges::find(methods, method) == methods.end()) methods.push_back(method);
    }
    return methods;
  }

 private:
  void Answer(const Route& route, std::string_view part,
              const std::shared_ptr<const HttpRequest>& request, const HttpRespond& respond) {
    if (absl::Status status = CheckCall(route, *request); !status.ok()) {
      return respond(Refuse(context_, status));
    }
    std::string decoded;
    if (!part.empty()) {
      auto read = ReadPathPart(part);
      if (!read.ok()) return respond(Refuse(context_, read.status()));
      decoded = *std::move(read);
    }
    route.answer(
        {.context = context_, .request = request, .part = std::move(decoded), .respond = respond});
  }

  Context context_;
};

}  // namespace

HttpResponse Refuse(Context& context, const absl::Status& status) {
  context.authority.CountRefusal(ReasonOf(status).value_or(Reason::kInternal));
  return ProblemResponse(status);
}

HttpResponse JsonResponse(int status, std::string body) {
  return {.status = status,
          .fields = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          .body = std::move(body)};
}

std::shared_ptr<Endpoint> MakeEndpoint(Authority& authority) {
  return std::make_shared<JsonEndpoint>(authority);
}

}  // namespace troth::json
