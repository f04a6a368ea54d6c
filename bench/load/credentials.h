// The credentials that are compared: gRPC's own and Troth's, with the same certificates.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

namespace bench {

enum class Library { kGrpc, kTroth };
enum class Mode { kInsecure, kTls, kMutual };

// Where certificates are: a tree as `troth certs generate` makes it.
struct Certificates {
  std::string folder;
  std::string policy;  // of a server with Troth's credentials
};

// Throw std::runtime_error when a file cannot be used. kInsecure is gRPC's whichever the library.
std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(Library library, Mode mode,
                                                               const Certificates& certificates);
std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(Library library, Mode mode,
                                                                 const Certificates& certificates);

}  // namespace bench
