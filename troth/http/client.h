// HTTPS requests, one at a time, with Troth's trust and identity. Over libcurl, with everything in
// memory.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/http/message.h"
#include "troth/identity/identity.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/digest.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// Whom a client believes. Exactly one of the three; none with HttpClientOptions::identity_source.
struct HttpTrust {
  std::optional<TrustBundle> bundle = {};
  // SHA-256 of the root: the server's chain must reach a root with this fingerprint, which the
  // server sends at the end of its chain. Names and times are checked as ever.
  std::optional<Sha256Digest> root_fingerprint = {};
  bool system = false;  // the CAs of the system
};

struct HttpClientOptions {
  HttpTrust trust = {};
  std::shared_ptr<const Identity> identity = {};  // shown when the server asks; null: none
  // In the place of trust and identity, for a client that runs for long: each request goes by its
  // Current(), and on a connection that was made with it. A connection that was kept from before
  // a change is closed.
  std::shared_ptr<IdentitySource> identity_source = {};
  std::string user_agent = "troth";
  std::string server_name = {};  // expected in place of the URL's host
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{30'000};  // for a whole request
  size_t max_body_bytes = size_t{4} << 20;
  // Asked while a request runs, from its thread, at least once a second; true: it ends with
  // connection_failed.
  std::function<bool()> give_up = nullptr;
};

struct HttpClientRequest {
  std::string method = "GET";
  std::string url = {};  // https:// only
  HttpFields fields = {};
  std::string body = {};
};

// Keeps its connection between requests. Not thread-safe. Never follows a redirect, never uses a
// proxy that was not asked for, writes no file.
class HttpClient {
 public:
  static absl::StatusOr<std::unique_ptr<HttpClient>> Create(HttpClientOptions options);
  virtual ~HttpClient() = default;
  // The answer, whatever its status. Errors, with what was tried and what to do:
  // connection_failed (refused, no such host, timed out, reset), handshake_failed,
  // issuer_unknown, certificate_expired, certificate_not_yet_valid, name_mismatch,
  // peer_rejected_certificate, client_certificate_missing, protocol_mismatch (plain HTTP there),
  // response_too_large, usage_error.
  virtual absl::StatusOr<HttpResponse> Send(const HttpClientRequest& request) = 0;
};

}  // namespace troth
