#include <utility>

#include "troth/base/reason.h"
#include "troth/rpc/credentials.h"
#include "troth/rpc/grpc_compat.h"

namespace troth {

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(std::shared_ptr<IdentitySource> identity,
                                                           std::shared_ptr<Guard> guard,
                                                           ServerOptions options) {
  if (identity == nullptr || guard == nullptr) {
    return grpc_compat::NewRefusingServerCredentials(
        MakeError(Reason::kConfigurationInvalid,
                  std::string("server credentials need an identity and a guard, and there is no ") +
                      (identity == nullptr ? "identity" : "guard")));
  }
  std::shared_ptr<GuardedPort> port =
      guard->Protect(std::move(identity), options.client_certificate);
  return grpc_compat::NewServerCredentials(std::move(port), options.verification);
}

}  // namespace troth
