// What an attestor reads in an answer that is none.
#pragma once

#include "absl/status/status.h"
#include "troth/http/message.h"

namespace attestor {

// The error that an answer other than 200 and 201 stands for, with what it says and what to do
// about it. Reasons: the one that the field Troth-Reason (of the policy) or a problem document (of
// the service) names; peer_rejected_certificate when nginx refuses the certificate;
// connection_failed for a failure of nginx's or of the service (5xx), which passes;
// response_malformed for everything else.
absl::Status RefusalOf(const troth::HttpResponse& response);

}  // namespace attestor
