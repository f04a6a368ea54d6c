// The verifier: signs deposits for the aggregator.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "examples/bridge/bridge.grpc.pb.h"

namespace bridge {

class VerifierService final : public clementine::ClementineVerifier::Service {
 public:
  VerifierService();

 private:
  grpc::Status GetParams(grpc::ServerContext* context, const clementine::Empty* request,
                         clementine::VerifierParams* response) override;
  grpc::Status SignDeposit(grpc::ServerContext* context, const clementine::Deposit* request,
                           clementine::PartialSignature* response) override;
  grpc::Status InternalHandleKickoff(grpc::ServerContext* context,
                                     const clementine::Kickoff* request,
                                     clementine::Empty* response) override;

  const std::string key_;
  std::atomic<std::uint64_t> kickoffs_ = 0;
};

}  // namespace bridge
