// The client of secure ping.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/identity/identity_source.h"

namespace troth::sping {

struct PingOptions {
  std::string target;  // "localhost:3264"
  // Null: plain HTTP/2. Without a certificate: TLS, showing none.
  std::shared_ptr<IdentitySource> identity;
  // Whom to expect: "" the target's host; a DNS name or IP address; "spiffe://..."; "sha256:..."
  // the fingerprint of the server's very certificate.
  std::string server_name;
  std::vector<std::string> crl_files;  // see troth::ChannelOptions
  std::string sender;
  std::chrono::milliseconds timeout{10'000};  // of one ping
};

struct Pong {
  bool in_sequence = false;                // the server has counted what we have
  std::int64_t counted = 0;                // by the server
  std::chrono::nanoseconds round_trip{0};  // without connecting
};

// One connection. Not thread-safe, but for Cancel.
class PingClient {
 public:
  // Does not connect yet. Errors: usage_error (a server name that is none).
  static absl::StatusOr<std::unique_ptr<PingClient>> Create(PingOptions options);
  virtual ~PingClient() = default;

  // Sends ping number `sequence`, counted from 1, and waits for the answer. Errors with their
  // reason: what StatusOfCall says, or what a TLS alert of the server said meanwhile.
  virtual absl::StatusOr<Pong> Ping(std::int64_t sequence) = 0;
  // Has the ping that is under way, and every later one, end with CANCELLED. From any thread.
  virtual void Cancel() = 0;
};

}  // namespace troth::sping
