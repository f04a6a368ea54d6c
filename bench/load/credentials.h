// The credentials that are compared: gRPC's own and Troth's, with the same certificates.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "troth/authz/guard.h"
#include "troth/identity/identity_source.h"

namespace bench {

enum class Library { kGrpc, kTroth };
enum class Mode { kInsecure, kTls, kMutual };

// Where certificates are: a tree as `troth certs generate` makes it.
struct Certificates {
  std::string folder;
  std::string policy;  // of a server with Troth's credentials
};

// All of these throw std::runtime_error when a file cannot be used.

// gRPC's own.
std::shared_ptr<grpc::ServerCredentials> PlainServerCredentials(Mode mode,
                                                                const Certificates& certificates);
// What Troth's are made of.
std::shared_ptr<troth::IdentitySource> WatchServer(const Certificates& certificates);
std::shared_ptr<troth::Guard> WatchPolicy(const Certificates& certificates);

// Those of a client; kInsecure is gRPC's whichever the library.
std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(Library library, Mode mode,
                                                                 const Certificates& certificates);

}  // namespace bench
