// The server that is measured: one program, whichever credentials it has. Prints "listens on
// 127.0.0.1:PORT".
#include <cstdio>
#include <exception>

#include "bench/load/echo_server.h"
#include "bench/load/flags.h"

int main(int argc, char** argv) {
  CLI::App app{"Serves secure ping on a free port until it is stopped."};
  bench::CredentialFlags credentials;
  credentials.Add(app);
  CLI11_PARSE(app, argc, argv);
  try {
    bench::ServeEcho("127.0.0.1:0",
                     bench::MakeServerCredentials(credentials.library, credentials.mode,
                                                  credentials.certificates));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load_server: %s\n", e.what());
    return 1;
  }
}
