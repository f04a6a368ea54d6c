// What came of a window of load on one server.
#pragma once

#include <chrono>
#include <vector>

namespace bench {

using Nanoseconds = std::chrono::nanoseconds;

struct Measurement {
  Nanoseconds elapsed{0};
  Nanoseconds server_cpu{0};
  Nanoseconds client_cpu{0};
  // Of every call (handshake, certificate) that ended in the window.
  std::vector<Nanoseconds> latencies;
};

// One line of JSON on standard output. Throws std::runtime_error when nothing ended in the window.
void PrintMeasurement(Measurement measured);

}  // namespace bench
