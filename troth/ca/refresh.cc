// Signing anew what was signed before: Caramel's refresh.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/ca/requests_internal.h"

namespace troth {
namespace {

constexpr std::uint64_t kMostAtOnce = 64;  // share a transaction, and a sync of the disk

// How many are on their way.
class Window {
 public:
  void Enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return inside_ < kMostAtOnce; });
    ++inside_;
  }
  void Leave(bool refused) {
    const std::lock_guard lock(mutex_);
    --inside_;
    ++(refused ? refused_ : done_);
    changed_.notify_all();
  }
  void WaitUntilEmpty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return inside_ == 0; });
  }
  void Count(RefreshProgress& progress) {
    const std::lock_guard lock(mutex_);
    progress.done = done_;
    progress.refused = refused_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t inside_ = 0, done_ = 0, refused_ = 0;
};

// Calls `visit` for every request that is meant, oldest first.
absl::Status VisitMeant(AuthorityContext& context, const RefreshSpec& spec,
                        const std::function<void(const RequestRecord&)>& visit) {
  return VisitRequests(context, {.state = RequestState::kApproved, .profile = spec.profile},
                       [&](const RequestRecord& record) {
                         if (record.certificate.has_value()) visit(record);
                         return absl::OkStatus();
                       });
}

// A certificate that is still valid is not followed by one that ends earlier.
absl::Status CheckNotShorter(const AuthorityContext& context, const RequestRecord& record,
                             const Profile& profile, std::optional<Seconds> lifetime) {
  const Time now = context.clock.Now();
  const Time present = record.certificate_not_after.value_or(now);
  const Time next = std::min(now + lifetime.value_or(profile.default_lifetime),
                             context.issuers.current().current().certificate.validity().not_after);
  if (present <= next || present < now) return absl::OkStatus();
  return MakeError(Reason::kUsageError,
                   "the present certificate is good until " + FormatTime(present) +
                       ", longer than the new one would be (" + FormatTime(next) + ")");
}

void RefreshOne(AuthorityContext& context, const RequestRecord& record, const RefreshSpec& spec,
                const std::string& actor, const std::shared_ptr<Window>& window) {
  absl::StatusOr<std::shared_ptr<Issuance>> issuance =
      IssuanceFor(context, record, RequestMove::kRenew, actor);
  absl::Status allowed = issuance.status();
  if (allowed.ok()) {
    allowed = CheckNotShorter(context, record, *(*issuance)->profile, spec.lifetime);
  }
  if (!allowed.ok()) {
    (void)Refuse(context,
                 {.action = "refresh",
                  .standing = Standing::kKnown,
                  .actor = actor,
                  .subject = FormatFingerprint(record.id)},
                 allowed);
    window->Leave(/*refused=*/true);
    return;
  }
  (*issuance)->action = "refresh";
  (*issuance)->lifetime = spec.lifetime;
  (*issuance)->done = [window](const absl::Status& status, const Issuance&) {
    window->Leave(!status.ok());
  };
  IssueAndStore(context, *std::move(issuance));
}

}  // namespace

absl::StatusOr<RefreshProgress> Refresh(
    AuthorityContext& context, const RefreshSpec& spec, const std::string& actor,
    const std::function<void(const RefreshProgress&)>& progress) {
  if (!spec.profile.empty() && context.options.profiles.Find(spec.profile) == nullptr) {
    return MakeError(Reason::kUsageError, "there is no profile '" + spec.profile + "' here");
  }
  RefreshProgress now;
  absl::Status status = VisitMeant(context, spec, [&](const RequestRecord&) { ++now.total; });
  if (!status.ok()) return status;
  const auto window = std::make_shared<Window>();
  const auto report = [&] {
    window->Count(now);
    if (progress) progress(now);
  };
  std::uint64_t started = 0;
  report();
  status = VisitMeant(context, spec, [&](const RequestRecord& record) {
    if (started == now.total) return;  // came meanwhile, and is fresh
    ++started;
    window->Enter();
    RefreshOne(context, record, spec, actor, window);
    if (started % kMostAtOnce == 0) report();
  });
  window->WaitUntilEmpty();
  report();
  if (!status.ok()) return status;
  Log(LogLevel::kInfo, "refreshed",
      {{"actor", actor},
       {"done", std::to_string(now.done)},
       {"refused", std::to_string(now.refused)}});
  return now;
}

}  // namespace troth
