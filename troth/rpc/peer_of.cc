#include <memory>
#include <utility>

#include "troth/rpc/credentials.h"
#include "troth/rpc/grpc_compat.h"
#include "troth/rpc/port_registry.h"

namespace troth {

std::shared_ptr<const Peer> PeerOf(const grpc::ServerContextBase& context) {
  const std::string address = context.peer();
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  std::shared_ptr<const Peer> peer;
  if (auth != nullptr) {
    GuardedPort::Call call = grpc_compat::CallOf(*auth);
    call.address = address;
    const std::shared_ptr<GuardedPort> port = PortRegistry::Process().Find(call.connection);
    if (port != nullptr) peer = port->FindPeer(call);
  }
  if (peer != nullptr && peer->address == address) return peer;
  // The guard meets a connection before anybody knows its address.
  auto copy = peer == nullptr ? std::make_shared<Peer>() : std::make_shared<Peer>(*peer);
  copy->address = address;
  return copy;
}

}  // namespace troth
