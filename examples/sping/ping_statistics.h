// What ping(8) prints at its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace troth::sping {

class PingStatistics {
 public:
  using Duration = std::chrono::nanoseconds;

  void AddAnswer(Duration round_trip);
  void AddLoss() { ++transmitted_; }

  std::uint64_t transmitted() const { return transmitted_; }
  std::uint64_t received() const { return received_; }
  std::uint64_t lost() const { return transmitted_ - received_; }
  // Of the answers; zero when there was none. mdev is the standard deviation, as ping(8) computes
  // it.
  Duration min() const { return min_; }
  Duration average() const;
  Duration max() const { return max_; }
  Duration mdev() const;

  // "8 transmitted, 8 received, 0% loss, time 705 ms" and, after an answer, a second line "rtt
  // min/avg/max/mdev = 0.1/0.2/0.3/0.0 ms".
  std::string Describe(Duration whole) const;

 private:
  std::uint64_t transmitted_ = 0, received_ = 0;
  Duration min_{0}, max_{0}, sum_{0};
  double sum_of_squares_ = 0;  // of milliseconds
};

// "0.412": milliseconds with three decimals.
std::string FormatMilliseconds(PingStatistics::Duration duration);

}  // namespace troth::sping
