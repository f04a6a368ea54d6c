// The leanest secure-ping server that gRPC has: a completion queue and one thread that polls it.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

namespace bench {

// Serves until the process ends. Throws std::runtime_error when the port cannot be had.
[[noreturn]] void ServeEcho(const std::string& address,
                            std::shared_ptr<grpc::ServerCredentials> credentials);

}  // namespace bench
