#include "troth/base/log.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>

#include "troth/base/strings.h"
#include "troth/base/time.h"

namespace troth {
namespace {

constexpr size_t kMaxField = 2000;  // bytes of one field in the log

struct State {
  std::mutex mutex;
  LogSink sink;  // guarded by mutex
  std::atomic<LogLevel> least{LogLevel::kInfo};
};

// Never destroyed: threads may log while the process ends.
State& TheState() {
  static State* const state = new State;
  return *state;
}

const char* NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

void PrintToStandardError(const LogEntry& entry) {
  const std::string line = FormatTime(Clock::System().Now()) + " " + NameOf(entry.level) + " " +
                           FormatLogEntry(entry) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void SetLogSink(LogSink sink, LogLevel least) {
  State& state = TheState();
  const std::lock_guard lock(state.mutex);
  state.sink = std::move(sink);
  state.least = least;
}

bool IsLogged(LogLevel level) { return level >= TheState().least.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  if (!IsLogged(level)) return;
  LogEntry entry{.level = level, .message = std::string(message), .fields = {}};
  for (const auto& [key, value] : fields) entry.fields.emplace_back(key, value);
  Log(entry);
}

void Log(const LogEntry& entry) {
  State& state = TheState();
  if (entry.level < state.least.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(state.mutex);
  if (state.sink) {
    state.sink(entry);
  } else {
    PrintToStandardError(entry);
  }
}

std::string FormatLogEntry(const LogEntry& entry) {
  std::string line = Printable(entry.message, kMaxField);
  for (const auto& [key, value] : entry.fields) {
    const std::string text = Printable(value, kMaxField);
    const bool quote = text.empty() || text.find(' ') != std::string::npos;
    line += " " + key + "=" + (quote ? "\"" + text + "\"" : text);
  }
  return line;
}

}  // namespace troth
