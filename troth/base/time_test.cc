#include "troth/base/time.h"

#include <gtest/gtest.h>

#include <ctime>
#include <limits>

namespace troth {
namespace {

using namespace std::chrono_literals;

TEST(ClockTest, TheSystemsTellsTheTimeOfTheMachine) {
  const std::time_t before = std::time(nullptr);
  const auto now = Clock::System().Now().time_since_epoch().count();
  // The coarse clock may lag by a tick.
  EXPECT_GE(now, before - 1);
  EXPECT_LE(now, std::time(nullptr));
}

TEST(TimeTest, FormatsAndParses) {
  const struct {
    std::int64_t seconds;
    const char* text;
  } kCases[] = {
      {0, "1970-01-01T00:00:00Z"},          {1795228149, "2026-11-21T02:29:09Z"},
      {951782400, "2000-02-29T00:00:00Z"},  {-1, "1969-12-31T23:59:59Z"},
      {2147483648, "2038-01-19T03:14:08Z"}, {253402300799, "9999-12-31T23:59:59Z"},
      {-631152000, "1950-01-01T00:00:00Z"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(FormatTime(Time(Seconds(test.seconds))), test.text);
    EXPECT_EQ(ParseTime(test.text), Time(Seconds(test.seconds)));
  }
  EXPECT_EQ(ParseTime("2026-11-21"), Time(Seconds(1795219200)));
}

TEST(TimeTest, ParsesNothingElse) {
  for (const char* text : {"",
                           "2026",
                           "2026-11",
                           "2026-11-21T",
                           "2026-11-21T02:29:09",
                           "2026-11-21T02:29Z",
                           "2026-11-21 02:29:09Z",
                           "2026-11-21T02:29:09Zx",
                           "2026-11-21T02:29:09+00:00",
                           "2026-11-21T02:29:09.5Z",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-02-29",
                           "2026-11-31",
                           "2026-11-00",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T23:60:00Z",
                           "2026-11-21T23:59:60Z",
                           "26-11-21",
                           "2026-1-21",
                           "-026-11-21",
                           "2026--1-21",
                           "+026-11-21",
                           " 2026-11-21",
                           "2026-11-21x",
                           "12026-11-21"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

TEST(DurationTest, FormatsTheTwoLargestUnits) {
  const struct {
    Seconds duration;
    const char* text;
  } kCases[] = {
      {0s, "0 s"},          {9s, "9 s"},           {59s, "59 s"},  {60s, "1 min"},
      {61s, "1 min 1 s"},   {14min, "14 min"},     {3600s, "1 h"}, {3601s, "1 h"},
      {3660s, "1 h 1 min"}, {51h, "2 d 3 h"},      {24h, "1 d"},   {24h + 59min, "1 d"},
      {8760h, "365 d"},     {-90s, "-1 min 30 s"},
  };
  for (const auto& test : kCases) EXPECT_EQ(FormatDuration(test.duration), test.text);
  EXPECT_EQ(FormatDuration(Seconds(std::numeric_limits<std::int64_t>::min())).front(), '-');
}

TEST(DurationTest, ParsesUnitsAndSums) {
  const struct {
    const char* text;
    Seconds expected;
  } kCases[] = {
      {"0", 0s},       {"90", 90s},   {"90s", 90s}, {"15m", 900s},
      {"12h", 43200s}, {"30d", 720h}, {"2w", 336h}, {"1h30m", 5400s},
      {"1h30", 3630s}, {"1d1d", 48h}, {"007s", 7s}, {"36500d", 876000h},
  };
  for (const auto& test : kCases) EXPECT_EQ(ParseDuration(test.text), test.expected) << test.text;
}

TEST(DurationTest, ParsesNothingElse) {
  for (const char* text :
       {"", "s", "h1", "1 h", " 1h", "1h ", "-1h", "-0", "1h-0s", "+1h", "1.5h", "1y", "1H", "0x10",
        "99999999999999999999", "9999999999w", "106751991167300d", "200000d"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace troth
