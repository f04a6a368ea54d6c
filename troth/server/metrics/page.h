// The numbers of the authority in Prometheus' text format.
#pragma once

#include <string>

#include "troth/ca/authority.h"
#include "troth/http/server.h"

namespace troth::metrics {

// Text format version 0.0.4. Names begin with troth_; times are Unix seconds.
std::string MetricsPage(const AuthorityStatistics& authority, const HttpServerStatistics& servers);

}  // namespace troth::metrics
