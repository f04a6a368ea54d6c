// Whether the authority can do its work now.
#pragma once

#include "troth/ca/authority.h"
#include "troth/http/message.h"

namespace troth::metrics {

// 200 "ok", or a problem with why it cannot issue: the issuer has expired, or the store took no
// write when it was last asked to.
HttpResponse HealthResponse(Authority& authority);

}  // namespace troth::metrics
