// A server that answers each call with the certificate that it has seen of the caller.
#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "echo/echo.grpc.pb.h"
#include "tests/rotation/key_pairs.h"
#include "troth/authz/guard.h"
#include "troth/identity/identity_source.h"

namespace rotation {

class Server {
 public:
  // Serves on a free port until it goes. `clients` outlives it. Throws std::runtime_error when it
  // cannot start.
  Server(const std::shared_ptr<troth::IdentitySource>& identity,
         const std::shared_ptr<troth::Guard>& guard, const Sequence& clients);
  ~Server();
  const std::string& address() const { return address_; }

 private:
  // Pong.rseq is the index of the caller's certificate, -1 for a strange one.
  class Service final : public echo::SecurePing::Service {
   public:
    explicit Service(const Sequence& clients) : clients_(clients) {}

   private:
    grpc::Status Echo(grpc::ServerContext* context, const echo::Ping* ping,
                      echo::Pong* pong) override;
    const Sequence& clients_;
  };

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace rotation
