#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

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
  // A result that could not be written (disk full, closed pipe) is not a success.
  return std::cout.good() ? code : EXIT_FAILURE;
}
