// bridge operator|verifier|aggregator --config FILE [--listen ADDR:PORT]: runs one service of the
// bridge until SIGINT or SIGTERM.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/create_channel.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include "examples/bridge/aggregator_service.h"
#include "examples/bridge/config.h"
#include "examples/bridge/operator_service.h"
#include "examples/bridge/verifier_service.h"
#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/rpc/credentials.h"

namespace bridge {
namespace {

int Fail(const absl::Status& status) {
  const troth::ReasonInfo& info =
      troth::InfoOf(troth::ReasonOf(status).value_or(troth::Reason::kInternal));
  std::cerr << "bridge: " << troth::ToStd(status.message()) << " [" << info.code
            << "]\n  fix: " << info.fix << "\n";
  return info.exit_code;
}

// Builds the one service that `role` names; the aggregator's needs channels made with its own
// certificate.
absl::StatusOr<std::unique_ptr<grpc::Service>> MakeService(const std::string& role,
                                                           const Config& config) {
  if (role == "operator") return std::make_unique<OperatorService>();
  if (role == "verifier") return std::make_unique<VerifierService>();
  absl::StatusOr<troth::FileIdentityOptions> files = config.certificates.AggregatorIdentity();
  if (!files.ok()) return files.status();
  auto identity = troth::IdentitySource::WatchFiles(*std::move(files));
  if (!identity.ok()) return identity.status();
  const auto credentials =
      troth::ChannelCredentials(*identity, {.server = troth::ExpectDnsName("localhost")});
  return std::make_unique<AggregatorService>(
      grpc::CreateChannel(config.operator_endpoint, credentials),
      grpc::CreateChannel(config.verifier_endpoint, credentials));
}

int Run(const std::string& role, const Config& config) {
  const troth::StopSignal stop;
  absl::StatusOr<troth::FileIdentityOptions> files = config.certificates.ServerIdentity();
  if (!files.ok()) return Fail(files.status());
  auto identity = troth::IdentitySource::WatchFiles(*std::move(files));
  if (!identity.ok()) return Fail(identity.status());
  auto guard = troth::Guard::Create({.policy_file = config.policy, .crl_paths = config.crls});
  if (!guard.ok()) return Fail(guard.status());
  auto service = MakeService(role, config);
  if (!service.ok()) return Fail(service.status());

  // The aggregator's users have no certificates; operator and verifier explain every refusal in the
  // answer to the call.
  const troth::ServerOptions options = {
      .client_certificate = role == "aggregator" ? troth::ClientCertificate::kDontRequest
                                                 : troth::ClientCertificate::kVerifyIfGiven,
      .verification = troth::Verification::kAtFirstCall};
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(config.listen, troth::ServerCredentials(*identity, *guard, options),
                           &port);
  builder.RegisterService(service->get());
  troth::GuardServer(builder, *guard, {.max_concurrent_calls_per_connection = 100});
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return Fail(
        troth::MakeError(troth::Reason::kConnectionFailed, "cannot listen on " + config.listen));
  }
  std::cout << role << " listens on " << config.listen.substr(0, config.listen.rfind(':')) << ":"
            << port << std::endl;

  stop.Wait();
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  return 0;
}

}  // namespace
}  // namespace bridge

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string config_file;
  std::string listen;
  for (size_t i = 1; i + 1 < arguments.size(); i += 2) {
    if (arguments[i] == "--config") config_file = arguments[i + 1];
    if (arguments[i] == "--listen") listen = arguments[i + 1];
  }
  const std::string role = arguments.empty() ? "" : arguments[0];
  if ((role != "operator" && role != "verifier" && role != "aggregator") || config_file.empty()) {
    std::cerr << "usage: bridge operator|verifier|aggregator --config FILE [--listen ADDR:PORT]\n"
                 "example: bridge operator --config operator.toml --listen 127.0.0.1:50051\n";
    return 64;
  }
  absl::StatusOr<bridge::Config> config = bridge::LoadConfig(config_file);
  if (!config.ok()) return bridge::Fail(config.status());
  if (!listen.empty()) config->listen = listen;
  return bridge::Run(role, *config);
}
