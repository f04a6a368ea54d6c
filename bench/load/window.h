// Reads the clocks at the two ends of a window of measurement.
#pragma once

#include <unistd.h>

#include <vector>

#include "bench/load/cpu_clock.h"
#include "bench/load/measured.h"

namespace bench {

class Window {
 public:
  // A server may be more than one process.
  explicit Window(const std::vector<pid_t>& servers)
      : servers_(servers.begin(), servers.end()), client_(getpid()) {}

  void Open() {
    server_start_ = ServersNow();
    client_start_ = client_.Now();
    start_ = std::chrono::steady_clock::now();
  }
  void Close(Measurement& into) const {
    into.elapsed = std::chrono::steady_clock::now() - start_;
    into.server_cpu = ServersNow() - server_start_;
    into.client_cpu = client_.Now() - client_start_;
  }

 private:
  Nanoseconds ServersNow() const {
    Nanoseconds sum{0};
    for (const CpuClock& server : servers_) sum += server.Now();
    return sum;
  }

  const std::vector<CpuClock> servers_;
  const CpuClock client_;
  Nanoseconds server_start_{0}, client_start_{0};
  std::chrono::steady_clock::time_point start_;
};

}  // namespace bench
