#include "troth/enroll/enrolled_identity_source.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/enroll/enroll_wait.h"
#include "troth/pki/digest.h"

namespace troth {
namespace {

using std::chrono::milliseconds;

constexpr Seconds kLongestWait = std::chrono::minutes(5);
// Steps that follow each other at once end long before.
constexpr int kMostSteps = 8;

absl::StatusOr<std::shared_ptr<const Identity>> SnapshotOf(const EnrolledIdentity& enrolled,
                                                           Time now) {
  return Identity::Create({.certificate_pem = enrolled.chain_pem,
                           .private_key_pem = enrolled.private_key_pem.Reveal(),
                           .trust_bundle_pem = enrolled.trust_bundle_pem},
                          now);
}

// What the thread works with; it may live a moment longer than the source, which may end inside a
// subscriber's callback.
class Renewer {
 public:
  Renewer(std::string_view server, std::string_view client_id, std::unique_ptr<Enroller> enroller,
          std::shared_ptr<std::atomic<bool>> stopping, RandomSource random)
      : server_(Printable(server)),
        client_id_(Printable(client_id)),
        stopping_(std::move(stopping)),
        enroller_(std::move(enroller)),
        backoff_({.longest = kLongestWait}, std::move(random)) {}

  absl::Status Begin(const EnrolledIdentityOptions& options) {
    if (absl::Status status = WaitForTheFirst(options); !status.ok()) return status;
    const absl::StatusOr<EnrolledIdentity> enrolled = enroller_->identity();
    if (!enrolled.ok()) return enrolled.status();
    auto snapshot = SnapshotOf(*enrolled, Now());
    if (!snapshot.ok()) return snapshot.status();
    due_ = DueTimeOf(*enrolled);
    held_ = MemoryIdentitySource::Create(*std::move(snapshot), enroller_->clock());
    LogNew("identity enrolled");
    return absl::OkStatus();
  }

  absl::Status RenewIfDue() {
    const std::lock_guard lock(renewing_);
    const Time now = Now();
    if (now < due_) return absl::OkStatus();
    // A clock that was set back does not make it wait for longer than ever.
    if (now < next_attempt_ && next_attempt_ - now <= last_wait_) return absl::OkStatus();
    absl::Status status = Renew();
    if (!status.ok() && !*stopping_) Fail(status);
    return status;
  }

  void Run(milliseconds look_every) {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, look_every, [this] { return stopping_->load(); })) {
      lock.unlock();
      // Has been logged and counted.
      RenewIfDue().IgnoreError();
      lock.lock();
    }
  }

  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      *stopping_ = true;
    }
    stop_.notify_all();
  }

  MemoryIdentitySource& held() const { return *held_; }

  IdentityStatistics Statistics() const {
    IdentityStatistics statistics = held_->Statistics();
    const std::lock_guard lock(counting_);
    statistics.rejected = failures_;
    statistics.last_error = last_error_;
    return statistics;
  }

 private:
  Time Now() const { return enroller_->clock().Now(); }

  // A certificate that is due as soon as it is issued, for its life is short or `renew_before`
  // long, is used for a while all the same.
  Time DueTimeOf(const EnrolledIdentity& enrolled) const {
    const Time now = Now();
    return std::max(enrolled.due, now + (enrolled.not_after - now) / 4);
  }

  absl::Status WaitForTheFirst(const EnrolledIdentityOptions& options) {
    milliseconds left = options.patience;
    auto woke = std::chrono::steady_clock::now();
    bool gave_up = false;
    absl::Status problem;
    const auto sleep = [&](milliseconds wait) {
      const auto stepped = std::chrono::steady_clock::now() - woke;
      left -= std::chrono::duration_cast<milliseconds>(stepped);
      wait = std::min(wait, left);
      gave_up = wait <= milliseconds(0);
      if (gave_up) return false;
      left -= wait;
      bool go_on = true;
      if (options.sleep) {
        go_on = options.sleep(wait);
      } else {
        std::this_thread::sleep_for(wait);
      }
      woke = std::chrono::steady_clock::now();
      return go_on;
    };
    const absl::StatusOr<EnrollStep> step =
        EnrollAndWait(*enroller_, {.retry = EnrollRetry::kAlways,
                                   .pausing = [&](const EnrollPause& p) { problem = p.problem; },
                                   .sleep = sleep,
                                   .random = options.random});
    const std::string patience = std::to_string(options.patience.count() / 1000) + " s";
    if (gave_up && !problem.ok()) {
      return WithContext(problem, "no certificate of " + server_ + " within " + patience);
    }
    if (gave_up) {
      return MakeError(Reason::kRequestPending,
                       server_ + " has not decided on the request of " + client_id_ + " (SHA-256 " +
                           FormatFingerprint(*enroller_->request_digest()) + ") within " +
                           patience + "; give a token, or have it approved sooner");
    }
    if (!step.ok()) return step.status();
    return *step == EnrollStep::kRejected ? Rejected() : absl::OkStatus();
  }

  absl::Status Rejected() const {
    const std::string why =
        enroller_->rejection().empty() ? "" : " (" + enroller_->rejection() + ")";
    return MakeError(Reason::kRequestRejected,
                     server_ + " rejected the request of " + client_id_ + why);
  }

  // With renewing_ held, as all below.
  absl::Status Renew() {
    for (int i = 0; i < kMostSteps; ++i) {
      const absl::StatusOr<EnrollStep> step = enroller_->Step();
      if (!step.ok()) return step.status();
      switch (*step) {
        case EnrollStep::kServerLearned:
        case EnrollStep::kRequestMade:
        case EnrollStep::kForgotten:
          continue;
        case EnrollStep::kIssued:
          return Take();
        case EnrollStep::kUnchanged:
          return MakeError(Reason::kRequestPending, server_ + " has no newer certificate yet");
        case EnrollStep::kWaiting:
          return MakeError(Reason::kRequestPending, server_ + " has not decided yet");
        case EnrollStep::kRejected: {
          absl::Status rejected = Rejected();
          // Refused as long as a certificate for the key is valid; then the key stays as well.
          enroller_->StartOver().IgnoreError();
          return rejected;
        }
      }
    }
    return MakeError(Reason::kResponseMalformed, server_ + " does not come to an end");
  }

  absl::Status Take() {
    const absl::StatusOr<EnrolledIdentity> enrolled = enroller_->identity();
    if (!enrolled.ok()) return enrolled.status();
    auto snapshot = SnapshotOf(*enrolled, Now());
    if (!snapshot.ok()) return snapshot.status();
    due_ = DueTimeOf(*enrolled);
    next_attempt_ = {};
    backoff_.Reset();
    {
      const std::lock_guard lock(counting_);
      last_error_.clear();
    }
    held_->Set(*std::move(snapshot));
    LogNew("identity renewed");
    return absl::OkStatus();
  }

  void Fail(const absl::Status& status) {
    const Time now = Now();
    const Time end = *held_->Current()->expires();
    const Seconds left = end - now;
    Seconds wait = std::chrono::ceil<Seconds>(backoff_.Next());
    // Some attempts before the end, however short the life.
    if (left > Seconds(0)) wait = std::min(wait, std::max(left / 4, Seconds(1)));
    if (const auto asked = enroller_->retry_after(); asked.has_value()) {
      wait = std::max(wait, *asked);
    }
    last_wait_ = wait;
    next_attempt_ = now + wait;
    {
      const std::lock_guard lock(counting_);
      ++failures_;
      last_error_ = ToStd(status.message());
    }
    const bool ended = left <= Seconds(0);
    const bool late = left <= (end - due_) / 2;
    Log(late ? LogLevel::kError : LogLevel::kWarning,
        ended ? "identity has expired, peers refuse it, and it could not be renewed"
              : "identity could not be renewed",
        {{"client_id", client_id_},
         {"authority", server_},
         {"reason", CodeOf(status)},
         {"error", ToStd(status.message())},
         {"fix", FixOf(status)},
         {"expires", FormatTime(end)},
         {ended ? "since" : "left", FormatDuration(ended ? -left : left)},
         {"again_in", FormatDuration(wait)}});
  }

  void LogNew(std::string_view what) const {
    const std::shared_ptr<const Identity> now = held_->Current();
    Log(LogLevel::kInfo, what,
        {{"client_id", client_id_},
         {"authority", server_},
         {"certificate", now->leaf().Describe()},
         {"expires", FormatTime(*now->expires())}});
  }

  const std::string server_, client_id_;               // for messages
  const std::shared_ptr<std::atomic<bool>> stopping_;  // ends an exchange that has begun

  std::mutex renewing_;  // guards the next six
  std::unique_ptr<Enroller> enroller_;
  std::shared_ptr<MemoryIdentitySource> held_;
  Backoff backoff_;
  Time due_;
  Time next_attempt_;
  Seconds last_wait_{0};

  mutable std::mutex counting_;
  std::uint64_t failures_ = 0;  // guarded by counting_, as last_error_
  std::string last_error_;

  std::mutex mutex_;
  std::condition_variable stop_;
};

class EnrolledIdentitySourceImpl final : public EnrolledIdentitySource {
 public:
  EnrolledIdentitySourceImpl(std::shared_ptr<Renewer> renewer, milliseconds look_every)
      : renewer_(std::move(renewer)),
        thread_([renewer = renewer_, look_every] { renewer->Run(look_every); }) {}
  EnrolledIdentitySourceImpl(const EnrolledIdentitySourceImpl&) = delete;
  EnrolledIdentitySourceImpl& operator=(const EnrolledIdentitySourceImpl&) = delete;
  ~EnrolledIdentitySourceImpl() override {
    renewer_->Stop();
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // inside a subscriber's callback; it ends after that
    } else {
      thread_.join();
    }
  }

  std::shared_ptr<const Identity> Current() const override { return renewer_->held().Current(); }
  Subscription Subscribe(std::function<void(std::shared_ptr<const Identity>)> changed) override {
    return renewer_->held().Subscribe(std::move(changed));
  }
  IdentityStatistics Statistics() const override { return renewer_->Statistics(); }
  absl::Status RenewIfDue() override {
    const std::shared_ptr<Renewer> renewer = renewer_;
    return renewer->RenewIfDue();
  }

 private:
  const std::shared_ptr<Renewer> renewer_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<EnrolledIdentitySource>> EnrolledIdentitySource::Start(
    EnrollOptions enroll, const EnrolledIdentityOptions& options) {
  const std::string server = enroll.server;
  const std::string client_id = enroll.client_id;
  // The connections of the enroller, which is made before the renewer that stops them.
  const auto stopping = std::make_shared<std::atomic<bool>>(false);
  enroll.connect = [stopping, connect = std::move(enroll.connect)](HttpClientOptions http) {
    http.give_up = [stopping] { return stopping->load(); };
    return connect(std::move(http));
  };
  absl::StatusOr<std::unique_ptr<Enroller>> enroller = Enroller::Create(std::move(enroll));
  if (!enroller.ok()) return enroller.status();
  const auto renewer =
      std::make_shared<Renewer>(server, client_id, *std::move(enroller), stopping, options.random);
  if (absl::Status status = renewer->Begin(options); !status.ok()) return status;
  return std::make_shared<EnrolledIdentitySourceImpl>(renewer, options.look_every);
}

}  // namespace troth
