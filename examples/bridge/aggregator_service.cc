#include "examples/bridge/aggregator_service.h"

#include <grpcpp/client_context.h>

namespace bridge {

AggregatorService::AggregatorService(const std::shared_ptr<grpc::Channel>& operator_channel,
                                     const std::shared_ptr<grpc::Channel>& verifier_channel)
    : operator_(clementine::ClementineOperator::NewStub(operator_channel)),
      verifier_(clementine::ClementineVerifier::NewStub(verifier_channel)) {}

grpc::Status AggregatorService::NewDeposit(grpc::ServerContext* context,
                                           const clementine::Deposit* request,
                                           clementine::SignedDeposit* response) {
  clementine::XOnlyPublicKey key;
  const auto to_operator = grpc::ClientContext::FromServerContext(*context);
  if (grpc::Status status = operator_->GetXOnlyPublicKey(to_operator.get(), {}, &key);
      !status.ok()) {
    return status;
  }
  clementine::PartialSignature signature;
  const auto to_verifier = grpc::ClientContext::FromServerContext(*context);
  if (grpc::Status status = verifier_->SignDeposit(to_verifier.get(), *request, &signature);
      !status.ok()) {
    return status;
  }
  response->set_operator_key(key.key());
  response->set_signature(signature.signature());
  return grpc::Status::OK;
}

grpc::Status AggregatorService::Withdraw(grpc::ServerContext* context,
                                         const clementine::WithdrawRequest* request,
                                         clementine::Payout* response) {
  const auto to_operator = grpc::ClientContext::FromServerContext(*context);
  return operator_->Withdraw(to_operator.get(), *request, response);
}

}  // namespace bridge
