// How often an authority has said no to a client that starts over by itself, and when it may ask
// again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "troth/base/time.h"
#include "troth/enroll/backoff.h"

namespace troth {

// The first new request is made at once; from the second rejection in a row on it waits, a minute
// and then twice as long each time, at most six hours.
struct RejectionNote {
  int count = 0;  // in a row
  Time not_before = {};

  // The note after one more.
  RejectionNote After(Time now, const RandomSource& random) const;
  // How long to wait yet; nothing when the time has come, or cannot be right: a clock that was set
  // back does not hold a client up for years.
  std::optional<Seconds> WaitAt(Time now) const;

  // "2 2026-11-21T02:29:09Z\n".
  std::string ToText() const;
  // Nothing when it is something else: then nothing is known.
  static std::optional<RejectionNote> Parse(std::string_view text);
};

}  // namespace troth
