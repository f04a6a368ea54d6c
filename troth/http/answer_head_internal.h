// The head of an answer, as it goes over the wire.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "troth/http/message.h"

namespace troth {

enum class ConnectionField { kNone, kClose, kKeepAlive };

struct AnswerHead {
  std::string_view server = {};  // the Server field
  std::string_view date = {};
  ConnectionField connection = ConnectionField::kNone;
};

// 200 to 599; anything else that a handler says is a mistake of its own: 500.
int StatusOf(const HttpResponse& response);
// Whether an answer of this status has a body at all (RFC 9110 section 6.4.1).
bool HasBody(int status);

// Appends status line and fields. What frames the message is written here, so the response's own
// Content-Length, Transfer-Encoding, Connection, Date and Server are left out, as are fields whose
// name is no token or whose value could end the line.
void AppendAnswerHead(const HttpResponse& response, const AnswerHead& head, std::string& out);

}  // namespace troth
