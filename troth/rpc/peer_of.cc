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
    grpc_compat::CallFacts facts = grpc_compat::FactsOf(*auth);
    facts.call.address = address;
    const std::shared_ptr<OpenPort> port = PortRegistry::Process().Find(facts.call.connection);
    if (port != nullptr) {
      const auto chain = port->CompleteChain(facts.call, facts.resumed);
      peer = port->guarded->FindPeer(facts.call);
    } else if (!facts.call.leaf_pem.empty()) {
      // Not a port of ours, or long ago: what it showed, which nobody here verified.
      absl::StatusOr<Certificate> leaf = Certificate::FromPem(facts.call.leaf_pem);
      if (leaf.ok()) {
        auto shown = std::make_shared<Peer>();
        shown->certificate = *std::move(leaf);
        peer = std::move(shown);
      }
    }
  }
  if (peer != nullptr && peer->address == address) return peer;
  // The guard meets a connection before anybody knows its address.
  auto copy = peer == nullptr ? std::make_shared<Peer>() : std::make_shared<Peer>(*peer);
  copy->address = address;
  return copy;
}

}  // namespace troth
