#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/time.h"
#include "troth/cli/command.h"

int main(int argc, char** argv) {
  const bool colour = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  troth::Session session{.out = std::cout,
                         .err = std::cerr,
                         .clock = troth::Clock::System(),
                         .colour = colour,
                         .run = {},
                         .interactive = isatty(STDERR_FILENO) != 0};
  const int code = troth::RunTroth(std::vector<std::string>(argv + 1, argv + argc), session);
  std::cout.flush();
  if (std::cout.good()) return code;
  // Disk full, closed pipe: neither a success nor an answer. In words, for standard error.
  session.json = false;
  return session.Fail(
      troth::MakeError(troth::Reason::kFileWriteFailed, "cannot write the result to the output"));
}
