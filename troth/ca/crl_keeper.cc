#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/crl_keeper_internal.h"
#include "troth/ca/retry_pause_internal.h"
#include "troth/ca/revoked_list.h"
#include "troth/ca/templates.h"

namespace troth {
namespace {

// Counts the issuer's lists on, in the store: a number that was given out is not given out again,
// whatever is killed when.
absl::StatusOr<std::uint64_t> NextNumber(AuthorityContext& context, std::uint32_t issuer,
                                         Time now) {
  auto number = std::make_shared<std::uint64_t>(0);
  const absl::Status written = context.store.WriteAndWait([&](StoreTransaction& transaction) {
    absl::StatusOr<std::vector<IssuerRecord>> records = transaction.Issuers();
    if (!records.ok()) return records.status();
    const auto record = std::ranges::find(*records, issuer, &IssuerRecord::number);
    if (record == records->end()) {
      return MakeError(Reason::kInternal,
                       "the store has no issuer " + std::to_string(issuer) + " any more");
    }
    record->crl_number = std::max(record->crl_number + 1, CrlNumberAt(now));
    *number = record->crl_number;
    return transaction.PutIssuer(*record);
  });
  if (!written.ok()) return written;
  return *number;
}

bool SignsLists(const NumberedIssuer& issuer) {
  return issuer.signer != nullptr && CanSignLists(issuer.certificate);
}

bool HasEnded(const NumberedIssuer& issuer, Time now) {
  return now > issuer.certificate.validity().not_after;
}

}  // namespace

CrlKeeper::CrlKeeper(AuthorityContext& context) : context_(context), thread_([this] { Run(); }) {}

CrlKeeper::~CrlKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::Status CrlKeeper::MakeAll() {
  std::set<std::uint32_t> own;
  const Time now = context_.clock.Now();
  for (const NumberedIssuer& issuer : context_.issuers.current().all) {
    if (HasEnded(issuer, now)) continue;
    if (SignsLists(issuer)) {
      own.insert(issuer.number);
    } else {
      ReadFromFolder(issuer);
    }
  }
  return Renew(own).status();
}

void CrlKeeper::ReadFromFolder(const NumberedIssuer& issuer) {
  absl::StatusOr<Crl> list =
      ReadCrl(context_.options.folder.CrlFile(issuer.number), issuer.certificate);
  if (!list.ok()) return;  // OpenAuthority has warned
  auto shared = std::make_shared<const Crl>(*std::move(list));
  const std::lock_guard lock(mutex_);
  entries_[issuer.number].list = std::move(shared);
}

absl::StatusOr<std::set<std::uint32_t>> CrlKeeper::Renew(const std::set<std::uint32_t>& issuers) {
  const Time now = context_.clock.Now();
  std::set<std::uint32_t> left_out;
  std::map<std::uint32_t, std::uint64_t> targets;
  std::unique_lock lock(mutex_);
  for (const std::uint32_t number : issuers) {
    const NumberedIssuer* const issuer = context_.issuers.current().Find(number);
    if (issuer != nullptr && HasEnded(*issuer, now)) continue;
    if (issuer != nullptr && SignsLists(*issuer)) {
      targets[number] = ++entries_[number].wanted;
    } else {
      left_out.insert(number);
    }
  }
  changed_.notify_all();
  absl::Status status;
  for (const auto& [number, target] : targets) {
    Entry& entry = entries_[number];
    changed_.wait(lock, [&, wanted = target] { return stopping_ || entry.done >= wanted; });
    if (entry.done < target) return MakeError(Reason::kStoreFailed, "the authority is closing");
    status.Update(entry.outcome);
  }
  if (!status.ok()) return status;
  return left_out;
}

bool CrlKeeper::IsDue(const Entry& entry, Time now, SteadyTime steady_now) {
  if (!entry.outcome.ok()) return steady_now >= entry.made + PauseAfter(entry.failures);
  return now >= entry.due || (entry.list != nullptr && now < entry.list->this_update());
}

void CrlKeeper::RenewDue() {
  const Time now = context_.clock.Now();
  const SteadyTime steady_now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  for (auto& [number, entry] : entries_) {
    if (entry.done == 0 || entry.wanted != entry.done) continue;
    const NumberedIssuer* const issuer = context_.issuers.current().Find(number);
    if (issuer == nullptr || HasEnded(*issuer, now)) continue;
    if (IsDue(entry, now, steady_now)) ++entry.wanted;
  }
  changed_.notify_all();
}

absl::StatusOr<std::shared_ptr<const Crl>> CrlKeeper::Current(std::uint32_t issuer) const {
  const NumberedIssuer* const known = context_.issuers.current().Find(issuer);
  if (known != nullptr && HasEnded(*known, context_.clock.Now())) {
    return MakeError(
        Reason::kFileNotFound,
        "issuer " + std::to_string(issuer) + " has expired, and has no revocation list any more");
  }
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(issuer);
  if (entry != entries_.end() && entry->second.list != nullptr) return entry->second.list;
  return MakeError(Reason::kFileNotFound,
                   "there is no revocation list of issuer " + std::to_string(issuer) + " here");
}

std::optional<std::uint32_t> CrlKeeper::NextWanted(SteadyTime now, SteadyTime& wake) const {
  for (const auto& [number, entry] : entries_) {
    if (entry.wanted == entry.done) continue;
    const SteadyTime earliest = entry.made == SteadyTime() ? now : entry.made + kGap;
    if (earliest <= now) return number;
    wake = std::min(wake, earliest);
  }
  return std::nullopt;
}

void CrlKeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const SteadyTime now = std::chrono::steady_clock::now();
    SteadyTime wake = SteadyTime::max();
    const std::optional<std::uint32_t> number = NextWanted(now, wake);
    if (!number.has_value()) {
      if (wake == SteadyTime::max()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, wake);
      }
      continue;
    }
    const std::uint64_t target = entries_[*number].wanted;
    lock.unlock();
    absl::Status outcome = MakeAndPublish(*number);
    lock.lock();
    Entry& entry = entries_[*number];
    entry.done = target;
    entry.made = std::chrono::steady_clock::now();
    entry.failures = outcome.ok() ? 0 : entry.failures + 1;
    // Said once for each reason, however often it is tried.
    if (!outcome.ok() && outcome != entry.outcome) {
      Log(LogLevel::kError, "revocation list not renewed",
          {{"issuer", std::to_string(*number)},
           {"reason", CodeOf(outcome)},
           {"message", ToStd(outcome.message())}});
    }
    entry.outcome = std::move(outcome);
    changed_.notify_all();
  }
}

absl::StatusOr<Crl> CrlKeeper::Make(const NumberedIssuer& issuer) {
  const Time now = context_.clock.Now();
  const absl::StatusOr<std::uint64_t> number = NextNumber(context_, issuer.number, now);
  if (!number.ok()) return number.status();
  // RFC 5280 section 3.3: an entry is on one more list after its certificate has ended.
  absl::StatusOr<std::vector<RevokedEntry>> entries =
      RevokedOf(context_.store, issuer.number, now - context_.options.crl_lifetime);
  if (!entries.ok()) return entries.status();
  const Time end =
      std::min(now + context_.options.crl_lifetime, issuer.certificate.validity().not_after);
  return IssueCrl({.this_update = now - kBackdate,
                   .next_update = end,
                   .number = *number,
                   .entries = *std::move(entries)},
                  *issuer.signer);
}

absl::Status CrlKeeper::MakeAndPublish(std::uint32_t number) {
  const NumberedIssuer* const issuer = context_.issuers.current().Find(number);
  const Time now = context_.clock.Now();
  if (issuer == nullptr || !SignsLists(*issuer) || HasEnded(*issuer, now)) return absl::OkStatus();
  const Time due = now + context_.options.crl_lifetime / 2;
  absl::StatusOr<Crl> list = Make(*issuer);
  absl::Status status = list.status();
  if (status.ok()) status = WriteCrl(context_.options.folder.CrlFile(number), *list);
  if (!status.ok()) {
    return WithContext(status, "the revocation list of issuer " + std::to_string(number) +
                                   " could not be renewed");
  }
  Log(LogLevel::kDebug, "revocation list renewed",
      {{"issuer", std::to_string(number)}, {"entries", std::to_string(list->entries().size())}});
  auto shared = std::make_shared<const Crl>(*std::move(list));
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[number];
  entry.list = std::move(shared);
  entry.due = due;
  return absl::OkStatus();
}

}  // namespace troth
