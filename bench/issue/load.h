// Certificates that are asked for on many connections at the same time, for a moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "bench/issue/protocol.h"
#include "bench/load/measured.h"

namespace bench {

struct IssueLoad {
  std::uint16_t port = 0;      // on 127.0.0.1
  bool tls = true;             // 1.3, without looking at the server's certificate
  bool keep = true;            // connections; otherwise each certificate has its own
  int connections = 1;         // each with one request in flight
  std::uint64_t first = 0;     // number of the first request
  std::vector<pid_t> servers;  // the processes whose CPU time counts
  Nanoseconds warm_up{0};
  Nanoseconds window{0};
};

// Latencies are from the first byte of the request, or from nothing where the connection is new, to
// the last byte of the answer. Throws std::runtime_error when anything fails.
Measurement MeasureIssuing(const IssueLoad& load, Protocol& protocol);

// CPU time of one raw P-256 signature and one verification, the least that issuing can cost: the
// median of what is measured again and again for `time`, by OpenSSL alone.
Nanoseconds MeasureFloor(Nanoseconds time);

}  // namespace bench
