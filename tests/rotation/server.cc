#include "tests/rotation/server.h"

#include <grpcpp/server_builder.h>

#include <chrono>
#include <stdexcept>

#include "troth/rpc/credentials.h"

namespace rotation {

grpc::Status Server::Service::Echo(grpc::ServerContext* context, const echo::Ping* ping,
                                   echo::Pong* pong) {
  const std::shared_ptr<const troth::Peer> peer = troth::PeerOf(*context);
  pong->set_success(peer->verified && peer->certificate.has_value());
  pong->set_sseq(ping->sseq());
  pong->set_rseq(pong->success() ? clients_.IndexOf(peer->certificate->ToPem()) : -1);
  return grpc::Status::OK;
}

Server::Server(const std::shared_ptr<troth::IdentitySource>& identity,
               const std::shared_ptr<troth::Guard>& guard, const Sequence& clients)
    : service_(clients) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", troth::ServerCredentials(identity, guard), &port);
  builder.RegisterService(&service_);
  troth::GuardServer(builder, guard);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the server did not start");
  address_ = "127.0.0.1:" + std::to_string(port);
}

Server::~Server() { server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5)); }

}  // namespace rotation
