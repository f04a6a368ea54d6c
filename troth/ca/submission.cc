#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/issuing_internal.h"
#include "troth/ca/requests_internal.h"

namespace troth {
namespace {

constexpr std::string_view kAction = "submit";

using SubmitDone = std::function<void(absl::StatusOr<FetchedRequest>)>;

// One request on its way into the store.
struct Submission {
  RequestRecord record;  // as asked
  const Profile* profile = nullptr;
  Caller caller;
  std::string actor;
  SubmitDone done;
  // Set by the work, which may run more than once: what the store has then.
  RequestRecord stored = {};
  bool was_there = false;
};

std::string NameOf(const Asked& asked) {
  if (!asked.common_name.empty()) return asked.common_name;
  return asked.names.empty() ? "" : asked.names.front().ToPlainString();
}

// Whether fewer than `most` of the profile's requests wait.
absl::Status CheckRoomFor(StoreTransaction& transaction, const Profile& profile,
                          const std::string& address, std::uint64_t most) {
  // Most often all profiles together have fewer, which an index says alone.
  RequestFilter filter{.state = RequestState::kPending, .address = address};
  absl::StatusOr<std::uint64_t> waiting = transaction.CountRequests(filter);
  if (waiting.ok() && *waiting >= most) {
    filter.profile = profile.name;
    waiting = transaction.CountRequests(filter);
  }
  if (!waiting.ok()) return waiting.status();
  if (*waiting < most) return absl::OkStatus();
  return MakeError(Reason::kTooManyRequests,
                   std::to_string(*waiting) + " requests for the profile '" + profile.name + "' " +
                       (address.empty() ? "in all" : "of " + Printable(address)) +
                       " wait to be decided; expected fewer than " + std::to_string(most));
}

absl::Status CheckRoom(StoreTransaction& transaction, const Submission& submission) {
  const Profile& profile = *submission.profile;
  absl::Status room = CheckRoomFor(transaction, profile, submission.record.address,
                                   profile.max_pending_per_address);
  if (room.ok()) room = CheckRoomFor(transaction, profile, "", profile.max_pending);
  return room;
}

LedgerNote NoteOf(const Submission& submission, std::string_view action) {
  return {.at = submission.record.created_at,
          .actor = submission.actor,
          .action = std::string(action),
          .subject = FormatFingerprint(submission.record.id),
          .detail = "names=" + NamesText(submission.record.names) + " profile=" +
                    submission.record.profile + " address=" + submission.caller.address};
}

// A machine that was off when its certificate ended asks anew with the request that it has.
absl::StatusOr<RequestState> StateWhenSentAgain(const RequestRecord& present, Time now) {
  const bool ended = present.state == RequestState::kApproved &&
                     present.certificate_not_after.has_value() &&
                     now > *present.certificate_not_after;
  return Move(present.state, ended ? RequestMove::kAskAnew : RequestMove::kResend);
}

// Stores the request as one that waits. One that is there stays as it is, but that one that
// expired, or whose certificate has ended, waits again.
absl::Status PutPending(StoreTransaction& transaction, Submission& submission, Change& change) {
  change.note = NoteOf(submission, kAction);
  submission.stored = submission.record;
  submission.was_there = false;
  const absl::StatusOr<std::optional<RequestRecord>> present =
      transaction.FindRequest(submission.record.id);
  if (!present.ok()) return present.status();
  if (present->has_value()) {
    const absl::StatusOr<RequestState> next =
        StateWhenSentAgain(**present, submission.record.created_at);
    if (!next.ok()) return next.status();
    if (*next == (*present)->state) {
      submission.was_there = true;
      submission.stored = **present;
      change.note.action.clear();
      return absl::OkStatus();
    }
  }
  if (absl::Status room = CheckRoom(transaction, submission); !room.ok()) return room;
  return transaction.PutRequest(submission.stored);
}

// The request with what was issued for it.
absl::StatusOr<FetchedRequest> WithCertificate(AuthorityContext& context, RequestRecord record) {
  FetchedRequest fetched{.record = std::move(record)};
  fetched.revoked = context.revoked.HoldsKey(fetched.record.key);
  if (!fetched.record.certificate.has_value() || fetched.record.state != RequestState::kApproved) {
    return fetched;
  }
  const absl::StatusOr<std::optional<CertificateRecord>> certificate =
      ReadCertificateRecord(context, *fetched.record.certificate);
  if (!certificate.ok()) return certificate.status();
  if (!certificate->has_value()) return fetched;
  fetched.revoked |= context.revoked.Holds((*certificate)->serial, (*certificate)->lineage);
  if (fetched.revoked || !IsGood(context, **certificate, context.clock.Now())) return fetched;
  absl::StatusOr<IssuedCertificate> issued = IssuedFrom(context, **certificate);
  if (!issued.ok()) return issued.status();
  fetched.issued = *std::move(issued);
  fetched.issued_at = (*certificate)->issued_at;
  return fetched;
}

void RefuseSubmission(AuthorityContext& context, const Submission& submission,
                      const absl::Status& why) {
  submission.done(Refuse(context,
                         {.action = kAction,
                          .actor = submission.actor,
                          .subject = FormatFingerprint(submission.record.id),
                          .caller = &submission.caller},
                         why));
}

void StorePending(AuthorityContext& context, std::shared_ptr<Submission> submission) {
  auto change = std::make_shared<Change>();
  change->work = [submission](StoreTransaction& transaction, Change& same) {
    return PutPending(transaction, *submission, same);
  };
  change->done = [&context, submission](const absl::Status& status, const Change& same) {
    if (!status.ok()) return RefuseSubmission(context, *submission, status);
    if (!submission->was_there) {
      Log(LogLevel::kInfo, "request waits",
          {{"request", same.note.subject},
           {"actor", submission->actor},
           {"detail", same.note.detail},
           {"client", submission->caller.client}});
    }
    submission->done(FetchedRequest{.record = submission->stored});
  };
  Write(context, std::move(change));
}

absl::StatusOr<bool> IsAnyKnown(StoreReader& reader, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    absl::StatusOr<bool> known = reader.IsNameKnown(name);
    if (!known.ok() || *known) return known;
  }
  return false;
}

// Whether a rule decides the request at once. That its names were never seen counts only in the
// transaction; here it spares a signature.
absl::StatusOr<bool> CanBeIssuedAtOnce(AuthorityContext& context, const Asked& asked,
                                       const Submission& submission) {
  if (!IsDecidedAtOnce(asked, *submission.profile)) return false;
  const absl::StatusOr<bool> known = ReadFrom(context.store, [&](StoreReader& reader) {
    return IsAnyKnown(reader, submission.record.names);
  });
  if (!known.ok()) return known.status();
  return !*known;
}

// Issues for a name that was never seen in any state; for another that came between, the request
// waits.
absl::StatusOr<Outcome> IssueUnseen(StoreTransaction& transaction, const Issuance& issuance,
                                    Submission& submission, Change& change) {
  const absl::StatusOr<bool> known = IsAnyKnown(transaction, submission.record.names);
  if (!known.ok()) return known.status();
  if (*known) {
    if (absl::Status status = PutPending(transaction, submission, change); !status.ok())
      return status;
    return Outcome::kInstead;
  }
  const absl::StatusOr<RequestState> state = Move(submission.record.state, RequestMove::kApprove);
  if (!state.ok()) return state.status();
  submission.stored = submission.record;
  submission.stored.state = *state;
  submission.stored.decided_at = issuance.now;
  submission.stored.decided_by = "profile " + submission.profile->name;
  submission.stored.certificate = issuance.record->serial;
  submission.stored.certificate_not_after = issuance.record->not_after;
  if (absl::Status status = transaction.PutRequest(submission.stored); !status.ok()) return status;
  return Outcome::kIssue;
}

void IssueAtOnce(AuthorityContext& context, Asked asked, std::shared_ptr<Submission> submission) {
  const Time now = submission->record.created_at;
  auto issuance =
      std::make_shared<Issuance>(Issuance{.profile = submission->profile,
                                          .reserved = &context.issuers.current().reserved,
                                          .asked = std::move(asked),
                                          .now = now,
                                          .request = submission->record.id,
                                          .actor = submission->actor,
                                          .caller = submission->caller,
                                          .standing = Standing::kAnonymous});
  issuance->beside = [submission](StoreTransaction& transaction, const Issuance& same,
                                  Change& change) {
    return IssueUnseen(transaction, same, *submission, change);
  };
  issuance->done = [submission](const absl::Status& status, const Issuance& same) {
    if (!status.ok()) return submission->done(status);
    FetchedRequest fetched{.record = submission->stored};
    if (same.outcome == Outcome::kIssue) {
      fetched.issued = IssuedOf(same);
      fetched.issued_at = same.now;
    }
    submission->done(std::move(fetched));
  };
  IssueAndStore(context, std::move(issuance));
}

// A request that is there and stays as it is needs no look at its signature.
absl::StatusOr<std::optional<FetchedRequest>> FindSettled(AuthorityContext& context,
                                                          const Sha256Digest& id, Time now) {
  absl::StatusOr<std::optional<RequestRecord>> present = ReadRequestRecord(context, id);
  if (!present.ok()) return present.status();
  if (!present->has_value()) return std::nullopt;
  const absl::StatusOr<RequestState> next = StateWhenSentAgain(**present, now);
  if (!next.ok()) return next.status();
  if (*next != (*present)->state) return std::nullopt;
  absl::StatusOr<FetchedRequest> fetched = WithCertificate(context, **std::move(present));
  if (!fetched.ok()) return fetched.status();
  return *std::move(fetched);
}

}  // namespace

std::string LimitedAddress(std::string_view address) {
  constexpr size_t kNetworkBytes = 8;
  std::string_view host = address;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (const size_t colon = host.rfind(':');
             colon != std::string_view::npos && host.find(':') == colon) {
    host = host.substr(0, colon);
  }
  std::optional<std::string> bytes = ParseIpAddress(host);
  if (!bytes.has_value() || bytes->size() <= kNetworkBytes) return std::string(host);
  bytes->replace(kNetworkBytes, std::string::npos, bytes->size() - kNetworkBytes, '\0');
  return FormatIpAddress(*bytes) + "/64";
}

void Submit(AuthorityContext& context, std::string_view profile_name, std::string_view request,
            const Caller& caller, SubmitDone done) {
  auto submission =
      std::make_shared<Submission>(Submission{.record = {.id = Sha256(request),
                                                         .address = LimitedAddress(caller.address),
                                                         .created_at = context.clock.Now()},
                                              .caller = caller,
                                              .actor = ActorOf(caller, "anonymous"),
                                              .done = std::move(done)});
  RequestRecord& record = submission->record;
  const auto refuse = [&](const absl::Status& why) { RefuseSubmission(context, *submission, why); };

  absl::StatusOr<std::optional<FetchedRequest>> settled =
      FindSettled(context, record.id, record.created_at);
  if (!settled.ok()) return refuse(settled.status());
  if (settled->has_value()) return submission->done(**std::move(settled));

  const Profiles& profiles = context.options.profiles;
  submission->profile = profile_name.empty() ? &profiles.standard() : profiles.Find(profile_name);
  if (submission->profile == nullptr) {
    return refuse(MakeError(Reason::kUsageError,
                            "there is no profile '" + Printable(profile_name) + "' here"));
  }
  if (submission->profile->approval == Approval::kNone) {
    return refuse(
        MakeError(Reason::kTokenInvalid, "the profile '" + submission->profile->name +
                                             "' takes nothing without a token; expected one"));
  }
  const absl::StatusOr<CertificateRequest> read = ReadRequest(request);
  if (!read.ok()) return refuse(read.status());
  absl::StatusOr<Asked> asked = AskedOf(*read, *submission->profile);
  if (!asked.ok()) return refuse(asked.status());
  absl::Status allowed =
      CheckAsked(*asked, *submission->profile, context.issuers.current().reserved);
  if (allowed.ok()) allowed = CheckNotRevoked(context, asked->key, std::nullopt);
  if (!allowed.ok()) return refuse(allowed);

  record.profile = submission->profile->name;
  record.name = NameOf(*asked);
  record.names = PlainNamesOf(*asked);
  record.key = Sha256(asked->key.der());
  record.body = request;
  const absl::StatusOr<bool> at_once = CanBeIssuedAtOnce(context, *asked, *submission);
  if (!at_once.ok()) return refuse(at_once.status());
  if (*at_once) return IssueAtOnce(context, *std::move(asked), std::move(submission));
  StorePending(context, std::move(submission));
}

absl::StatusOr<FetchedRequest> Fetch(AuthorityContext& context, const Sha256Digest& id) {
  absl::StatusOr<std::optional<RequestRecord>> record = ReadRequestRecord(context, id);
  if (!record.ok()) return record.status();
  if (!record->has_value()) {
    return MakeError(Reason::kRequestUnknown,
                     "there is no request " + FormatFingerprint(id) + "; send it first");
  }
  return WithCertificate(context, **std::move(record));
}

}  // namespace troth
