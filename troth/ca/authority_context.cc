#include <future>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_context_internal.h"

namespace troth {
namespace {

constexpr size_t kMostOfAText = 1000;

absl::Status RunWork(StoreTransaction& transaction, Change& change) {
  change.sequence = 0;  // the work may run again
  if (absl::Status status = change.work(transaction, change); !status.ok()) return status;
  if (change.note.action.empty()) return absl::OkStatus();
  if (absl::Status status = transaction.AppendLedger(change.note); !status.ok()) return status;
  const absl::StatusOr<LedgerHead> head = transaction.Head();
  if (head.ok()) change.sequence = head->sequence;
  return head.status();
}

}  // namespace

void Write(AuthorityContext& context, std::shared_ptr<Change> change) {
  Change* const raw = change.get();
  context.store.Write(
      [raw](StoreTransaction& transaction) { return RunWork(transaction, *raw); },
      [&context, change = std::move(change)](const absl::Status& status) {
        if (status.ok()) {
          context.last_write_failed.store(false, std::memory_order_relaxed);
        } else if (ReasonOf(status) == Reason::kStoreFailed) {
          context.last_write_failed.store(true, std::memory_order_relaxed);
        }
        // Asked only now: who subscribed before the commit does not find the entry in the store.
        if (status.ok() && change->sequence != 0 && context.events.HasListeners()) {
          context.events.Publish({.sequence = change->sequence, .note = change->note});
        }
        if (change->done) change->done(status, *change);
      });
}

absl::Status WriteAndWait(AuthorityContext& context, std::shared_ptr<Change> change) {
  auto written = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> result = written->get_future();
  change->done = [written, done = std::move(change->done)](const absl::Status& status,
                                                           Change& same) {
    if (done) done(status, same);
    written->set_value(status);
  };
  Write(context, std::move(change));
  return result.get();
}

absl::Status Refuse(AuthorityContext& context, const Refused& what, absl::Status why) {
  const Reason reason = ReasonOf(why).value_or(Reason::kInternal);
  context.refusals.Count(reason);
  const std::string address = what.caller != nullptr ? what.caller->address : "";
  const std::string client = what.caller != nullptr ? what.caller->client : "";
  const std::string message = Printable(ToStd(why.message()), kMostOfAText);
  Log(LogLevel::kWarning, "refused",
      {{"action", what.action},
       {"actor", what.actor},
       {"subject", what.subject},
       {"reason", CodeOf(reason)},
       {"message", message},
       {"address", address},
       {"client", client}});
  const Time now = context.clock.Now();
  // What the store itself refuses it cannot note.
  if (reason == Reason::kStoreFailed || !context.refusals.Admit(what.standing, now)) return why;
  auto change = std::make_shared<Change>();
  change->work = [](StoreTransaction&, Change&) { return absl::OkStatus(); };
  change->note = {.at = now,
                  .actor = what.actor,
                  .action = "refuse",
                  .subject = what.subject,
                  .detail = std::string(what.action) + ": " + std::string(CodeOf(reason)) + ": " +
                            message + (address.empty() ? "" : " address=" + address)};
  Write(context, std::move(change));
  return why;
}

std::string NamesText(const std::vector<std::string>& names) {
  return Printable(Join(names, ", "), kMostOfAText);
}

std::string ActorOf(const Caller& caller, std::string_view fallback) {
  return caller.actor.empty() ? std::string(fallback) : caller.actor;
}

}  // namespace troth
