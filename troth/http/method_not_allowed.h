// The answer to a method that a path does not take.
#pragma once

#include <string_view>

#include "troth/http/message.h"

namespace troth {

// 405 with an Allow field (RFC 9110 section 15.5.6). `allow`: "GET, HEAD".
HttpResponse MethodNotAllowed(const HttpRequest& request, std::string_view allow);

}  // namespace troth
