#include "troth/base/stop_signal.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace troth {
namespace {

// What the signal handler reaches: readable once a signal has come, -1 while nobody waits.
std::atomic<int> the_event = -1;
static_assert(std::atomic<int>::is_always_lock_free);

struct sigaction old_interrupt, old_terminate;

void Announce() {
  const int saved = errno;
  const int event = the_event.load();
  const std::uint64_t one = 1;
  // The descriptor is non-blocking, and full only when many signals have come.
  if (event >= 0 && write(event, &one, sizeof one) < 0) errno = 0;
  errno = saved;
}

void OnSignal(int /*signal*/) { Announce(); }

}  // namespace

StopSignal::StopSignal() {
  the_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, &old_interrupt);
  sigaction(SIGTERM, &action, &old_terminate);
}

StopSignal::~StopSignal() {
  sigaction(SIGINT, &old_interrupt, nullptr);
  sigaction(SIGTERM, &old_terminate, nullptr);
  close(the_event.exchange(-1));
}

bool StopSignal::WaitFor(std::chrono::milliseconds limit) const {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    // Never read, so that it stays readable for all.
    pollfd event = {.fd = the_event.load(), .events = POLLIN, .revents = 0};
    const int ready = poll(&event, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready > 0) return true;
    if (ready == 0 && left.count() <= 0) return false;
  }
}

void StopSignal::Wait() const {
  while (!WaitFor(std::chrono::hours(1))) {
  }
}

void StopSignal::Raise() { Announce(); }

}  // namespace troth
