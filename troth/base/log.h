// The library's log: structured lines through a sink that the application sets.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troth {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A message and its fields, in order: {"peer", "ipv4:127.0.0.1:5800"}, {"reason",
// "certificate_expired"}.
struct LogEntry {
  LogLevel level;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

// Called from any thread, never concurrently with itself. Must not log and must not throw.
using LogSink = std::function<void(const LogEntry&)>;

// Replaces the sink for the process; an empty one restores the default (standard error, kInfo and
// up). Entries below `least` are dropped before anything is formatted. Thread-safe.
void SetLogSink(LogSink sink, LogLevel least = LogLevel::kInfo);

// Whether an entry of this level would reach the sink: spares the making of one that would not.
bool IsLogged(LogLevel level);

void Log(LogLevel level, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {});
// The same for an entry that was made before: what happens under a lock is logged after it.
void Log(const LogEntry& entry);

// One line, `message key=value key="with space"`, control characters escaped: what the default sink
// prints after time and level.
std::string FormatLogEntry(const LogEntry& entry);

}  // namespace troth
