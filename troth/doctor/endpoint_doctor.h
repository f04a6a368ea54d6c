// Finds what is wrong with a live TLS endpoint, and with the way in which a client calls it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/doctor/diagnosis.h"
#include "troth/doctor/endpoint.h"
#include "troth/pki/digest.h"
#include "troth/pki/name.h"

namespace troth {

// A gRPC call that is to be made.
struct EndpointCall {
  std::string target = {};               // "ipv4:127.0.0.1:50051"
  std::string host = {};                 // whom to ask for: SNI and authority
  Sha256Digest server_certificate = {};  // that of the server, which has been judged already
  std::string certificate_pem = {};      // ours, with its chain; empty: none
  Secret private_key_pem = {};
  std::string method = {};  // "/grpc.health.v1.Health/Check", called with an empty message
  std::chrono::milliseconds timeout{0};
};
// What came of it, in words ("SERVING"); otherwise the error, with a reason where Troth or TLS gave
// one, and with the status code of gRPC in any case.
using EndpointCaller = std::function<absl::StatusOr<std::string>(const EndpointCall&)>;

inline constexpr std::string_view kHealthMethod = "/grpc.health.v1.Health/Check";

// Where systems keep the authorities that they trust; the first file that there is counts.
std::vector<std::string> SystemTrustFiles();

struct EndpointOptions {
  Time now;
  // Files of the client; empty where there is none. They are examined too.
  std::string certificate = {};
  std::string private_key = {};
  std::string trust_bundle = {};
  std::vector<std::string> crls = {};
  // Whom to expect, and to ask for, in place of the host.
  std::optional<AlternativeName> server_name = {};
  // IP addresses of the host, when they are known otherwise; empty: it is looked up.
  std::vector<std::string> addresses = {};
  // For everything together: what is not known by then is not in the answer.
  std::chrono::milliseconds timeout{10'000};
  // Warns of a certificate that ends within this, but never before the last third of its life.
  Seconds warn_before = std::chrono::hours(24 * 30);
  // What is asked for: a path in HTTP, a method with a caller. Empty: "/", kHealthMethod. A policy
  // that has no rule for what was not named here is no fault.
  std::string path = {};
  // Makes gRPC calls; null: none is made, and HTTP/2 is not asked for.
  EndpointCaller call = nullptr;
  // Without a trust bundle.
  std::vector<std::string> system_trust_files = SystemTrustFiles();
};

// Resolves, connects, makes handshakes as a client of today does, with and without our certificate,
// asks for something, and says what all of it means. The first address of the host that takes a
// connection is examined; of the others, up to seven, the chain only. Without a trust bundle the
// chain is judged by the authorities of the system; when they do not know it, by itself, with a
// warning.
//
// Ends within the timeout, but for the last moments of a call's caller, whatever the other side
// does, and remembers no more than some hundred kilobytes of what it says. Changes nothing; the
// server sees up to eight connections and may log them.
Diagnosis ExamineEndpoint(const Endpoint& endpoint, const EndpointOptions& options);

}  // namespace troth
