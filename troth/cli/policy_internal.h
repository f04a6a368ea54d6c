// The subcommands of `troth policy` that have files of their own.
#pragma once

#include "troth/cli/command.h"

namespace troth {

void AddPolicyServe(CLI::App& policy, Session& session);

}  // namespace troth
