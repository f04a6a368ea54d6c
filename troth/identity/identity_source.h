// Where a service's identity comes from and how it changes while the service runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/identity/identity.h"

namespace troth {

// Ends a subscription when it goes; waits for a callback that is running (except from inside it).
using Subscription = std::shared_ptr<void>;

struct FileIdentityOptions {
  // Paths of PEM files. certificate and private_key may be one file; both empty: trust only.
  // trust_bundle may be empty: trust nobody.
  std::string certificate = {};
  std::string private_key = {};
  std::string trust_bundle = {};
  std::string passphrase_file = {};    // opens an encrypted private_key
  bool allow_untrusted_chain = false;  // see Identity::Parts
  // How often files are looked at where inotify sees nothing (network file systems); inotify reacts
  // within milliseconds.
  std::chrono::milliseconds poll_interval{1000};
  // A warning in the log, once a day, when no more than this is left, and no more than a third of
  // the lifetime.
  Seconds warn_before_expiry = std::chrono::hours(24 * 7);
  const Clock* clock = &Clock::System();  // not owned; outlives the source
};

struct IdentityStatistics {
  std::uint64_t rotations = 0;  // snapshots that replaced another
  std::uint64_t rejected =
      0;                   // replacements that were not whole, each state of the files counted once
  std::string last_error;  // why the newest files are not in use, empty when they are
  std::optional<std::int64_t>
      seconds_left;  // until expires(), negative after; nothing without a certificate
};

// Hands out snapshots. Thread-safe. Never without a snapshot.
class IdentitySource {
 public:
  virtual ~IdentitySource() = default;

  // Takes a lock for a moment: keep the snapshot rather than ask for it with every call.
  virtual std::shared_ptr<const Identity> Current() const = 0;
  // Calls `changed` after each replacement, from the source's thread, one at a time; it must not
  // throw. What was replaced before Subscribe returned is not reported: subscribe, then take
  // Current(). The subscription does not keep the source alive; source and subscription may end in
  // any order, also inside a callback.
  virtual Subscription Subscribe(std::function<void(std::shared_ptr<const Identity>)> changed) = 0;
  virtual IdentityStatistics Statistics() const = 0;

  // Loads the files now (an error is returned, naming the file) and watches them. A replacement
  // counts only when it is whole; until then the old snapshot stays, the log says with file and
  // reason why, at once and, as an error, every minute while it lasts, and the new one is picked up
  // as soon as it is whole, also when only the time makes it so. Until then a CA that the new files
  // no longer trust is trusted. Files with the content that is in use already
  // replace nothing. A key file that others may read works, with a warning. Expiry is told in the
  // log once a day, as an error once it is past.
  static absl::StatusOr<std::shared_ptr<IdentitySource>> WatchFiles(FileIdentityOptions options);
};

// An identity that the application sets itself: never on disk.
class MemoryIdentitySource : public IdentitySource {
 public:
  // `identity` must not be null. `clock` is not owned and outlives the source.
  static std::shared_ptr<MemoryIdentitySource> Create(std::shared_ptr<const Identity> identity,
                                                      const Clock& clock = Clock::System());
  // Replaces the snapshot; subscribers are called before it returns (from inside a callback: after
  // that one). Not null; the same snapshot again replaces nothing. Thread-safe.
  virtual void Set(std::shared_ptr<const Identity> identity) = 0;
};

}  // namespace troth
