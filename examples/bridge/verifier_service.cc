#include "examples/bridge/verifier_service.h"

#include "examples/bridge/digest.h"

namespace bridge {

VerifierService::VerifierService() : key_(RandomKey()) {}

grpc::Status VerifierService::GetParams(grpc::ServerContext* /*context*/,
                                        const clementine::Empty* /*request*/,
                                        clementine::VerifierParams* response) {
  response->set_public_key(PublicOf(key_));
  response->set_kickoffs_seen(kickoffs_);
  return grpc::Status::OK;
}

grpc::Status VerifierService::SignDeposit(grpc::ServerContext* /*context*/,
                                          const clementine::Deposit* request,
                                          clementine::PartialSignature* response) {
  if (request->outpoint().size() != 36) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            "outpoint has " + std::to_string(request->outpoint().size()) + " bytes, expected 36"};
  }
  response->set_signature(Digest(key_, request->outpoint()));
  return grpc::Status::OK;
}

grpc::Status VerifierService::InternalHandleKickoff(grpc::ServerContext* /*context*/,
                                                    const clementine::Kickoff* /*request*/,
                                                    clementine::Empty* /*response*/) {
  ++kickoffs_;
  return grpc::Status::OK;
}

}  // namespace bridge
