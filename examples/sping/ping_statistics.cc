#include "examples/sping/ping_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace troth::sping {
namespace {

double Milliseconds(PingStatistics::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void PingStatistics::AddAnswer(Duration round_trip) {
  ++transmitted_;
  min_ = received_ == 0 ? round_trip : std::min(min_, round_trip);
  max_ = std::max(max_, round_trip);
  ++received_;
  sum_ += round_trip;
  sum_of_squares_ += Milliseconds(round_trip) * Milliseconds(round_trip);
}

PingStatistics::Duration PingStatistics::average() const {
  return received_ == 0 ? Duration(0) : sum_ / static_cast<std::int64_t>(received_);
}

PingStatistics::Duration PingStatistics::mdev() const {
  if (received_ == 0) return Duration(0);
  const double average = Milliseconds(sum_) / static_cast<double>(received_);
  const double variance = sum_of_squares_ / static_cast<double>(received_) - average * average;
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(std::sqrt(std::max(0.0, variance))));
}

std::string PingStatistics::Describe(Duration whole) const {
  const std::uint64_t percent = transmitted_ == 0 ? 0 : lost() * 100 / transmitted_;
  std::string text = std::to_string(transmitted_) + " transmitted, " + std::to_string(received_) +
                     " received, " + std::to_string(percent) + "% loss, time " +
                     std::to_string(std::chrono::round<std::chrono::milliseconds>(whole).count()) +
                     " ms";
  if (received_ > 0) {
    text += "\nrtt min/avg/max/mdev = " + FormatMilliseconds(min_) + "/" +
            FormatMilliseconds(average()) + "/" + FormatMilliseconds(max_) + "/" +
            FormatMilliseconds(mdev()) + " ms";
  }
  return text;
}

std::string FormatMilliseconds(PingStatistics::Duration duration) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3f", Milliseconds(duration));
  return text;
}

}  // namespace troth::sping
