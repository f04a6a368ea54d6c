#include "troth/enroll/rejection_note.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr Seconds kFirstWait = std::chrono::minutes(1);
constexpr Seconds kLongestWait = std::chrono::hours(6);  // before jitter
constexpr double kJitter = 0.15;
constexpr int kMostDoublings = 9;

}  // namespace

RejectionNote RejectionNote::After(Time now, const RandomSource& random) const {
  const int rejections = std::min(count, 1'000'000) + 1;
  if (rejections == 1) return {.count = 1, .not_before = now};
  const int doublings = std::min(rejections - 2, kMostDoublings);
  const Seconds wait = std::min(kFirstWait * (1 << doublings), kLongestWait);
  const double factor = 1 + kJitter * (2 * random() - 1);
  return {.count = rejections, .not_before = now + std::chrono::round<Seconds>(wait * factor)};
}

std::optional<Seconds> RejectionNote::WaitAt(Time now) const {
  if (now >= not_before) return std::nullopt;
  if (not_before - now > kLongestWait * 2) return std::nullopt;  // from a clock that was ahead
  return not_before - now;
}

std::string RejectionNote::ToText() const {
  return std::to_string(count) + " " + FormatTime(not_before) + "\n";
}

std::optional<RejectionNote> RejectionNote::Parse(std::string_view text) {
  const std::vector<std::string_view> parts = Split(TrimWhitespace(text), ' ');
  if (parts.size() != 2) return std::nullopt;
  RejectionNote note;
  const auto [end, error] =
      std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), note.count);
  const std::optional<Time> not_before = ParseTime(parts[1]);
  if (error != std::errc() || end != parts[0].data() + parts[0].size() || note.count < 1 ||
      !not_before.has_value()) {
    return std::nullopt;
  }
  note.not_before = *not_before;
  return note;
}

}  // namespace troth
