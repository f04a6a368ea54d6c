// db_service --config FILE: the db-service behind nginx, until SIGINT or SIGTERM.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "examples/attestor/db_service.h"
#include "examples/attestor/db_service_config.h"
#include "examples/attestor/packet_store.h"
#include "examples/attestor/program.h"
#include "troth/http/server.h"

namespace attestor {
namespace {

int Run(const std::string& config_file) {
  absl::StatusOr<DbServiceConfig> config = LoadDbServiceConfig(config_file);
  if (!config.ok()) return Fail("db_service", config.status());
  auto store = PacketStore::Open(config->database, config->threshold);
  if (!store.ok()) return Fail("db_service", store.status());
  auto service = std::make_unique<DbService>(*std::move(store), std::move(config->attestors));
  // Plain HTTP without a guard: nginx verifies, and asks the policy.
  const auto server = troth::HttpServer::Start({.listen = config->listen,
                                                .limits = {.body_bytes = kMaxBodyBytes},
                                                .name = "db-service",
                                                .access_log = false},
                                               DbServiceHandler(std::move(service)));
  if (!server.ok()) return Fail("db_service", server.status());
  std::cout << "db-service listens on " << (*server)->address() << std::endl;
  while (!StopSignals::WaitFor(std::chrono::hours(1))) continue;
  (*server)->Shutdown(std::chrono::seconds(5));
  return 0;
}

}  // namespace
}  // namespace attestor

int main(int argc, char** argv) {
  attestor::StopSignals::Block();
  if (argc != 3 || std::string(argv[1]) != "--config") {
    std::cerr << "usage: db_service --config FILE\nexample: db_service --config db-service.toml\n";
    return 64;
  }
  return attestor::Run(argv[2]);
}
