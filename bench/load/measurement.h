// One window of calls or handshakes on one server.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "bench/load/credentials.h"
#include "bench/load/measured.h"

namespace bench {

struct Load {
  std::string target;  // "127.0.0.1:PORT"
  pid_t server = 0;    // whose CPU time is measured
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  int at_once = 1;         // calls in flight, or handshakes
  Nanoseconds warm_up{0};  // before the window
  Nanoseconds window{0};
};

// Unary calls on one channel, `at_once` in flight all the time. Throws std::runtime_error when one
// fails.
Measurement MeasureCalls(const Load& load);
// A new connection, one call, close; `at_once` of them side by side. Throws std::runtime_error when
// one fails.
Measurement MeasureHandshakes(const Load& load);

}  // namespace bench
