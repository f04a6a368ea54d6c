// Child processes of the demonstration, which never outlive it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bridge {

class Process {
 public:
  // Starts argv[0] in `folder`; what it prints on standard error goes to `log_file`. The child is
  // told to end when this process does, however that happens. Throws std::runtime_error when it
  // cannot be started.
  Process(const std::vector<std::string>& argv, const std::string& folder,
          const std::string& log_file);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();  // SIGTERM, then waits

  // The next line of its standard output; empty when it ended.
  std::string ReadLine();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
};

struct CommandResult {
  int exit_code = 0;
  std::string output;  // standard output
};

// Runs a command to its end; its standard error is appended to `log_file`.
CommandResult RunCommand(const std::vector<std::string>& argv, const std::string& folder,
                         const std::string& log_file);

}  // namespace bridge
