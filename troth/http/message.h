// HTTP requests and responses as values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "troth/authz/peer.h"
#include "troth/base/time.h"

namespace troth {

// Header fields in order; names are compared without case.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// A request, whole. Lives as long as its handler's use of it: handlers get it by shared pointer.
struct HttpRequest {
  std::string method = {};  // "GET"
  std::string target = {};  // as sent: "/v1/certificates?name=a%20b"
  std::string path = {};    // without query, not decoded: "/v1/certificates"
  std::string query = {};   // without '?'
  HttpFields fields = {};
  std::string body = {};
  bool has_content_length = false;
  std::string address = {};  // "192.0.2.1:4711", or what a trusted proxy says
  bool tls = false;
  // The peer, when it showed a certificate that is trusted now; null: anonymous.
  std::shared_ptr<const Peer> peer = {};

  // The first field of this name, or nothing.
  std::optional<std::string_view> Field(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  HttpFields fields = {};
  std::string body = {};
};

// Answers a request, from any thread, once. The later calls do nothing; dropping it unanswered
// answers 500.
using HttpRespond = std::function<void(HttpResponse)>;

// Runs on a thread of the server for a request that was let in: must not wait. May answer before
// or after it returns.
using HttpHandler =
    std::function<void(std::shared_ptr<const HttpRequest> request, HttpRespond respond)>;

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); ParseHttpTime reads its three forms.
std::string FormatHttpTime(Time time);
std::optional<Time> ParseHttpTime(std::string_view text);

// An error as RFC 9457 has it: {"type", "title", "status", "detail", "code"}; the status is the
// reason's. `detail` is the status's message.
HttpResponse ProblemResponse(const absl::Status& status);

// "%41" to "A"; '+' stays. Nothing when it is malformed.
std::optional<std::string> PercentDecode(std::string_view text);
// The decoded values of a query's `name`, in order; nothing when the query is malformed.
std::optional<std::vector<std::string>> QueryValues(std::string_view query, std::string_view name);

}  // namespace troth
