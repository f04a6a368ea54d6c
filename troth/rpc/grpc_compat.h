// Everything of gRPC that its releases do not promise to keep, in one place. Written for and tested
// with gRPC 1.51.
//
// What newer releases need:
// * grpc::ServerCredentials: until 1.5x its virtual functions are private and AddPortToServer is
// overridden, as here. Later the base takes the
//   grpc_server_credentials* in a protected constructor and nothing is overridden: one object then
//   serves one port, so make the port's hook in NewServerCredentials.
// * gpr_set_log_function (handshake_log.cc) is gone with gRPC's own log; an absl::LogSink takes its
// place.
// * ServerBuilder::ports() is protected and "to be deprecated".
// * grpc::experimental::TlsCredentials and the certificate verifier keep their names; only their
// headers move.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/authz/guard.h"
#include "troth/rpc/credentials.h"
#include "troth/rpc/server_check.h"

namespace troth::grpc_compat {

// Credentials that let `port` check every call. A server with them does not start (the reason is
// logged) when the identity has no certificate, when clients are to be verified and the trust
// bundle is empty, or when somebody set an AuthMetadataProcessor, whose place the guard takes.
//
// How certificates reach gRPC: where the TLS layer verifies clients, or asks for no certificate,
// through a function that gRPC calls for each new connection, so that a new snapshot counts from
// the next connection on. gRPC wants CA certificates from that function and names them to clients,
// and clients withhold a certificate of an issuer that is not named. So where the TLS layer asks
// without verifying, key and certificate come from memory by a path that gRPC looks at once a
// second, and no CA is named.
std::shared_ptr<grpc::ServerCredentials> NewServerCredentials(std::shared_ptr<GuardedPort> port,
                                                              Verification verification);

// Credentials of a server that must not start: logs `why` when it tries.
std::shared_ptr<grpc::ServerCredentials> NewRefusingServerCredentials(absl::Status why);

// The guard that checks calls on a port with `credentials`; null when none does.
std::shared_ptr<Guard> GuardOf(const grpc::ServerCredentials& credentials);

struct ListeningPort {
  std::string address;
  std::shared_ptr<grpc::ServerCredentials> credentials;
};
// The ports that `builder` was told to listen on (not external acceptors or in-process channels).
std::vector<ListeningPort> PortsOf(grpc::ServerBuilder& builder);

struct CallFacts {
  GuardedPort::Call call;  // without method and address
  bool resumed = false;    // the connection's TLS session began with another connection
};
// What identifies a call's connection, and what its peer showed. The views live as long as `auth`.
CallFacts FactsOf(const grpc::AuthContext& auth);

// TLS channel credentials that accept the server for which `check` says OK, and no other: gRPC
// itself verifies nothing. `key_and_chain` is the path of a PEM file (looked at once a second), or
// empty for a client without a certificate. `check` runs once a connection, on gRPC's thread; what
// it owns lives as long as the credentials and their connections.
std::shared_ptr<grpc::ChannelCredentials> NewChannelCredentials(
    const std::string& key_and_chain, std::function<absl::Status(const ShownCertificates&)> check);

}  // namespace troth::grpc_compat
