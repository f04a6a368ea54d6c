#include <future>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/ca/issuing_internal.h"
#include "troth/ca/leaf_template.h"
#include "troth/pki/issue.h"

namespace troth {
namespace {

constexpr int kMostAttempts = 3;

absl::Status Sign(const AuthorityContext& context, Issuance& issuance) {
  issuance.issuers = &context.issuers.current();
  const IssuerSet& issuers = *issuance.issuers;
  absl::StatusOr<CertificateTemplate> what = BuildTemplate(
      issuance.asked, *issuance.profile, *issuance.reserved, issuance.lifetime, issuance.now);
  if (!what.ok()) return what.status();
  what->crl_urls = issuers.crl_urls;
  what->ca_issuer_urls = issuers.issuer_urls;

  absl::StatusOr<Certificate> certificate = Issue(*what, *issuers.current().signer);
  if (!certificate.ok()) return certificate.status();
  if (absl::Status status =
          CheckAgainstProfile(*certificate, issuance.asked, *issuance.profile, *issuance.reserved);
      !status.ok()) {
    return status;
  }
  issuance.record = CertificateRecord{.serial = what->serial,
                                      .issuer = issuers.current().number,
                                      .profile = issuance.profile->name,
                                      .lineage = issuance.lineage.value_or(what->serial),
                                      .request = issuance.request,
                                      .token = issuance.token,
                                      .issued_at = issuance.now,
                                      .not_after = certificate->validity().not_after,
                                      .names = PlainNamesOf(issuance.asked),
                                      .der = certificate->der()};
  issuance.certificate = *std::move(certificate);
  return absl::OkStatus();
}

LedgerNote NoteOf(const Issuance& issuance) {
  const CertificateRecord& record = *issuance.record;
  std::string detail;
  detail.reserve(256);
  detail += "names=";
  detail += NamesText(record.names);
  detail += " profile=";
  detail += record.profile;
  detail += " until=";
  detail += FormatTime(record.not_after);
  detail += " request=";
  detail += FormatFingerprint(record.request);
  if (!issuance.caller.address.empty()) {
    detail += " address=";
    detail += issuance.caller.address;
  }
  return {.at = issuance.now,
          .actor = issuance.actor,
          .action = std::string(issuance.action),
          .subject = record.serial.ToHex(),
          .detail = std::move(detail)};
}

absl::Status Commit(const AuthorityContext& context, StoreTransaction& transaction,
                    Issuance& issuance, Change& change) {
  // Again, for a revocation may have come between: it is in memory before it is written.
  absl::Status status = CheckNotRevoked(context, issuance.asked.key, issuance.lineage);
  if (!status.ok()) return status;
  issuance.outcome = Outcome::kIssue;
  change.note.action = issuance.action;
  if (issuance.beside) {
    const absl::StatusOr<Outcome> outcome = issuance.beside(transaction, issuance, change);
    if (!outcome.ok()) return outcome.status();
    issuance.outcome = *outcome;
    if (*outcome == Outcome::kInstead) return absl::OkStatus();
  }
  return transaction.AddCertificate(*issuance.record);
}

void Finish(AuthorityContext& context, const absl::Status& status, Issuance& issuance,
            const Change& change) {
  if (!status.ok()) {
    const absl::Status refused = Refuse(context,
                                        {.action = issuance.action,
                                         .standing = issuance.standing,
                                         .actor = issuance.actor,
                                         .subject = FormatFingerprint(issuance.request),
                                         .caller = &issuance.caller},
                                        status);
    issuance.done(refused, issuance);
    return;
  }
  if (issuance.outcome == Outcome::kIssue) {
    (issuance.lineage.has_value() ? context.renewed : context.issued)
        .fetch_add(1, std::memory_order_relaxed);
    context.latency.Add(std::chrono::steady_clock::now() - issuance.began);
    Log(LogLevel::kInfo, "certificate issued",
        {{"action", issuance.action},
         {"serial", change.note.subject},
         {"actor", issuance.actor},
         {"detail", change.note.detail},
         {"client", issuance.caller.client}});
  }
  issuance.done(status, issuance);
}

}  // namespace

void IssueAndStore(AuthorityContext& context, std::shared_ptr<Issuance> issuance) {
  absl::Status signed_well = CheckNotRevoked(context, issuance->asked.key, issuance->lineage);
  if (signed_well.ok()) signed_well = Sign(context, *issuance);
  if (!signed_well.ok()) {
    Finish(context, signed_well, *issuance, {});
    return;
  }
  ++issuance->attempts;
  auto change = std::make_shared<Change>();
  change->note = NoteOf(*issuance);
  change->work = [&context, raw = issuance.get()](StoreTransaction& transaction, Change& same) {
    return Commit(context, transaction, *raw, same);
  };
  change->done = [&context, issuance = std::move(issuance)](const absl::Status& status,
                                                            Change& same) {
    if (ReasonOf(status) == Reason::kSerialExists && issuance->attempts < kMostAttempts) {
      IssueAndStore(context, issuance);
      return;
    }
    Finish(context, status, *issuance, same);
  };
  Write(context, std::move(change));
}

absl::StatusOr<IssuedCertificate> IssueAndWait(AuthorityContext& context,
                                               std::shared_ptr<Issuance> issuance) {
  auto ended = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> result = ended->get_future();
  issuance->done = [ended](const absl::Status& status, Issuance&) { ended->set_value(status); };
  IssueAndStore(context, issuance);
  if (absl::Status status = result.get(); !status.ok()) return status;
  return IssuedOf(*issuance);
}

IssuedCertificate IssuedOf(const Issuance& issuance) {
  return {.certificate = *issuance.certificate,
          .chain_pem = issuance.issuers->current().chain_pem,
          .root_pem = issuance.issuers->root_pem};
}

absl::StatusOr<IssuedCertificate> IssuedFrom(const AuthorityContext& context,
                                             const CertificateRecord& record) {
  absl::StatusOr<Certificate> certificate = Certificate::FromDer(record.der);
  if (!certificate.ok()) {
    return WithContext(certificate.status(),
                       "certificate " + record.serial.ToHex() + " of the store");
  }
  const IssuerSet& issuers = context.issuers.current();
  const NumberedIssuer* issuer = issuers.Find(record.issuer);
  if (issuer == nullptr) {
    return MakeError(Reason::kInternal, "certificate " + record.serial.ToHex() +
                                            " has an issuer that the store does not have, number " +
                                            std::to_string(record.issuer));
  }
  return IssuedCertificate{.certificate = *std::move(certificate),
                           .chain_pem = issuer->chain_pem,
                           .root_pem = issuers.root_pem};
}

bool IsGood(const AuthorityContext& context, const CertificateRecord& record, Time now) {
  return now <= record.not_after && !context.revoked.Holds(record.serial, record.lineage);
}

absl::Status CheckNotRevoked(const AuthorityContext& context, const PublicKey& key,
                             const std::optional<SerialNumber>& lineage) {
  if (lineage.has_value() && context.revoked.HoldsLineage(*lineage)) {
    return MakeError(Reason::kCertificateRevoked,
                     "the identity was revoked (its first certificate is " + lineage->ToHex() +
                         "); it gets no more certificates: enrol anew, with a new key");
  }
  if (context.revoked.HoldsKey(key)) {
    return MakeError(Reason::kCertificateRevoked,
                     "a certificate of this key was revoked; expected a new key");
  }
  return absl::OkStatus();
}

}  // namespace troth
