// What operators, and time, decide about stored requests.
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/requests_internal.h"

namespace troth {
namespace {

absl::StatusOr<RequestRecord> PresentRequest(StoreReader& reader, const Sha256Digest& id) {
  absl::StatusOr<std::optional<RequestRecord>> found = reader.FindRequest(id);
  if (!found.ok()) return found.status();
  if (found->has_value()) return **std::move(found);
  return MakeError(Reason::kRequestUnknown, "there is no request " + FormatFingerprint(id));
}

// Puts the certificate into the request's record; its state is looked at again.
absl::StatusOr<Outcome> Decide(StoreTransaction& transaction, const Issuance& issuance,
                               RequestMove move) {
  absl::StatusOr<RequestRecord> record = PresentRequest(transaction, issuance.request);
  if (!record.ok()) return record.status();
  const absl::StatusOr<RequestState> state = Move(record->state, move);
  if (!state.ok()) return state.status();
  record->state = *state;
  if (move == RequestMove::kApprove) {
    record->decided_at = issuance.now;
    record->decided_by = issuance.actor;
  }
  record->certificate = issuance.record->serial;
  record->certificate_not_after = issuance.record->not_after;
  if (absl::Status put = transaction.PutRequest(*record); !put.ok()) return put;
  return Outcome::kIssue;
}

absl::Status RefuseDecision(AuthorityContext& context, std::string_view action,
                            const Sha256Digest& id, const std::string& actor,
                            const absl::Status& why) {
  return Refuse(context,
                {.action = action,
                 .standing = Standing::kKnown,
                 .actor = actor,
                 .subject = FormatFingerprint(id)},
                why);
}

absl::Status RejectIn(StoreTransaction& transaction, Change& change, const Sha256Digest& id,
                      RequestRecord& out) {
  absl::StatusOr<RequestRecord> record = PresentRequest(transaction, id);
  if (!record.ok()) return record.status();
  const absl::StatusOr<RequestState> state = Move(record->state, RequestMove::kReject);
  if (!state.ok()) return state.status();
  record->state = *state;
  record->decided_at = change.note.at;
  record->decided_by = change.note.actor;
  record->decision_note = out.decision_note;
  change.note.detail = "names=" + NamesText(record->names) + " why=" + record->decision_note;
  out = *std::move(record);
  return transaction.PutRequest(out);
}

Seconds PatienceFor(const AuthorityContext& context, const RequestRecord& record) {
  const Profile* const profile = context.options.profiles.Find(record.profile);
  return (profile != nullptr ? *profile : context.options.profiles.standard()).pending_lifetime;
}

absl::Status ExpireIn(StoreTransaction& transaction, const Sha256Digest& id) {
  absl::StatusOr<RequestRecord> record = PresentRequest(transaction, id);
  if (!record.ok()) return record.status();
  const absl::StatusOr<RequestState> state = Move(record->state, RequestMove::kExpire);
  if (!state.ok()) return state.status();
  record->state = *state;
  return transaction.PutRequest(*record);
}

absl::Status Expire(AuthorityContext& context, const RequestRecord& record, Time now) {
  auto change = std::make_shared<Change>();
  change->note = {.at = now,
                  .actor = "authority",
                  .action = "expire",
                  .subject = FormatFingerprint(record.id),
                  .detail = "names=" + NamesText(record.names)};
  change->work = [id = record.id](StoreTransaction& transaction, Change&) {
    return ExpireIn(transaction, id);
  };
  const absl::Status status = WriteAndWait(context, change);
  if (status.ok()) {
    Log(LogLevel::kInfo, "request expired",
        {{"request", change->note.subject}, {"detail", change->note.detail}});
  }
  // Somebody decided it at the last moment: that counts.
  return ReasonOf(status) == Reason::kRequestState ? absl::OkStatus() : status;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Issuance>> IssuanceFor(AuthorityContext& context,
                                                      const RequestRecord& record, RequestMove move,
                                                      const std::string& actor) {
  if (const absl::StatusOr<RequestState> state = Move(record.state, move); !state.ok())
    return state.status();
  const Profile* const profile = context.options.profiles.Find(record.profile);
  if (profile == nullptr) {
    return MakeError(Reason::kNameNotPermitted, "there is no profile '" + record.profile +
                                                    "' any more, which the request was "
                                                    "sent for");
  }
  std::optional<SerialNumber> lineage;
  if (record.certificate.has_value()) {
    const absl::StatusOr<std::optional<CertificateRecord>> certificate =
        ReadCertificateRecord(context, *record.certificate);
    if (!certificate.ok()) return certificate.status();
    lineage = certificate->has_value() ? (*certificate)->lineage : *record.certificate;
  }
  const absl::StatusOr<CertificateRequest> read = ReadRequest(record.body);
  if (!read.ok()) return read.status();
  absl::StatusOr<Asked> asked = AskedOf(*read, *profile);
  if (!asked.ok()) return asked.status();
  auto issuance =
      std::make_shared<Issuance>(Issuance{.profile = profile,
                                          .reserved = &context.issuers.current().reserved,
                                          .asked = *std::move(asked),
                                          .now = context.clock.Now(),
                                          .request = record.id,
                                          .lineage = lineage,
                                          .action = NameOf(move),
                                          .actor = actor});
  issuance->beside = [move](StoreTransaction& transaction, const Issuance& same, Change&) {
    return Decide(transaction, same, move);
  };
  return issuance;
}

absl::StatusOr<CertificateStatus> Approve(AuthorityContext& context, const Sha256Digest& id,
                                          std::optional<Seconds> lifetime,
                                          const std::string& actor) {
  const auto refuse = [&](const absl::Status& why) {
    return RefuseDecision(context, "approve", id, actor, why);
  };
  const absl::StatusOr<std::optional<RequestRecord>> record = ReadRequestRecord(context, id);
  if (!record.ok()) return refuse(record.status());
  if (!record->has_value()) {
    return refuse(
        MakeError(Reason::kRequestUnknown, "there is no request " + FormatFingerprint(id)));
  }
  absl::StatusOr<std::shared_ptr<Issuance>> issuance =
      IssuanceFor(context, **record, RequestMove::kApprove, actor);
  if (!issuance.ok()) return refuse(issuance.status());
  (*issuance)->lifetime = lifetime;
  const absl::StatusOr<IssuedCertificate> issued = IssueAndWait(context, *issuance);
  if (!issued.ok()) return issued.status();
  return CertificateStatus{.record = *(*issuance)->record};
}

absl::StatusOr<RequestRecord> Reject(AuthorityContext& context, const Sha256Digest& id,
                                     std::string_view why, const std::string& actor) {
  auto rejected = std::make_shared<RequestRecord>();
  auto change = std::make_shared<Change>();
  change->note = {.at = context.clock.Now(),
                  .actor = actor,
                  .action = "reject",
                  .subject = FormatFingerprint(id)};
  change->work = [id, rejected, text = Printable(why)](StoreTransaction& transaction,
                                                       Change& same) {
    rejected->decision_note = text;
    return RejectIn(transaction, same, id, *rejected);
  };
  if (absl::Status status = WriteAndWait(context, change); !status.ok())
    return RefuseDecision(context, "reject", id, actor, status);
  Log(LogLevel::kInfo, "request rejected",
      {{"request", change->note.subject}, {"actor", actor}, {"detail", change->note.detail}});
  return *rejected;
}

absl::Status ExpireRequests(AuthorityContext& context) {
  const Time now = context.clock.Now();
  return VisitRequests(context, {.state = RequestState::kPending},
                       [&](const RequestRecord& record) {
                         if (now < record.created_at + PatienceFor(context, record))
                           return absl::OkStatus();
                         return Expire(context, record, now);
                       });
}

}  // namespace troth
