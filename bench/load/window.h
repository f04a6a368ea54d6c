// Reads the clocks at the two ends of a window of measurement.
#pragma once

#include <unistd.h>

#include "bench/load/cpu_clock.h"
#include "bench/load/measurement.h"

namespace bench {

class Window {
 public:
  explicit Window(pid_t server) : server_(server), client_(getpid()) {}

  void Open() {
    server_start_ = server_.Now();
    client_start_ = client_.Now();
    start_ = std::chrono::steady_clock::now();
  }
  void Close(Measurement& into) const {
    into.elapsed = std::chrono::steady_clock::now() - start_;
    into.server_cpu = server_.Now() - server_start_;
    into.client_cpu = client_.Now() - client_start_;
  }

 private:
  const CpuClock server_, client_;
  Nanoseconds server_start_{0}, client_start_{0};
  std::chrono::steady_clock::time_point start_;
};

}  // namespace bench
