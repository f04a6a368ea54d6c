// What the command line shares with `troth enroll`, and `troth enroll` with another network, for
// tests.
#pragma once

#include <string>
#include <vector>

#include "troth/cli/command.h"
#include "troth/enroll/authority_client.h"

namespace troth {

// As AddEnrollCommand; connections are made by `connect`.
void AddEnrollCommandWith(CLI::App& app, Session& session, HttpClientFactory connect);

// What ends a command line that cannot be parsed: 127, as every failure of `troth enroll --once`,
// where these are its arguments, else kExitUsage.
int ExitCodeOfParseError(const std::vector<std::string>& arguments);

}  // namespace troth
