#include "troth/base/time.h"

#include <ctime>

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace troth {
namespace {

class SystemClock final : public Clock {
 public:
  Time Now() const override {
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return Time(Seconds(now.tv_sec));
  }
};

bool ReadDigits(std::string_view& text, size_t count, int& value) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc() || end != text.data() + count || text.front() == '-') return false;
  text.remove_prefix(count);
  return true;
}

bool Skip(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

std::string FormatTime(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return out.data();
}

std::optional<Time> ParseTime(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!ReadDigits(text, 4, year) || !Skip(text, '-') || !ReadDigits(text, 2, month) ||
      !Skip(text, '-') || !ReadDigits(text, 2, day)) {
    return std::nullopt;
  }
  if (!text.empty()) {
    if (!Skip(text, 'T') || !ReadDigits(text, 2, hour) || !Skip(text, ':') ||
        !ReadDigits(text, 2, minute) || !Skip(text, ':') || !ReadDigits(text, 2, second) ||
        !Skip(text, 'Z') || !text.empty()) {
      return std::nullopt;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + Seconds(second);
}

std::string FormatDuration(Seconds duration) {
  struct Unit {
    unsigned long long seconds;
    const char* name;
  };
  static constexpr std::array<Unit, 4> kUnits = {
      {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
  const bool negative = duration.count() < 0;
  auto left = static_cast<unsigned long long>(duration.count());
  if (negative) left = 0 - left;  // unsigned, for the least value has no positive counterpart
  std::string out = negative ? "-" : "";
  for (size_t i = 0; i < kUnits.size(); ++i) {
    if (left < kUnits[i].seconds && i + 1 < kUnits.size()) continue;
    out += std::to_string(left / kUnits[i].seconds) + " " + kUnits[i].name;
    left %= kUnits[i].seconds;
    if (i + 1 < kUnits.size() && left >= kUnits[i + 1].seconds) {
      out += " " + std::to_string(left / kUnits[i + 1].seconds) + " " + kUnits[i + 1].name;
    }
    break;
  }
  return out;
}

std::optional<Seconds> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  constexpr long long kMax = std::numeric_limits<int32_t>::max() * 4LL;  // some 270 years
  long long total = 0;
  while (!text.empty()) {
    long long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || text.front() == '-' || value > kMax) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    long long unit = 1;
    if (!text.empty()) {
      switch (text.front()) {
        case 's':
          unit = 1;
          break;
        case 'm':
          unit = 60;
          break;
        case 'h':
          unit = 3600;
          break;
        case 'd':
          unit = 86400;
          break;
        case 'w':
          unit = 604800;
          break;
        default:
          return std::nullopt;
      }
      text.remove_prefix(1);
    }
    total += value * unit;
    if (total > kMax) return std::nullopt;
  }
  return Seconds(total);
}

}  // namespace troth
