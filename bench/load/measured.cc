#include "bench/load/measured.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace bench {
namespace {

double Microseconds(Nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

double Percentile(const std::vector<Nanoseconds>& sorted, double share) {
  const auto index = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1));
  return Microseconds(sorted[index]);
}

}  // namespace

void PrintMeasurement(Measurement measured) {
  if (measured.latencies.empty()) throw std::runtime_error("nothing ended in the window");
  std::ranges::sort(measured.latencies);
  const auto count = static_cast<double>(measured.latencies.size());
  std::printf(
      "{\"count\": %.0f, \"per_second\": %.2f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
      "\"server_cpu_us\": %.3f, \"client_cpu_us\": %.3f}\n",
      count, count / (Microseconds(measured.elapsed) / 1e6), Percentile(measured.latencies, 0.50),
      Percentile(measured.latencies, 0.99), Microseconds(measured.server_cpu) / count,
      Microseconds(measured.client_cpu) / count);
}

}  // namespace bench
