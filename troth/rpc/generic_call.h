// One call to a method of which no more than the name is known.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "troth/identity/identity.h"
#include "troth/pki/digest.h"

namespace troth {

struct GenericCall {
  std::string target = {};  // as gRPC takes it: "ipv4:127.0.0.1:50051"
  // Asked for by SNI and authority, in place of the target; empty: the target.
  std::string server_name = {};
  Sha256Digest server_certificate = {};           // the one that the server must show
  std::shared_ptr<const Identity> identity = {};  // not null; may have no certificate
  std::string method = {};                        // "/grpc.health.v1.Health/Check"
  std::chrono::milliseconds timeout{10'000};
};

// Calls the method with an empty message on a connection of its own, and gives the message that
// came back, as bytes. Errors: as StatusOfCall makes them of the call's status; protocol_mismatch
// for what no server of gRPC answered, but gRPC made of an answer of HTTP. Takes no longer
// than the timeout, but for the moment in which gRPC ends the connection.
absl::StatusOr<std::string> CallMethod(const GenericCall& call);

}  // namespace troth
