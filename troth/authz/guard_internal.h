// What the guard and its ports share. Not installed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "troth/authz/crl_store.h"
#include "troth/authz/guard.h"
#include "troth/authz/judgement.h"
#include "troth/authz/method_index.h"
#include "troth/authz/policy.h"
#include "troth/authz/refusal_log.h"
#include "troth/base/file_watcher.h"
#include "troth/pki/digest.h"

namespace troth {

// Everything that a call is decided by, but for what a port adds (trust bundle, mode). Immutable; a
// change makes a new one with the next generation.
struct GuardState {
  std::uint64_t generation = 0;
  std::shared_ptr<const Policy> policy;
  std::shared_ptr<const MethodTable> registered;  // method -> group of `policy`
  CrlStore::Lists crls;
  RateSteps rate;
};

class GuardImpl final : public Guard, public std::enable_shared_from_this<GuardImpl> {
 public:
  explicit GuardImpl(GuardOptions options);
  // Loads everything for the first time and begins to watch.
  absl::Status Start();

  std::shared_ptr<GuardedPort> Protect(std::shared_ptr<IdentitySource> identity,
                                       ClientCertificate mode) override;
  void RegisterMethods(const std::vector<std::string>& methods) override;
  absl::Status Reload() override;
  std::uint64_t generation() const override { return generation_.load(std::memory_order_acquire); }
  GuardStatistics Statistics() const override;

  // For ports.
  std::shared_ptr<const GuardState> State() const;
  // What a port adds has changed: whatever was decided is decided anew.
  void BeginGeneration();
  const GuardOptions& options() const { return options_; }
  RateBuckets& buckets() { return buckets_; }
  // For rate limits, in nanoseconds from any fixed point.
  std::int64_t Ticks() const;
  // Counts, logs and reports a refusal.
  void Report(std::string_view peer_key, const std::shared_ptr<const Peer>& peer,
              std::string_view method, const Judgement& judgement, bool shadow);

 private:
  // Requires reload_mutex_, as all of these.
  absl::Status ReloadPolicy(GuardState& state, bool& changed);
  absl::Status ReloadCrls(GuardState& state, bool& changed);
  absl::Status ReloadLocked();
  std::shared_ptr<const MethodTable> TableFor(const Policy& policy) const;
  std::vector<std::string> WatchedPaths() const;
  void WarnAboutMethodsWithoutRule(const Policy& policy) const;
  // Replaces the state by `state` with the next generation. Requires state_mutex_.
  void Replace(GuardState state);

  const GuardOptions options_;
  std::atomic<std::uint64_t> generation_{0};

  mutable std::mutex state_mutex_;
  std::shared_ptr<const GuardState> state_;  // guarded by state_mutex_; never null after Start

  // One reload at a time; taken before state_mutex_.
  mutable std::mutex reload_mutex_;
  CrlStore crl_store_;  // guarded by reload_mutex_, as are those below
  // Of the policy's text and of what was read from the files that it names.
  Sha256Digest policy_digest_{};              // in force
  Sha256Digest rejected_digest_{};            // found to be unusable last
  std::vector<std::string> attempted_files_;  // that were read by the last attempt, usable or not
  std::vector<std::string> methods_;          // registered

  mutable std::mutex statistics_mutex_;
  std::uint64_t policy_rejected_ = 0;                      // guarded by statistics_mutex_
  std::string policy_error_;                               // guarded by statistics_mutex_
  std::string crl_error_;                                  // guarded by statistics_mutex_
  std::array<std::atomic<std::uint64_t>, 128> refused_{};  // by Reason
  std::atomic<std::uint64_t> shadow_refused_{0};

  RateBuckets buckets_;
  RefusalLog refusal_log_;
  // Last: its thread uses the others until it is gone.
  std::unique_ptr<FileWatcher> watcher_;
};

std::shared_ptr<GuardedPort> MakeGuardedPort(std::shared_ptr<GuardImpl> guard,
                                             std::shared_ptr<IdentitySource> identity,
                                             ClientCertificate mode);

}  // namespace troth
