#include "troth/server/endpoint.h"

#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {

HttpHandler HandlerOf(std::vector<std::shared_ptr<Endpoint>> endpoints) {
  return [endpoints = std::move(endpoints)](const std::shared_ptr<const HttpRequest>& request,
                                            const HttpRespond& respond) {
    for (const std::shared_ptr<Endpoint>& endpoint : endpoints) {
      if (endpoint->Handle(request, respond)) return;
    }
    respond(ProblemResponse(MakeError(
        Reason::kPathUnknown, "there is nothing at " + Printable(request->path) +
                                  "; the documentation of the HTTP interface lists the paths")));
  };
}

}  // namespace troth
