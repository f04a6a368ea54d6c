// What the two programs share: how they fail, and their arguments.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"

namespace attestor {

// Prints "PROGRAM: message [reason]" and what to do to standard error; the exit code of the reason.
int Fail(const char* program, const absl::Status& status);

struct ProgramArguments {
  std::string config_file;  // of --config FILE
  bool once = false;        // --once was there
};

// In any order. Nothing when the program is to end with `exit_code`: --help, which prints `usage`,
// or something else than expected, which prints it to standard error.
std::optional<ProgramArguments> ReadArguments(int argc, char** argv, const char* usage,
                                              bool knows_once, int& exit_code);

}  // namespace attestor
