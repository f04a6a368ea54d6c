// db_service --config FILE: the db-service behind nginx, until SIGINT or SIGTERM.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "examples/attestor/db_service.h"
#include "examples/attestor/db_service_config.h"
#include "examples/attestor/program.h"
#include "troth/base/stop_signal.h"
#include "troth/http/server.h"

namespace attestor {
namespace {

int Run(const std::string& config_file) {
  const troth::StopSignal stop;
  absl::StatusOr<DbServiceConfig> config = LoadDbServiceConfig(config_file);
  if (!config.ok()) return Fail("db_service", config.status());
  const std::string listen = config->listen;
  auto service = DbService::Open(*std::move(config));
  if (!service.ok()) return Fail("db_service", service.status());
  // Plain HTTP without a guard: nginx verifies, and asks the policy.
  const auto server = troth::HttpServer::Start({.listen = listen,
                                                .limits = {.body_bytes = kMaxBodyBytes},
                                                .name = "db-service",
                                                .access_log = false},
                                               DbServiceHandler(*std::move(service)));
  if (!server.ok()) return Fail("db_service", server.status());
  std::cout << "db-service listens on " << (*server)->address() << std::endl;
  stop.Wait();
  (*server)->Shutdown(std::chrono::seconds(5));
  return 0;
}

}  // namespace
}  // namespace attestor

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto arguments = attestor::ReadArguments(
      argc, argv, "usage: db_service --config FILE\nexample: db_service --config db-service.toml\n",
      false, exit_code);
  return arguments.has_value() ? attestor::Run(arguments->config_file) : exit_code;
}
