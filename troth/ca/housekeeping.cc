#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/housekeeping_internal.h"
#include "troth/ca/ledger_head_internal.h"
#include "troth/ca/requests_internal.h"
#include "troth/ca/retry_pause_internal.h"

namespace troth {
namespace {

constexpr std::chrono::seconds kTick{1};
constexpr Seconds kMinute{60};
constexpr Seconds kDay{24 * 3600};

void LogFailure(std::string_view what, const absl::Status& status) {
  if (status.ok()) return;
  Log(LogLevel::kError, what, {{"reason", CodeOf(status)}, {"message", ToStd(status.message())}});
}

}  // namespace

Housekeeper::Housekeeper(AuthorityContext& context, CrlKeeper& lists)
    : context_(context),
      lists_(lists),
      issuer_file_(VersionOf(context.options.folder.IssuerCertificate())),
      minute_(context.clock.Now()),
      warned_(minute_) {}

Housekeeper::~Housekeeper() { Stop(); }

void Housekeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Housekeeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::Run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kTick, [this] { return stopping_; })) {
    lock.unlock();
    KeepHouse();
    lock.lock();
  }
}

bool Housekeeper::IsMinuteOver(Time now) {
  if (now >= minute_ && now < minute_ + kMinute) return false;
  minute_ = now;
  return true;
}

void Housekeeper::KeepHouse() {
  const Time now = context_.clock.Now();
  TakeOverIssuer(now);
  lists_.RenewDue();
  NoteSkippedRefusals(now);
  if (context_.last_write_failed) TryStore();
  if (!IsMinuteOver(now)) return;
  LogFailure("waiting requests not looked after", ExpireRequests(context_));
  WriteHead();
  WarnDaily(now);
}

// It may run for a year without a start, which says these too.
void Housekeeper::WarnDaily(Time now) {
  if (now >= warned_ && now < warned_ + kDay) return;
  warned_ = now;
  const IssuerSet& issuers = context_.issuers.current();
  for (const std::string& warning : WarningsOf(context_.options.folder, issuers.root().certificate,
                                               issuers.current().certificate, now)) {
    Log(LogLevel::kWarning, warning);
  }
}

void Housekeeper::WriteHead() {
  LogFailure("head of the ledger not written", WriteLedgerHead(context_, written_head_));
}

// Issuers are changed by commands beside the authority, whose last step is the certificates' file.
void Housekeeper::TakeOverIssuer(Time now) {
  if (context_.options.settings.one_tier) return;
  const std::optional<FileVersion> version = VersionOf(context_.options.folder.IssuerCertificate());
  if (version == issuer_file_) return;
  const auto steady_now = std::chrono::steady_clock::now();
  if (version != failed_.version) failed_ = {.version = version};
  if (failed_.times > 0 && steady_now < failed_.last + PauseAfter(failed_.times)) return;
  if (absl::Status status = LoadIssuers(now); !status.ok()) {
    if (status != failed_.why)
      LogFailure("issuers not read again", status);  // once for each reason
    failed_.why = std::move(status);
    failed_.last = steady_now;
    ++failed_.times;
    return;
  }
  issuer_file_ = version;
  failed_ = {};
  Log(LogLevel::kInfo, "issuer",
      {{"certificate", context_.issuers.current().current().certificate.Describe()},
       {"number", std::to_string(context_.issuers.current().current().number)}});
  // It says itself what it cannot make, and goes on trying.
  lists_.MakeAll().IgnoreError();
}

absl::Status Housekeeper::LoadIssuers(Time now) {
  absl::StatusOr<AuthorityKeys> keys =
      OpenAuthority(context_.options.folder, context_.options.ask, now);
  if (!keys.ok()) return keys.status();
  return context_.issuers.Load(*std::move(keys), context_.options.settings, context_.store, now);
}

void Housekeeper::NoteSkippedRefusals(Time now) {
  const std::uint64_t skipped = context_.refusals.TakeSkipped(now);
  if (skipped == 0) return;
  auto change = std::make_shared<Change>();
  change->work = [](StoreTransaction&, Change&) { return absl::OkStatus(); };
  change->note = {.at = now,
                  .actor = "authority",
                  .action = "refuse",
                  .subject = "many",
                  .detail = std::to_string(skipped) +
                            " refusals more, which are counted and logged but not here one by one"};
  Write(context_, std::move(change));
}

// A write that changes nothing, and shows whether there is room again.
void Housekeeper::TryStore() {
  auto change = std::make_shared<Change>();
  change->work = [](StoreTransaction& transaction, Change&) {
    const absl::StatusOr<std::vector<IssuerRecord>> issuers = transaction.Issuers();
    if (!issuers.ok() || issuers->empty()) return issuers.status();
    return transaction.PutIssuer(issuers->front());
  };
  Write(context_, std::move(change));
}

}  // namespace troth
