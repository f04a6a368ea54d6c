// Steps an enrolment until there is a certificate, with waits between the attempts.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/enroll/backoff.h"
#include "troth/enroll/enroller.h"

namespace troth {

// A wait that begins.
struct EnrollPause {
  int attempts = 0;                  // that were made since waiting began
  std::chrono::milliseconds wait{};  // until the next one
  absl::Status problem = {};         // why the last one failed; OK: the authority has to decide
};

// What is worth another attempt.
enum class EnrollRetry {
  // Passing failures, once the authority has the request, or has it from an earlier enroller.
  // Before,
  // a failure is said at once: there is somebody to mend it.
  kWhileWaiting,
  // Every passing failure: nobody is there.
  kAlways,
};

struct EnrollWaitOptions {
  Backoff::Options backoff = {};
  EnrollRetry retry = EnrollRetry::kWhileWaiting;
  // Called for a request that was made, before it is sent, and for a certificate that was issued:
  // keeps them. Its error ends it all.
  std::function<absl::Status(EnrollStep)> keep = nullptr;
  std::function<void(const EnrollPause&)> pausing = nullptr;
  // Waits; false: stop. By default the thread sleeps.
  std::function<bool(std::chrono::milliseconds)> sleep = nullptr;
  RandomSource random = SystemRandom();
};

// Answers kIssued, kUnchanged or kRejected. A server's Retry-After lengthens a wait. Errors: those
// of Enroller::Step that are not worth another attempt, those of `keep`, and request_pending when
// `sleep` said stop.
absl::StatusOr<EnrollStep> EnrollAndWait(Enroller& enroller, const EnrollWaitOptions& options);

}  // namespace troth
