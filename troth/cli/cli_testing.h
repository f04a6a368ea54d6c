// For tests of commands: `troth` run in this process, and how it ended.
#pragma once

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/time.h"
#include "troth/cli/command.h"

namespace troth::cli_testing {

struct Outcome {
  int code;
  std::string out, err;
};

// What a session may have beside its streams and its clock.
struct Surroundings {
  bool interactive = false;
  decltype(Session::connect) connect = {};
};

// `troth ARGUMENTS...`
inline Outcome Run(const std::vector<std::string>& arguments, const Clock& clock,
                   Surroundings surroundings = {}) {
  std::ostringstream out;
  std::ostringstream err;
  Session session{.out = out,
                  .err = err,
                  .clock = clock,
                  .run = {},
                  .interactive = surroundings.interactive,
                  .connect = std::move(surroundings.connect)};
  const int code = RunTroth(arguments, session);
  return {code, out.str(), err.str()};
}

}  // namespace troth::cli_testing
