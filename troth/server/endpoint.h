// What every HTTP front end of the authority is: paths and what answers them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "troth/http/message.h"

namespace troth {

// Answers the requests of one protocol. Thread-safe, never waits; outlives the server that calls
// it.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  // Answers when the path is one of its own; false when it is not, and then `respond` was not
  // touched.
  virtual bool Handle(const std::shared_ptr<const HttpRequest>& request,
                      const HttpRespond& respond) = 0;
  // Its methods as the guard's policy names them: "GET /healthz", "POST /v1/certificates". A path
  // with a variable part ends with '*'.
  virtual std::vector<std::string> Methods() const = 0;
};

// Asks each in turn; a path that nobody has is answered path_unknown.
HttpHandler HandlerOf(std::vector<std::shared_ptr<Endpoint>> endpoints);

}  // namespace troth
