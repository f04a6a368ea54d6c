#include "troth/server/native/call_answer.h"

#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/call_status.h"

namespace troth::native {
namespace {

// gRPC takes 8 KiB of header by default, and writes a byte that is not plain as three.
constexpr size_t kLongestMessage = 4000;

}  // namespace

grpc::Status ToAnswer(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(ToStd(status.message()));
  if (message.size() > kLongestMessage) {
    message.resize(kLongestMessage);
    message += "...";
  }
  message += " [troth:" + std::string(CodeOf(status)) + "]";
  return {static_cast<grpc::StatusCode>(status.code()), message};
}

absl::Status FromAnswer(const grpc::Status& status) {
  absl::Status answer = StatusOfCall(status);
  if (answer.ok() || ReasonOf(answer).has_value()) return answer;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return MakeError(Reason::kConnectionFailed,
                       "the authority cannot be reached: " + status.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return MakeError(Reason::kConnectionFailed,
                       "the authority did not answer in time; see its log and its load");
    case grpc::StatusCode::UNIMPLEMENTED:
      return MakeError(Reason::kProtocolMismatch,
                       "the server has no service troth.v1.Authority with this call; is it the "
                       "--grpc-listen address of `troth serve`, of this version?");
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return MakeError(Reason::kTooManyCalls,
                       "the authority has no room for this call: " + status.error_message());
    default:
      return MakeError(Reason::kInternal,
                       "the call to the authority failed: " + status.error_message());
  }
}

}  // namespace troth::native
