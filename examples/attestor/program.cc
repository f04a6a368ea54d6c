#include "examples/attestor/program.h"

#include <csignal>
#include <ctime>
#include <iostream>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace attestor {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

int Fail(const char* program, const absl::Status& status) {
  std::cerr << program << ": " << troth::ToStd(status.message()) << " [" << troth::CodeOf(status)
            << "]\n  fix: " << troth::FixOf(status) << std::endl;
  return troth::InfoOf(troth::ReasonOf(status).value_or(troth::Reason::kInternal)).exit_code;
}

std::optional<ProgramArguments> ReadArguments(int argc, char** argv, const char* usage,
                                              bool knows_once, int& exit_code) {
  ProgramArguments out;
  bool good = true;
  for (int i = 1; i < argc && good; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::cout << usage;
      exit_code = 0;
      return std::nullopt;
    }
    if (argument == "--once" && knows_once) {
      out.once = true;
    } else if (argument == "--config" && i + 1 < argc && out.config_file.empty()) {
      out.config_file = argv[++i];
    } else {
      good = false;
    }
  }
  if (good && !out.config_file.empty()) return out;
  std::cerr << usage;
  exit_code = troth::InfoOf(troth::Reason::kUsageError).exit_code;
  return std::nullopt;
}

void StopSignals::Block() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

bool StopSignals::WaitFor(std::chrono::milliseconds limit) {
  static bool come = false;
  if (come) return true;
  const sigset_t signals = Signals();
  const timespec time{.tv_sec = static_cast<time_t>(limit.count() / 1000),
                      .tv_nsec = static_cast<long>(limit.count() % 1000) * 1'000'000};
  come = sigtimedwait(&signals, nullptr, &time) > 0;
  return come;
}

}  // namespace attestor
