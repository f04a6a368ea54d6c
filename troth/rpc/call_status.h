// What a failed call says, with Troth's reason.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace troth {

// `status` with its reason: the code in "[troth:CODE]" that a Troth guard or channel put into the
// message; for UNAVAILABLE what ExplainHandshake reads from it; none otherwise. The message loses
// the tag and gRPC's words around it.
absl::Status StatusOfCall(const grpc::Status& status);

}  // namespace troth
