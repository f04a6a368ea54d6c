// What the two programs share: how they fail, and how they are told to stop.
#pragma once

#include <chrono>

#include "absl/status/status.h"

namespace attestor {

// Prints "PROGRAM: message [reason]" and what to do to standard error; the exit code of the reason.
int Fail(const char* program, const absl::Status& status);

// SIGINT and SIGTERM, blocked from Block on, which comes before any thread.
class StopSignals {
 public:
  static void Block();
  // Whether one has come, at once or within `limit`. Remembers it. From one thread.
  static bool WaitFor(std::chrono::milliseconds limit);
};

}  // namespace attestor
