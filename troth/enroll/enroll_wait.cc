#include "troth/enroll/enroll_wait.h"

#include <algorithm>
#include <thread>

#include "troth/base/reason.h"
#include "troth/enroll/server_answer.h"

namespace troth {

absl::StatusOr<EnrollStep> EnrollAndWait(Enroller& enroller, const EnrollWaitOptions& options) {
  Backoff backoff(options.backoff, options.random);
  EnrollPause pause;
  // The server was heard of to have the request, by this enroller or an earlier one.
  bool accepted = enroller.state() == EnrollState::kWaiting;
  while (true) {
    absl::StatusOr<EnrollStep> step = enroller.Step();
    pause.problem = step.status();
    if (step.ok()) {
      switch (*step) {
        case EnrollStep::kServerLearned:
        case EnrollStep::kForgotten:
          continue;
        case EnrollStep::kRequestMade:
          if (options.keep) {
            if (absl::Status status = options.keep(*step); !status.ok()) return status;
          }
          continue;
        case EnrollStep::kIssued:
          if (options.keep) {
            if (absl::Status status = options.keep(*step); !status.ok()) return status;
          }
          return step;
        case EnrollStep::kUnchanged:
        case EnrollStep::kRejected:
          return step;
        case EnrollStep::kWaiting:
          accepted = true;
          break;
      }
    } else if (!IsPassing(step.status()) ||
               (options.retry == EnrollRetry::kWhileWaiting && !accepted)) {
      return step.status();
    }

    ++pause.attempts;
    pause.wait = backoff.Next();
    if (const auto asked = enroller.retry_after(); asked.has_value()) {
      pause.wait = std::max<std::chrono::milliseconds>(pause.wait, *asked);
    }
    if (options.pausing) options.pausing(pause);
    if (!options.sleep) {
      std::this_thread::sleep_for(pause.wait);
    } else if (!options.sleep(pause.wait)) {
      return MakeError(Reason::kRequestPending,
                       "stopped while the request waits to be decided; run it again to go on");
    }
  }
}

}  // namespace troth
