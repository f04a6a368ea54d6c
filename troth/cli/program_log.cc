#include "troth/cli/program_log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "troth/base/time.h"
#include "troth/cli/json.h"

namespace troth {
namespace {

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string FormatAsJson(const LogEntry& entry) {
  const spdlog::string_view_t level = spdlog::level::to_string_view(LevelOf(entry.level));
  JsonObject object = {{"time", Clock::System().Now()},
                       {"level", std::string_view(level.data(), level.size())},
                       {"event", entry.message}};
  for (const auto& [key, value] : entry.fields) object.Add(key, value);
  return object.text();
}

}  // namespace

ProgramLog::ProgramLog(LogFormat format) {
  const bool colour = format == LogFormat::kText && std::getenv("NO_COLOR") == nullptr;
  // Troth calls a log sink for one entry at a time, so that of spdlog needs no lock.
  const auto logger = std::make_shared<spdlog::logger>(
      "troth", std::make_shared<spdlog::sinks::ansicolor_stderr_sink_st>(
                   colour ? spdlog::color_mode::automatic : spdlog::color_mode::never));
  logger->set_level(spdlog::level::trace);  // SetLogSink drops what is too small
  logger->set_pattern(format == LogFormat::kJson ? "%v" : "%Y-%m-%dT%H:%M:%SZ %^%l%$ %v",
                      spdlog::pattern_time_type::utc);
  SetLogSink([logger, format](const LogEntry& entry) {
    const std::string line =
        format == LogFormat::kJson ? FormatAsJson(entry) : FormatLogEntry(entry);
    logger->log(LevelOf(entry.level), spdlog::string_view_t(line));
  });
}

ProgramLog::~ProgramLog() { SetLogSink(nullptr); }

}  // namespace troth
