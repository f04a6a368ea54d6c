#include "examples/attestor/program.h"

#include <csignal>
#include <ctime>
#include <iostream>

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
