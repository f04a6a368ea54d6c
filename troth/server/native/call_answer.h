// How an error travels in a call: as gRPC status, message, and the reason's code at its end.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace troth::native {

// "no such request [troth:request_unknown]": what StatusOfCall (troth/rpc) reads back. Printable,
// and short enough for a header, with the code whole.
grpc::Status ToAnswer(const absl::Status& status);

// What came back from a call, with a reason in any case: connection_failed when there was no
// answer, protocol_mismatch when the other side has no such service.
absl::Status FromAnswer(const grpc::Status& status);

}  // namespace troth::native
