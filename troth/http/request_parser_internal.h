// Requests from bytes: Beast's parser, and what Troth asks of a request beyond it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/http/message.h"
#include "troth/http/server.h"

namespace troth {

// Reads one request. Beyond RFC 9112's grammar it asks for exactly one Host in HTTP/1.1, no
// Transfer-Encoding but `chunked`, in HTTP/1.1 only and without a Content-Length, and a target as
// ParseRequestTarget wants it. Trailer fields are dropped.
class RequestParser {
 public:
  enum class Event {
    kNeedMore,  // call again with what was not consumed and more behind it
    kHeader,    // the header is whole; once a request
    kDone,      // the request is whole
  };
  struct Progress {
    size_t consumed = 0;
    Event event = Event::kNeedMore;
  };

  // Fills `request`, which outlives the parser.
  RequestParser(HttpRequest& request, const HttpLimits& limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Reads from the front of `bytes`. Errors, after which there is no going on: http_malformed,
  // header_too_large, body_too_large, transfer_coding_unknown.
  absl::StatusOr<Progress> Take(std::string_view bytes);

  // These once the header is whole.
  bool keep_alive() const;
  bool is_http_1_0() const;
  // The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const;
  // How much of the body is still to come; nothing when it does not say (chunked).
  std::optional<std::uint64_t> body_to_come() const;
  // Reads the rest of the body and keeps nothing of it.
  void DropBody();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace troth
