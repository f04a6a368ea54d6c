// An identity that a service obtains from an authority by itself, in memory only, and that renews
// itself while the service runs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/enroll/backoff.h"
#include "troth/enroll/enroller.h"
#include "troth/identity/identity_source.h"

namespace troth {

struct EnrolledIdentityOptions {
  // How long Start waits for the first certificate: for an authority that does not answer yet, and
  // for an operator who has to approve a request without a token.
  std::chrono::milliseconds patience{60'000};
  // Waits between the attempts of Start; false: give up. By default the thread sleeps.
  std::function<bool(std::chrono::milliseconds)> sleep = nullptr;
  // How often it is looked whether a renewal is due.
  std::chrono::milliseconds look_every{1000};
  RandomSource random = SystemRandom();  // of the waits after failures
};

// Key and certificate are never on disk: a service that starts again enrols again, with a new key,
// and needs a token that is good for that (`troth tokens create --max-uses`), or an authority that
// approves its name by itself. One that shall start without its authority keeps files: `troth
// enroll` and IdentitySource::WatchFiles.
//
// Renewed with the current certificate when it is due, but not before a quarter of its life is
// over, by a thread of its own. A renewal that fails is logged, as an error when half of the time
// that was left for it is over, and tried again after waits that grow to five minutes; the service
// goes on with what it has. Statistics() counts the failures as `rejected`. The end of the last
// reference stops the thread, within a second also when it is waiting for the authority.
// Thread-safe.
class EnrolledIdentitySource : public IdentitySource {
 public:
  // Waits until there is a certificate. What `enroll.clock` points to outlives the source. Errors:
  // those of Enroller::Create; those of Enroller::Step that nobody's waiting mends (token_invalid,
  // issuer_unknown, name_not_permitted ...) at once, the others when the patience is over;
  // request_rejected; request_pending (nobody has decided, or `sleep` said stop).
  static absl::StatusOr<std::shared_ptr<EnrolledIdentitySource>> Start(
      EnrollOptions enroll, const EnrolledIdentityOptions& options = {});

  // Renews if it is due and no failure is too recent, as the thread does. Not from a subscriber.
  // Errors: why what was tried now failed.
  virtual absl::Status RenewIfDue() = 0;
};

}  // namespace troth
