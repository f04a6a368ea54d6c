// What bench/issue.py measures issuing with. Prints one line of JSON with what was measured.
//
//   issue_load requests   makes certificate requests to send
//   issue_load load       asks a server for certificates
//   issue_load floor      what one raw signature and one verification take
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/issue/load.h"
#include "bench/issue/protocol.h"
#include "bench/issue/requests.h"
#include "troth/base/file.h"

namespace bench {
namespace {

Nanoseconds Seconds(double seconds) {
  return Nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

// A secret comes in a file, never among the arguments.
std::string ReadSecret(const std::string& path) {
  if (path.empty()) return "";
  auto text = troth::ReadFile(path);
  if (!text.ok()) throw std::runtime_error(text.status().ToString());
  if (text->ends_with('\n') && !text->starts_with("-----")) text->pop_back();
  return *std::move(text);
}

int Main(int argc, char** argv) {
  CLI::App app{"Measures the issuing of certificates."};
  app.require_subcommand(1);

  CLI::App* make = app.add_subcommand("requests", "makes certificate requests to send");
  RequestPoolOptions wanted;
  std::string pool;
  const std::map<std::string, troth::KeyType> key_types = {{"p256", troth::KeyType::kP256},
                                                           {"rsa2048", troth::KeyType::kRsa2048}};
  make->add_option("--out", pool, "file")->required();
  make->add_option("--count", wanted.count)->required();
  make->add_option("--key-type", wanted.key_type)->transform(CLI::Transformer(key_types));
  make->add_option("--caramel-prefix", wanted.caramel_prefix, "of the subjects");

  CLI::App* send = app.add_subcommand("load", "asks a server for certificates");
  ProtocolOptions protocol;
  IssueLoad load;
  std::string secret;
  double warm_up = 0.5, window = 2;
  bool plain = false, fresh = false;
  send->add_option("--server", protocol.server, "troth, caramel, step-ca, cfssl")->required();
  send->add_option("--requests", pool, "file that `requests` made")->required();
  send->add_option("--port", load.port, "on 127.0.0.1")->required();
  send->add_option("--server-pid", load.servers, "whose CPU time counts")->required();
  send->add_option("--secret-file", secret, "token, or the provisioner's key");
  send->add_option("--root-fingerprint", protocol.root_fingerprint);
  send->add_option("--provisioner", protocol.provisioner);
  send->add_option("--connections", load.connections);
  send->add_option("--first", load.first, "number of the first request");
  send->add_flag("--plain", plain, "HTTP without TLS");
  send->add_flag("--new-connections", fresh, "one for each certificate");
  send->add_option("--warm-up", warm_up, "seconds before the window");
  send->add_option("--window", window, "seconds that are measured");

  CLI::App* floor = app.add_subcommand("floor", "one raw signature and one verification");
  double floor_time = 0.5;
  floor->add_option("--time", floor_time, "seconds");
  CLI11_PARSE(app, argc, argv);

  if (make->parsed()) {
    WriteRequests(MakeRequests(wanted), pool);
  } else if (floor->parsed()) {
    const Nanoseconds cost = MeasureFloor(Seconds(floor_time));
    std::printf("{\"floor_us\": %.2f}\n", static_cast<double>(cost.count()) / 1e3);
  } else {
    RequestPool requests = ReadRequests(pool);
    protocol.names = std::move(requests.names);
    protocol.pems = std::move(requests.pems);
    protocol.host = "localhost:" + std::to_string(load.port);
    protocol.secret = ReadSecret(secret);
    load.tls = !plain;
    load.keep = !fresh;
    load.warm_up = Seconds(warm_up);
    load.window = Seconds(window);
    PrintMeasurement(MeasureIssuing(load, *MakeProtocol(std::move(protocol))));
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "issue_load: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
