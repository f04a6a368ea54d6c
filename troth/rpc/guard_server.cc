#include <google/protobuf/descriptor.h>
#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/rpc/credentials.h"
#include "troth/rpc/grpc_compat.h"

namespace troth {
namespace {

// The methods of services by their names, as far as their descriptors are linked in.
std::vector<std::string> MethodsOf(const std::vector<std::string>& services) {
  std::vector<std::string> methods;
  for (const std::string& name : services) {
    const google::protobuf::ServiceDescriptor* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) continue;
    for (int i = 0; i < service->method_count(); ++i) {
      methods.push_back("/" + name + "/" + service->method(i)->name());
    }
  }
  if (grpc::DefaultHealthCheckServiceEnabled()) {
    // gRPC's own, which has no descriptor.
    methods.emplace_back("/grpc.health.v1.Health/Check");
    methods.emplace_back("/grpc.health.v1.Health/Watch");
  }
  return methods;
}

class GuardPlugin final : public grpc::ServerBuilderPlugin {
 public:
  explicit GuardPlugin(std::shared_ptr<Guard> guard) : guard_(std::move(guard)) {}

  std::string name() override { return "troth.guard"; }

  // When the application has set everything.
  void UpdateServerBuilder(grpc::ServerBuilder* builder) override {
    for (const grpc_compat::ListeningPort& port : grpc_compat::PortsOf(*builder)) {
      if (port.credentials != nullptr && guard_ != nullptr &&
          grpc_compat::GuardOf(*port.credentials) == guard_) {
        continue;
      }
      // A port that cannot be added is the way to keep a builder from starting.
      builder->AddListeningPort(
          port.address,
          grpc_compat::NewRefusingServerCredentials(MakeError(
              Reason::kConnectionNotGuarded,
              "the guard given to GuardServer does not protect this port, by which everybody could "
              "call the same methods; use troth::ServerCredentials with that guard for each port, "
              "or a server of its own for this one")));
      return;
    }
  }

  void InitServer(grpc::ServerInitializer* /*server*/) override {}
  // When every service, also those of other plugins, is there.
  void Finish(grpc::ServerInitializer* server) override {
    if (guard_ != nullptr) guard_->RegisterMethods(MethodsOf(*server->GetServiceList()));
  }
  void ChangeArguments(const std::string& /*name*/, void* /*value*/) override {}

 private:
  const std::shared_ptr<Guard> guard_;
};

class GuardOption final : public grpc::ServerBuilderOption {
 public:
  GuardOption(std::shared_ptr<Guard> guard, ServerLimits limits)
      : guard_(std::move(guard)), limits_(limits) {}

  void UpdateArguments(grpc::ChannelArguments* arguments) override {
    if (limits_.max_concurrent_calls_per_connection > 0) {
      arguments->SetInt(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                        limits_.max_concurrent_calls_per_connection);
    }
  }
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<GuardPlugin>(guard_));
  }

 private:
  const std::shared_ptr<Guard> guard_;
  const ServerLimits limits_;
};

}  // namespace

void GuardServer(grpc::ServerBuilder& builder, std::shared_ptr<Guard> guard, ServerLimits limits) {
  builder.SetOption(std::make_unique<GuardOption>(std::move(guard), limits));
}

}  // namespace troth
