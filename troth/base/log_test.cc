#include "troth/base/log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <regex>
#include <string>
#include <thread>
#include <vector>

namespace troth {
namespace {

// Collects what is logged until it goes, then restores the default sink.
class Collector {
 public:
  explicit Collector(LogLevel least = LogLevel::kDebug) {
    SetLogSink([this](const LogEntry& entry) { entries.push_back(entry); }, least);
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  ~Collector() { SetLogSink({}); }
  std::vector<LogEntry> entries;
};

TEST(LogTest, TheSinkGetsMessageAndFieldsInOrder) {
  const Collector collector;
  Log(LogLevel::kWarning, "call refused",
      {{"peer", "ipv4:127.0.0.1:1"}, {"reason", "rule_denied"}});
  ASSERT_EQ(collector.entries.size(), 1U);
  const LogEntry& entry = collector.entries[0];
  EXPECT_EQ(entry.level, LogLevel::kWarning);
  EXPECT_EQ(entry.message, "call refused");
  const std::vector<std::pair<std::string, std::string>> expected = {{"peer", "ipv4:127.0.0.1:1"},
                                                                     {"reason", "rule_denied"}};
  EXPECT_EQ(entry.fields, expected);
}

TEST(LogTest, EntriesBelowTheLeastLevelAreDropped) {
  const Collector collector(LogLevel::kWarning);
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    Log(level, "x");
    EXPECT_EQ(IsLogged(level), level >= LogLevel::kWarning);
  }
  ASSERT_EQ(collector.entries.size(), 2U);
  EXPECT_EQ(collector.entries[0].level, LogLevel::kWarning);
  EXPECT_EQ(collector.entries[1].level, LogLevel::kError);
}

TEST(LogTest, TheSinkIsNeverCalledConcurrently) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  int calls = 0;  // not atomic: the sink's own lock is what is tested
  SetLogSink([&](const LogEntry&) {
    const int now = ++inside;
    if (now > most) most = now;
    ++calls;
    std::this_thread::yield();
    --inside;
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int j = 0; j < 500; ++j) Log(LogLevel::kInfo, "x");
    });
  }
  for (std::thread& thread : threads) thread.join();
  SetLogSink({});
  EXPECT_EQ(calls, 2000);
  EXPECT_EQ(most, 1);
}

TEST(LogTest, WithoutASinkLinesGoToStandardErrorFromInfoUp) {
  SetLogSink({});
  ::testing::internal::CaptureStderr();
  Log(LogLevel::kDebug, "not seen");
  Log(LogLevel::kInfo, "certificate replaced", {{"file", "server.pem"}});
  Log(LogLevel::kError, "gone");
  const std::string output = ::testing::internal::GetCapturedStderr();
  const std::regex expected(
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ info certificate replaced file=server\.pem\n)"
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ error gone\n)");
  EXPECT_TRUE(std::regex_match(output, expected)) << output;
}

TEST(FormatLogEntryTest, IsOneLineThatCannotBeForged) {
  const struct {
    LogEntry entry;
    const char* line;
  } kCases[] = {
      {{LogLevel::kInfo, "started", {}}, "started"},
      {{LogLevel::kInfo, "started", {{"port", "50051"}, {"mode", ""}}},
       "started port=50051 mode=\"\""},
      {{LogLevel::kInfo, "m", {{"subject", "C=US, CN=x"}}}, "m subject=\"C=US, CN=x\""},
      {{LogLevel::kInfo, "m\nforged line", {{"k", "v\n\x1b[31m\""}}},
       "m\\x0aforged line k=v\\x0a\\x1b[31m\\x22"},
  };
  for (const auto& test : kCases) EXPECT_EQ(FormatLogEntry(test.entry), test.line);
}

TEST(FormatLogEntryTest, CutsAFieldOfAbsurdLength) {
  const LogEntry entry{LogLevel::kInfo, "m", {{"k", std::string(1'000'000, 'x')}}};
  EXPECT_LT(FormatLogEntry(entry).size(), 3000U);
}

}  // namespace
}  // namespace troth
