// One window of load on one server, and what came of it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/credentials.h"

namespace bench {

using Nanoseconds = std::chrono::nanoseconds;

struct Load {
  std::string target;  // "127.0.0.1:PORT"
  pid_t server = 0;    // whose CPU time is measured
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  int at_once = 1;         // calls in flight, or handshakes
  Nanoseconds warm_up{0};  // before the window
  Nanoseconds window{0};
};

struct Measurement {
  Nanoseconds elapsed{0};
  Nanoseconds server_cpu{0};
  Nanoseconds client_cpu{0};
  // Of every call (or handshake) that ended in the window.
  std::vector<Nanoseconds> latencies;
};

// Unary calls on one channel, `at_once` in flight all the time. Throws std::runtime_error when one
// fails.
Measurement MeasureCalls(const Load& load);
// A new connection, one call, close; `at_once` of them side by side. Throws std::runtime_error when
// one fails.
Measurement MeasureHandshakes(const Load& load);

}  // namespace bench
