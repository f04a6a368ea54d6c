// `troth enroll` with another network, for tests.
#pragma once

#include "troth/cli/command.h"
#include "troth/enroll/authority_client.h"

namespace troth {

// As AddEnrollCommand; connections are made by `connect`.
void AddEnrollCommandWith(CLI::App& app, Session& session, HttpClientFactory connect);

}  // namespace troth
