#include "troth/enroll/backoff.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <random>
#include <utility>

namespace troth {

RandomSource SystemRandom() {
  struct State {
    std::mutex mutex;
    std::mt19937_64 engine{std::random_device{}()};  // guarded by mutex
  };
  return [state = std::make_shared<State>()] {
    const std::lock_guard lock(state->mutex);
    return std::uniform_real_distribution<double>(0, 1)(state->engine);
  };
}

Backoff::Backoff(Options options, RandomSource random)
    : options_(options), random_(std::move(random)), next_(options.first) {}

std::chrono::milliseconds Backoff::Next() {
  const auto wait = next_;
  next_ = std::min(next_ * 2, options_.longest);
  const double factor = 1 + options_.jitter * (2 * random_() - 1);
  return std::chrono::round<std::chrono::milliseconds>(wait * factor);
}

void Backoff::Reset() { next_ = options_.first; }

}  // namespace troth
