// The server of secure ping as a program of its own, with mutual TLS: what a service needs of
// Troth, in forty lines. `troth pong` has the other modes and flags.
//
//   sping_serve CERTIFICATE PRIVATE_KEY TRUST_BUNDLE [ADDRESS:PORT]
//   TROTH_TOKEN=... sping_serve --ca HOST:PORT NAME [ADDRESS:PORT]
#include <iostream>
#include <string>
#include <utility>

#include "examples/sping/example_identity.h"
#include "examples/sping/pong_server.h"
#include "troth/rpc/handshake_log.h"

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::cerr << "usage: sping_serve CERTIFICATE PRIVATE_KEY TRUST_BUNDLE [ADDRESS:PORT]\n"
                 "       sping_serve --ca HOST:PORT NAME [ADDRESS:PORT]   (token in TROTH_TOKEN)\n";
    return 64;
  }
  troth::EnableHandshakeLog();

  auto identity = troth::sping::ExampleIdentity(argv + 1);
  if (!identity.ok()) {
    std::cerr << identity.status() << "\n";
    return 1;
  }
  troth::GuardOptions policy;
  policy.policy_text = troth::sping::kAuthenticatedMayPing;
  auto guard = troth::Guard::Create(std::move(policy));
  if (!guard.ok()) {
    std::cerr << guard.status() << "\n";
    return 1;
  }
  auto server = troth::sping::PongServer::Start({.address = argc == 5 ? argv[4] : "[::]:3264",
                                                 .identity = *std::move(identity),
                                                 .guard = *std::move(guard)});
  if (!server.ok()) {
    std::cerr << server.status() << "\n";
    return 1;
  }
  std::cout << "listens on port " << (*server)->port() << std::endl;
  (*server)->Run();
}
