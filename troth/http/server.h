// An HTTPS (or plain HTTP) server with Troth's identity and guard.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/authz/guard.h"
#include "troth/http/message.h"
#include "troth/identity/identity_source.h"

namespace troth {

struct HttpLimits {
  size_t header_bytes = size_t{16} << 10;  // 431
  size_t header_fields = 100;              // 431
  size_t body_bytes = size_t{1} << 20;     // 413, before the body is read when it says its length
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds request{15'000};  // from the first byte of a request to its last
  std::chrono::milliseconds answer{60'000};   // for writing an answer to a slow reader
  std::chrono::milliseconds idle{60'000};     // between two requests of a connection
  size_t connections = 8192;  // the oldest idle one is closed for a new one; else refused
  size_t connections_per_address = 1024;
};

struct HttpServerOptions {
  std::string listen = "127.0.0.1:0";  // "ADDR:PORT", "[::1]:0", or "unix:/path" (0600)
  // Null: plain HTTP. A new snapshot serves the connections that come after it.
  std::shared_ptr<IdentitySource> identity = {};
  // Null: whoever comes is let in, and is anonymous. The guard sees "METHOD /path". Client
  // certificates are asked for and none is refused in the handshake: one that is not trusted makes
  // its holder anonymous, and only when the policy does not let anyone in is the call answered with
  // why the certificate was not good enough.
  std::shared_ptr<Guard> guard = {};
  HttpLimits limits = {};
  int threads = 2;
  // Protocols are TLS 1.2 and 1.3, without session tickets or a cache: every connection is
  // verified anew.
  // Name in log lines and in the Server field: "troth".
  std::string name = "troth";
  bool access_log = true;  // one line a request: method, path, status, bytes, time, peer, address
  const Clock* clock = &Clock::System();  // not owned
};

struct HttpServerStatistics {
  std::uint64_t accepted = 0, refused_connections = 0, handshakes_failed = 0, requests = 0,
                timed_out = 0, open = 0;
};

// Serves until it goes. Thread-safe.
class HttpServer {
 public:
  // Errors: usage_error (an address that is none), connection_failed (cannot listen there: says
  // who holds the port when it can be known), those of the identity.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options,
                                                           HttpHandler handler);
  // Shuts down as Shutdown with no patience.
  virtual ~HttpServer() = default;
  // "127.0.0.1:43211".
  virtual std::string address() const = 0;
  virtual std::uint16_t port() const = 0;  // 0 for a Unix socket
  // Listens no more, lets requests that are being answered end for at most `patience`, then closes
  // everything.
  virtual void Shutdown(std::chrono::milliseconds patience) = 0;
  virtual HttpServerStatistics Statistics() const = 0;
};

}  // namespace troth
