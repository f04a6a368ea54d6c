// The aggregator: what users talk to. It calls the operator and the verifier with its own
// certificate.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "examples/bridge/bridge.grpc.pb.h"

namespace bridge {

class AggregatorService final : public clementine::ClementineAggregator::Service {
 public:
  AggregatorService(const std::shared_ptr<grpc::Channel>& operator_channel,
                    const std::shared_ptr<grpc::Channel>& verifier_channel);

 private:
  grpc::Status NewDeposit(grpc::ServerContext* context, const clementine::Deposit* request,
                          clementine::SignedDeposit* response) override;
  grpc::Status Withdraw(grpc::ServerContext* context, const clementine::WithdrawRequest* request,
                        clementine::Payout* response) override;

  const std::unique_ptr<clementine::ClementineOperator::Stub> operator_;
  const std::unique_ptr<clementine::ClementineVerifier::Stub> verifier_;
};

}  // namespace bridge
