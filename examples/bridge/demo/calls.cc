#include "examples/bridge/demo/calls.h"

#include <grpcpp/client_context.h>

#include <chrono>

#include "examples/bridge/bridge.grpc.pb.h"

namespace bridge {
namespace {

using Channel = std::shared_ptr<grpc::Channel>;

// Makes one unary call with a deadline, and notes which certificate the server had.
template <typename Stub, typename Request, typename Response>
grpc::Status Unary(Stub& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, std::string* server_certificate) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (server_certificate != nullptr && context.auth_context() != nullptr) {
    const auto leaf = context.auth_context()->FindPropertyValues("x509_pem_cert");
    if (!leaf.empty()) server_certificate->assign(leaf.front().data(), leaf.front().size());
  }
  return status;
}

using OperatorStub = clementine::ClementineOperator::Stub;
using VerifierStub = clementine::ClementineVerifier::Stub;

grpc::Status Withdraw(const Channel& channel, std::string* certificate) {
  OperatorStub stub(channel);
  clementine::WithdrawRequest request;
  request.set_withdrawal_id(1);
  request.set_amount(100'000);
  return Unary(stub, &OperatorStub::Withdraw, request, certificate);
}

// Subscribes and hangs up once the server has answered that it lets us.
grpc::Status Subscribe(const Channel& channel, std::string* /*certificate*/) {
  OperatorStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const auto stream = stub.SubscribePayouts(&context, {});
  stream->WaitForInitialMetadata();
  const bool subscribed = context.GetServerInitialMetadata().count("subscribed") != 0;
  if (subscribed) context.TryCancel();  // a refused stream has ended by itself, with its reason
  const grpc::Status status = stream->Finish();
  return subscribed && status.error_code() == grpc::StatusCode::CANCELLED ? grpc::Status::OK
                                                                          : status;
}

grpc::Status GetParams(const Channel& channel, std::string* certificate) {
  VerifierStub stub(channel);
  return Unary(stub, &VerifierStub::GetParams, clementine::Empty(), certificate);
}

grpc::Status HandleKickoff(const Channel& channel, std::string* certificate) {
  VerifierStub stub(channel);
  return Unary(stub, &VerifierStub::InternalHandleKickoff, clementine::Kickoff(), certificate);
}

}  // namespace

grpc::Status GetKey(const Channel& channel, std::string* server_certificate) {
  OperatorStub stub(channel);
  return Unary(stub, &OperatorStub::GetXOnlyPublicKey, clementine::Empty(), server_certificate);
}

grpc::Status EndRound(const Channel& channel, std::string* server_certificate) {
  OperatorStub stub(channel);
  return Unary(stub, &OperatorStub::InternalEndRound, clementine::Empty(), server_certificate);
}

const std::vector<Call>& AllCalls() {
  static const std::vector<Call> calls = {
      {"operator", "Operator/GetXOnlyPublicKey", &GetKey},
      {"operator", "Operator/Withdraw", &Withdraw},
      {"operator", "Operator/SubscribePayouts", &Subscribe},
      {"operator", "Operator/InternalEndRound", &EndRound},
      {"verifier", "Verifier/GetParams", &GetParams},
      {"verifier", "Verifier/InternalHandleKickoff", &HandleKickoff},
  };
  return calls;
}

std::string ReasonCode(const grpc::Status& status) {
  static constexpr std::string_view kMark = "[troth:";
  const std::string message = status.error_message();
  const size_t at = message.rfind(kMark);
  if (at == std::string::npos) return "status " + std::to_string(status.error_code());
  const size_t begin = at + kMark.size();
  return message.substr(begin, message.find(']', begin) - begin);
}

}  // namespace bridge
