// How long to wait before the next attempt.
#pragma once

#include <chrono>
#include <functional>

namespace troth {

// Answers numbers from 0 (inclusive) to 1 (exclusive), evenly spread.
using RandomSource = std::function<double()>;
// Seeded by the system; thread-safe.
RandomSource SystemRandom();

// Waits that double from `first` to `longest`, each longer or shorter by up to `jitter` of it, so
// that clients that began together do not go on asking together. The defaults are those of
// Caramel's clients. Not thread-safe.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{870};
    std::chrono::milliseconds longest{23'000};  // before jitter
    double jitter = 0.15;
  };
  Backoff(Options options, RandomSource random);

  std::chrono::milliseconds Next();
  // The next one is the first again.
  void Reset();

 private:
  Options options_;
  RandomSource random_;
  std::chrono::milliseconds next_;
};

}  // namespace troth
