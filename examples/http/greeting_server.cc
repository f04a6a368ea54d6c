// A service that speaks HTTPS by itself: mutual TLS, rotation, and a policy for every request.
//
//   greeting_server CERTIFICATE PRIVATE_KEY TRUST_BUNDLE POLICY [ADDRESS:PORT]
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/http/server.h"

namespace {

int Fail(const absl::Status& status) {
  std::cerr << status.message() << " [" << troth::CodeOf(status)
            << "]\n  fix: " << troth::FixOf(status) << "\n";
  return 1;
}

// Requests come here that the policy allows. It runs on a thread of the server and must not wait;
// what takes time answers later, from any thread.
void Answer(const std::shared_ptr<const troth::HttpRequest>& request,
            const troth::HttpRespond& respond) {
  if (request->path != "/greeting") {
    return respond(troth::ProblemResponse(
        troth::MakeError(troth::Reason::kPathUnknown, "there is nothing but /greeting here")));
  }
  // The verified peer; null for who has no certificate and is let in all the same.
  const std::string who = request->peer == nullptr ? "stranger" : request->peer->Describe();
  respond({.fields = {{"Content-Type", "text/plain"}}, .body = "hello, " + who + "\n"});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc > 6) {
    std::cerr << "usage: greeting_server CERTIFICATE PRIVATE_KEY TRUST_BUNDLE POLICY "
                 "[ADDRESS:PORT]\n";
    return 64;
  }
  const troth::StopSignal stop;  // SIGINT or SIGTERM, from here on

  // Both watch their files: replace them, and new connections and requests go by the new ones.
  auto identity = troth::IdentitySource::WatchFiles(
      {.certificate = argv[1], .private_key = argv[2], .trust_bundle = argv[3]});
  if (!identity.ok()) return Fail(identity.status());
  auto guard = troth::Guard::Create({.policy_file = argv[4]});
  if (!guard.ok()) return Fail(guard.status());

  auto server = troth::HttpServer::Start(
      {.listen = argc == 6 ? argv[5] : "0.0.0.0:8443", .identity = *identity, .guard = *guard},
      Answer);
  if (!server.ok()) return Fail(server.status());
  std::cout << "listens on " << (*server)->address() << std::endl;

  stop.Wait();
  // Requests that are being answered have five seconds to end.
  (*server)->Shutdown(std::chrono::seconds(5));
  return 0;
}
