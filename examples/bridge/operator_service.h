// The operator: pays withdrawals out, and tells whoever subscribed.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "examples/bridge/bridge.grpc.pb.h"

namespace bridge {

// Who may call what is not decided here: the guard has decided before a method of this class runs.
class OperatorService final : public clementine::ClementineOperator::Service {
 public:
  OperatorService();

 private:
  grpc::Status GetXOnlyPublicKey(grpc::ServerContext* context, const clementine::Empty* request,
                                 clementine::XOnlyPublicKey* response) override;
  grpc::Status Withdraw(grpc::ServerContext* context, const clementine::WithdrawRequest* request,
                        clementine::Payout* response) override;
  grpc::Status SubscribePayouts(grpc::ServerContext* context, const clementine::Empty* request,
                                grpc::ServerWriter<clementine::Payout>* writer) override;
  grpc::Status InternalFinalizedPayout(grpc::ServerContext* context,
                                       const clementine::Payout* request,
                                       clementine::Empty* response) override;
  grpc::Status InternalEndRound(grpc::ServerContext* context, const clementine::Empty* request,
                                clementine::Round* response) override;

  static constexpr size_t kMaxRemembered = 1000;  // payouts that a slow subscriber may lag behind

  const std::string key_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t round_ = 0;
  std::uint64_t finalized_ = 0;  // payouts so far
  std::array<clementine::Payout, kMaxRemembered>
      payouts_;  // the newest ones, by number % kMaxRemembered
};

}  // namespace bridge
