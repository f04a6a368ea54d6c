#include "troth/ca/lifetime.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr std::int64_t kMostOfOneUnit = 1'000'000'000;

struct Lifetime {
  std::int64_t months = 0;
  std::int64_t seconds = 0;
};

struct Unit {
  std::string_view name;
  std::int64_t months, seconds;
};
constexpr std::array kUnits = {
    Unit{"year", 12, 0},   Unit{"month", 1, 0},   Unit{"week", 0, 604800}, Unit{"day", 0, 86400},
    Unit{"hour", 0, 3600}, Unit{"minute", 0, 60}, Unit{"second", 0, 1}};

const Unit* UnitOf(std::string_view word) {
  for (const Unit& unit : kUnits) {
    if (word == unit.name) return &unit;
    if (word.size() == unit.name.size() + 1 && word.starts_with(unit.name) && word.ends_with('s'))
      return &unit;
  }
  return nullptr;
}

std::string_view TakeWhile(std::string_view& text, bool (*accept)(char)) {
  size_t length = 0;
  while (length < text.size() && accept(text[length])) ++length;
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

std::optional<Lifetime> ParseWords(std::string_view text) {
  Lifetime total;
  while (!(text = TrimWhitespace(text)).empty()) {
    const std::string_view digits = TakeWhile(text, [](char c) { return c >= '0' && c <= '9'; });
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc() || count > kMostOfOneUnit) return std::nullopt;
    text = TrimWhitespace(text);
    const std::string word = ToLowerAscii(
        TakeWhile(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }));
    const Unit* unit = UnitOf(word);
    if (unit == nullptr) return std::nullopt;
    total.months += count * unit->months;
    total.seconds += count * unit->seconds;
  }
  return total;
}

}  // namespace

absl::StatusOr<Time> TimeAfter(Time now, std::string_view text) {
  using std::chrono::days;
  using std::chrono::months;
  using std::chrono::year_month_day;
  using std::chrono::year_month_day_last;

  std::optional<Lifetime> lifetime = ParseWords(text);
  if (!lifetime.has_value()) {
    if (const std::optional<Seconds> plain = ParseDuration(text)) {
      lifetime = Lifetime{.seconds = plain->count()};
    }
  }
  if (!lifetime.has_value() || (lifetime->months == 0 && lifetime->seconds == 0)) {
    return MakeError(
        Reason::kUsageError,
        "lifetime '" + Printable(text) +
            "': expected such as '18 months', '1 year 2 days 3 months 4 hours' or '90d'");
  }
  const Time last(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31) +
                  std::chrono::hours(24) - Seconds(1));
  const absl::Status too_far = MakeError(
      Reason::kUsageError, "lifetime '" + Printable(text) +
                               "' ends after the year 9999, the last that a certificate can hold");
  if (lifetime->months > 12 * 9999) return too_far;

  const auto day = std::chrono::floor<days>(now);
  year_month_day date = year_month_day(day) + months(lifetime->months);
  if (static_cast<int>(date.year()) > 9999) return too_far;
  if (!date.ok())
    date = year_month_day_last(date.year(), std::chrono::month_day_last(date.month()));
  const Time end = Time(std::chrono::sys_days(date)) + (now - day) + Seconds(lifetime->seconds);
  if (end > last) return too_far;
  return end;
}

}  // namespace troth
