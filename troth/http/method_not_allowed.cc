#include "troth/http/method_not_allowed.h"

#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {

HttpResponse MethodNotAllowed(const HttpRequest& request, std::string_view allow) {
  HttpResponse response = ProblemResponse(MakeError(
      Reason::kMethodNotAllowed, Printable(request.path) + " takes " + std::string(allow) +
                                     ", not " + Printable(request.method, 20)));
  response.fields.emplace_back("Allow", std::string(allow));
  return response;
}

}  // namespace troth
