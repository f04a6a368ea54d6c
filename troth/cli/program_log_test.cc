#include "troth/cli/program_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace troth {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr const char* kTime = "20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z";

std::string Timed(std::string_view rest) { return std::string(kTime).append(rest); }

void LogOne(LogLevel level = LogLevel::kWarning) {
  Log(level, "call {} refused", {{"peer", "a b"}, {"message", "gr\"\xfc\n"}});
}

std::string Logged(LogFormat format) {
  testing::internal::CaptureStderr();
  {
    const ProgramLog log(format);
    LogOne();
  }
  return testing::internal::GetCapturedStderr();
}

TEST(ProgramLogTest, WritesTextAsTheLibraryDoes) {
  const std::string line = Logged(LogFormat::kText);
  EXPECT_THAT(line, MatchesRegex(Timed(" warning call \\{\\} refused .*\n")));
  testing::internal::CaptureStderr();
  LogOne();
  EXPECT_EQ(line.substr(20), testing::internal::GetCapturedStderr().substr(20));
}

TEST(ProgramLogTest, WritesJson) {
  const std::string line = Logged(LogFormat::kJson);
  EXPECT_THAT(line,
              MatchesRegex(std::string("\\{\"time\": \"").append(Timed("\", \"level\": .*\n"))));
  EXPECT_EQ(line.substr(line.find("\"level\"")),
            "\"level\": \"warning\", \"event\": \"call {} refused\", \"peer\": \"a b\", "
            "\"message\": \"gr\\\"\xef\xbf\xbd\\n\"}\n");
}

TEST(ProgramLogTest, NamesEveryLevelAsTheLibraryDoes) {
  testing::internal::CaptureStderr();
  {
    const ProgramLog log(LogFormat::kText);
    for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kError})
      Log(level, "x");
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, MatchesRegex(Timed(" info x\n").append(Timed(" error x\n"))));
}

// What a terminal in the place of standard error is sent.
std::string OnATerminal(LogFormat format) {
  int terminal = -1;
  int error = -1;
  EXPECT_EQ(openpty(&terminal, &error, nullptr, nullptr, nullptr), 0);
  const int before = dup(STDERR_FILENO);
  dup2(error, STDERR_FILENO);
  {
    const ProgramLog log(format);
    LogOne();
  }
  dup2(before, STDERR_FILENO);
  std::array<char, 1000> text{};
  const ssize_t got = read(terminal, text.data(), text.size());
  for (const int descriptor : {terminal, error, before}) close(descriptor);
  return {text.data(), got < 0 ? 0 : static_cast<size_t>(got)};
}

TEST(ProgramLogTest, IsInColourOnATerminalOnly) {
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  EXPECT_THAT(OnATerminal(LogFormat::kText), HasSubstr("\x1b["));
  EXPECT_THAT(OnATerminal(LogFormat::kJson), Not(HasSubstr("\x1b[")));
  EXPECT_THAT(Logged(LogFormat::kText), Not(HasSubstr("\x1b[")));
  setenv("NO_COLOR", "1", 1);
  EXPECT_THAT(OnATerminal(LogFormat::kText), Not(HasSubstr("\x1b[")));
  unsetenv("NO_COLOR");
}

}  // namespace
}  // namespace troth
