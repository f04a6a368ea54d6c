// Points in time, as X.509 knows them (whole seconds, UTC), and the clock that tells them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace troth {

using Time = std::chrono::sys_seconds;
using Seconds = std::chrono::seconds;

// Tells the time. Thread-safe. Injected everywhere, so that a test can choose the time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;

  // The machine's clock; lives for ever. Now() costs a few nanoseconds (CLOCK_REALTIME_COARSE).
  static const Clock& System();
};

// "2026-11-21T02:29:09Z".
std::string FormatTime(Time time);
// Reads what FormatTime writes, and "2026-11-21" (midnight UTC). Nothing else.
std::optional<Time> ParseTime(std::string_view text);
// "2 d 3 h", "14 min", "9 s": the two largest units of a length of time; negative ones have a "-".
std::string FormatDuration(Seconds duration);
// Reads "90s", "15m", "12h", "30d", "2w", "90" (seconds), and sums such as "1h30m". Not negative.
std::optional<Seconds> ParseDuration(std::string_view text);

}  // namespace troth
