// Why a request got no answer, in words: what libcurl, OpenSSL and the other side said of it.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"

namespace troth {

// What was seen of an attempt.
struct ClientAttempt {
  enum class Stage { kConnecting, kHandshake, kAnswer };
  std::string server = {};  // "https://ca.example:8443"
  Stage stage = Stage::kConnecting;
  bool shows_certificate = false;
  // Of the TLS connection.
  absl::Status verdict = {};            // on the server's certificates
  std::optional<int> alert = {};        // that the server sent (RFC 8446 section 6)
  bool answered_in_plain_http = false;  // in place of a TLS record
  bool answered_without_tls = false;    // in any other way
  // Of the answer.
  bool too_large = false;
};

// What libcurl says of it.
struct CurlFailure {
  int code = 0;           // CURLcode
  long system_error = 0;  // errno of connecting, 0: none
  std::string text = {};  // of its error buffer
};

// With the reason that fits best, the address, and what to do.
absl::Status ExplainClientFailure(const ClientAttempt& attempt, const CurlFailure& failure);

}  // namespace troth
