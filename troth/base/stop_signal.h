// Ctrl-C and SIGTERM, for programs that run until then.
#pragma once

#include <chrono>

namespace troth {

// While it lives, SIGINT and SIGTERM are remembered in the place of ending the process. One at a
// time; made and destroyed by one thread.
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();

  // True when a signal has come, at once or within `limit`. From any thread.
  bool WaitFor(std::chrono::milliseconds limit) const;
  // Until a signal comes.
  void Wait() const;
  // As if a signal had come. From any thread.
  static void Raise();
};

}  // namespace troth
