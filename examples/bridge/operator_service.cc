#include "examples/bridge/operator_service.h"

#include <algorithm>
#include <chrono>

#include "examples/bridge/digest.h"

namespace bridge {

OperatorService::OperatorService() : key_(RandomKey()) {}

grpc::Status OperatorService::GetXOnlyPublicKey(grpc::ServerContext* /*context*/,
                                                const clementine::Empty* /*request*/,
                                                clementine::XOnlyPublicKey* response) {
  response->set_key(PublicOf(key_));
  return grpc::Status::OK;
}

grpc::Status OperatorService::Withdraw(grpc::ServerContext* /*context*/,
                                       const clementine::WithdrawRequest* request,
                                       clementine::Payout* response) {
  if (request->amount() == 0) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "amount is 0, expected at least one satoshi"};
  }
  response->set_withdrawal_id(request->withdrawal_id());
  response->set_amount(request->amount());
  response->set_txid(Digest(key_, std::to_string(request->withdrawal_id())));
  return grpc::Status::OK;
}

grpc::Status OperatorService::SubscribePayouts(grpc::ServerContext* context,
                                               const clementine::Empty* /*request*/,
                                               grpc::ServerWriter<clementine::Payout>* writer) {
  context->AddInitialMetadata("subscribed", "yes");
  writer->SendInitialMetadata();  // tells the caller that it will miss nothing from now on
  std::unique_lock lock(mutex_);
  std::uint64_t next = finalized_;
  while (!context->IsCancelled()) {
    // A hang-up does not wake the condition: look for one a few times a second.
    changed_.wait_for(lock, std::chrono::milliseconds(200), [&] { return next < finalized_; });
    if (finalized_ - next > kMaxRemembered) {
      return {grpc::StatusCode::DATA_LOSS, "the subscriber read too slowly; subscribe again"};
    }
    while (next < finalized_) {
      const clementine::Payout payout = payouts_[next++ % kMaxRemembered];
      lock.unlock();
      const bool open = writer->Write(payout);
      lock.lock();
      if (!open) return grpc::Status::OK;
    }
  }
  return grpc::Status::OK;
}

grpc::Status OperatorService::InternalFinalizedPayout(grpc::ServerContext* /*context*/,
                                                      const clementine::Payout* request,
                                                      clementine::Empty* /*response*/) {
  {
    const std::lock_guard lock(mutex_);
    payouts_[finalized_++ % kMaxRemembered] = *request;
  }
  changed_.notify_all();
  return grpc::Status::OK;
}

grpc::Status OperatorService::InternalEndRound(grpc::ServerContext* /*context*/,
                                               const clementine::Empty* /*request*/,
                                               clementine::Round* response) {
  const std::lock_guard lock(mutex_);
  response->set_number(++round_);
  return grpc::Status::OK;
}

}  // namespace bridge
