// The server of `troth pong` with any credentials: what is measured. Prints "listens on
// 127.0.0.1:PORT" and runs until it is stopped.
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "bench/load/flags.h"
#include "examples/sping/pong_server.h"

namespace bench {
namespace {

void Serve(const CredentialFlags& flags) {
  troth::sping::PongOptions options;
  if (flags.library == Library::kTroth && flags.mode != Mode::kInsecure) {
    options = {.identity = WatchServer(flags.certificates),
               .guard = WatchPolicy(flags.certificates),
               .client_certificate = flags.mode == Mode::kMutual
                                         ? troth::ClientCertificate::kRequire
                                         : troth::ClientCertificate::kDontRequest};
  } else {
    options = {.credentials = PlainServerCredentials(flags.mode, flags.certificates)};
  }
  const auto server = troth::sping::PongServer::Start(options);
  if (!server.ok()) throw std::runtime_error(std::string(server.status().message()));
  std::printf("listens on 127.0.0.1:%d\n", (*server)->port());
  std::fflush(stdout);
  (*server)->Run();
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app{"Serves secure ping on a free port until it is stopped."};
  bench::CredentialFlags flags;
  flags.Add(app);
  CLI11_PARSE(app, argc, argv);
  try {
    bench::Serve(flags);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load_server: %s\n", e.what());
    return 1;
  }
}
