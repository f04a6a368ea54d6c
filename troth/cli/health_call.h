// The gRPC call by which the doctor sees whether calls pass.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/doctor/endpoint_doctor.h"

namespace troth {

// Makes the call (see EndpointCaller) and says what came of it: "SERVING", as the health service
// has it, or how long the answer of another method was. Handshakes that fail are not logged
// meanwhile. Errors: as CallMethod, and those of a certificate that cannot be used.
absl::StatusOr<std::string> MakeHealthCall(const EndpointCall& call, const Clock& clock);

}  // namespace troth
