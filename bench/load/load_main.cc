// Puts load on a server for a moment and prints one line of JSON with what was measured.
// bench/compare.py runs it.
#include <cstdio>
#include <exception>
#include <utility>

#include "bench/load/flags.h"
#include "bench/load/measurement.h"

namespace bench {
namespace {

int Main(int argc, char** argv) {
  CLI::App app{"Puts load on a server and prints what was measured as JSON."};
  CredentialFlags credentials;
  credentials.Add(app);
  Load load;
  double warm_up = 0.2, window = 1;
  app.add_option("--target", load.target, "ADDRESS:PORT")->required();
  app.add_option("--server-pid", load.server, "whose CPU time counts")->required();
  app.add_option("--at-once", load.at_once, "calls in flight, or handshakes side by side");
  app.add_option("--warm-up", warm_up, "seconds before the window");
  app.add_option("--window", window, "seconds that are measured");
  app.require_subcommand(1)->fallthrough();
  CLI::App* calls = app.add_subcommand("calls", "calls on one channel");
  app.add_subcommand("handshakes", "new connections with one call each");
  CLI11_PARSE(app, argc, argv);

  load.warm_up = Nanoseconds(static_cast<std::int64_t>(warm_up * 1e9));
  load.window = Nanoseconds(static_cast<std::int64_t>(window * 1e9));
  load.credentials =
      MakeChannelCredentials(credentials.library, credentials.mode, credentials.certificates);
  Measurement measured = calls->parsed() ? MeasureCalls(load) : MeasureHandshakes(load);
  PrintMeasurement(std::move(measured));
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load: %s\n", e.what());
    return 1;
  }
}
