#include "troth/http/server_log_internal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace troth {
namespace {

// What a log wrote until it went.
template <typename Use>
std::vector<LogEntry> LoggedBy(Use use) {
  std::vector<LogEntry> entries;
  SetLogSink([&](const LogEntry& entry) { entries.push_back(entry); });
  {
    ServerLog log("front");
    use(log);
  }
  SetLogSink({});
  return entries;
}

std::string FieldOf(const LogEntry& entry, std::string_view name) {
  const auto field = std::ranges::find(entry.fields, name, [](const auto& f) { return f.first; });
  return field == entry.fields.end() ? "" : field->second;
}

TEST(ServerLogTest, ARequestIsOneLine) {
  const auto entries = LoggedBy([](ServerLog& log) {
    log.Add(ServerLog::Request{.method = "GET",
                               .path = "/a\x1b[2J",
                               .address = "192.0.2.1:5",
                               .peer = nullptr,
                               .status = 404,
                               .bytes = 12,
                               .took = std::chrono::microseconds(1500)});
  });
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(FormatLogEntry(entries[0]),
            "request server=front method=GET path=/a\\x1b[2J status=404 bytes=12 ms=1.500 "
            "peer=anonymous address=192.0.2.1:5");
}

TEST(ServerLogTest, ManyDropsOfAKindAreAFewLinesAndACount) {
  const auto entries = LoggedBy([](ServerLog& log) {
    for (int i = 0; i < 1000; ++i) {
      log.Add(Drop::kHandshakeTimeout, "192.0.2.1:" + std::to_string(i));
    }
    log.Add(Drop::kReset, "192.0.2.2:1", std::string(5000, 'x'));
  });
  const auto of = [&](std::string_view drop) {
    std::vector<LogEntry> found;
    for (const LogEntry& entry : entries) {
      if (FieldOf(entry, "drop") == drop) found.push_back(entry);
    }
    return found;
  };
  const auto timeouts = of("handshake_timeout");
  // A test that is stopped in between may see two seconds begin.
  ASSERT_GE(timeouts.size(), 4U);
  ASSERT_LE(timeouts.size(), 8U);
  std::uint64_t all = 0;
  for (const LogEntry& entry : timeouts) {
    const std::string count = FieldOf(entry, "count");
    all += count.empty() ? 1 : std::stoul(count);
  }
  EXPECT_EQ(all, 1000U);
  ASSERT_EQ(of("reset").size(), 1U);  // a kind does not hide another
  EXPECT_LT(FieldOf(of("reset")[0], "error").size(), 1000U);
}

TEST(ServerLogTest, CountsAreToldWithoutAnotherDrop) {
  std::atomic<int> counted = 0;
  SetLogSink([&](const LogEntry& entry) {
    if (entry.message == "more connections dropped") ++counted;
  });
  {
    ServerLog log("front");
    for (int i = 0; i < 10; ++i) log.Add(Drop::kNotTls, "192.0.2.1:1");
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (counted == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  }
  SetLogSink({});
  EXPECT_EQ(counted, 1);
}

TEST(ServerLogTest, ASlowSinkHoldsNobodyUp) {
  std::atomic<bool> go_on = false;
  std::atomic<std::uint64_t> lines = 0;
  std::atomic<std::uint64_t> lost = 0;
  SetLogSink([&](const LogEntry& entry) {
    while (!go_on) std::this_thread::yield();
    if (entry.message == "request") ++lines;
    if (const std::string count = FieldOf(entry, "count"); !count.empty()) {
      lost += std::stoul(count);
    }
  });
  constexpr std::uint64_t kMany = 50'000;
  {
    ServerLog log("front");
    for (std::uint64_t i = 0; i < kMany; ++i) log.Add(ServerLog::Request{.method = "GET"});
    go_on = true;
  }
  SetLogSink({});
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(lines + lost, kMany);
}

TEST(ServerLogTest, EveryDropHasAName) {
  for (size_t i = 0; i < kDropKinds; ++i) {
    EXPECT_FALSE(NameOf(static_cast<Drop>(i)).empty()) << i;
  }
}

}  // namespace
}  // namespace troth
