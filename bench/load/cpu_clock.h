// The CPU time of another process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <ctime>
#include <stdexcept>

namespace bench {

class CpuClock {
 public:
  // Throws std::runtime_error when there is no such process.
  explicit CpuClock(pid_t process) {
    if (clock_getcpuclockid(process, &clock_) != 0) {
      throw std::runtime_error("no process " + std::to_string(process));
    }
  }

  // What all its threads have used so far, user and system.
  std::chrono::nanoseconds Now() const {
    timespec time{};
    if (clock_gettime(clock_, &time) != 0) throw std::runtime_error("the server has ended");
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

 private:
  clockid_t clock_{};
};

}  // namespace bench
