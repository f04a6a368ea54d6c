#include "troth/ca/record_import.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/request_state.h"
#include "troth/pki/certificate_request.h"

namespace troth {
namespace {

constexpr std::string_view kActor = "import";
constexpr std::uint32_t kRootNumber = 0;
constexpr size_t kMostReasons = 20;

// Every name that the certificate can be found by, each once.
std::vector<std::string> NamesOf(const Certificate& certificate) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  };
  if (const std::optional<std::string> name = certificate.subject().common_name()) {
    add(*name);
    if (IsDnsName(*name, true)) add(ToLowerAscii(*name));
  }
  for (const AlternativeName& name : certificate.alternative_names()) add(name.ToPlainString());
  return names;
}

Sha256Digest KeyOf(const PublicKey& key) { return Sha256(key.der()); }

bool BeganBefore(const Certificate& a, const Certificate& b) {
  return a.validity().not_before < b.validity().not_before;
}
bool EndsBefore(const Certificate& a, const Certificate& b) {
  return a.validity().not_after < b.validity().not_after;
}

// A request that was read, with its certificates, oldest first.
struct Taken {
  RequestRecord record;
  std::vector<Certificate> certificates;
};

// The record's name and key: its body's or, where that is not a request as Troth takes them, its
// certificate's.
absl::Status NameRecord(Taken& read) {
  const absl::StatusOr<CertificateRequest> request = CertificateRequest::FromPem(read.record.body);
  if (!request.ok() && read.certificates.empty()) return request.status();
  const DistinguishedName& subject =
      request.ok() ? request->subject() : read.certificates.back().subject();
  const std::optional<std::string> name = subject.common_name();
  if (!name.has_value()) {
    return MakeError(Reason::kNamesMissing, "expected a common name, got " + subject.ToString());
  }
  read.record.name = *name;
  read.record.names = {*name};
  if (IsDnsName(*name, true) && ToLowerAscii(*name) != *name) {
    read.record.names.push_back(ToLowerAscii(*name));
  }
  read.record.key =
      KeyOf(request.ok() ? request->public_key() : read.certificates.back().public_key());
  return absl::OkStatus();
}

LedgerNote NoteOf(Time now, std::string subject, std::string detail) {
  return {.at = now,
          .actor = std::string(kActor),
          .action = "import",
          .subject = std::move(subject),
          .detail = std::move(detail)};
}

// The state that a request in the store takes when its source has `wanted`: only ever onwards.
RequestState Follow(RequestState present, RequestState wanted) {
  const RequestMove move =
      wanted == RequestState::kRejected ? RequestMove::kReject : RequestMove::kApprove;
  if (wanted != RequestState::kRejected && wanted != RequestState::kApproved) return present;
  return Move(present, move).value_or(present);
}

std::uint64_t& CountOf(ImportSummary& summary, RequestState state) {
  if (state == RequestState::kRejected) return summary.rejected;
  return state == RequestState::kApproved ? summary.approved : summary.pending;
}

CertificateRecord RecordOf(const Certificate& certificate, std::string_view profile,
                           const SerialNumber& lineage) {
  return {.serial = certificate.serial_number(),
          .issuer = kRootNumber,
          .profile = std::string(profile),
          .lineage = lineage,
          .issued_at = certificate.validity().not_before,
          .not_after = certificate.validity().not_after,
          .names = NamesOf(certificate),
          .der = certificate.der()};
}

// Adds a certificate unless it is there. False: another one has its serial.
absl::StatusOr<bool> AddOnce(StoreTransaction& transaction, const CertificateRecord& record,
                             ImportSummary& summary) {
  const auto present = transaction.FindCertificate(record.serial);
  if (!present.ok()) return present.status();
  if (present->has_value()) {
    ++summary.known;
    return (*present)->der == record.der;
  }
  if (absl::Status status = transaction.AddCertificate(record); !status.ok()) return status;
  ++summary.certificates;
  return true;
}

absl::Status SerialTaken(const SerialNumber& serial) {
  return MakeError(Reason::kSerialExists,
                   "another certificate in the store has serial " + serial.ToHex());
}

void NoteLeftOut(ImportSummary& summary, std::string_view name, const absl::Status& why) {
  if (++summary.left_out > kMostReasons) return;
  summary.left_out_why.push_back(Printable(name) + ": " + std::string(ToStd(why.message())) + " [" +
                                 std::string(CodeOf(why)) + "]");
}

// The lineage that the request's certificates belong to in the store, or else that of its oldest.
absl::StatusOr<SerialNumber> LineageOf(StoreTransaction& transaction,
                                       const std::optional<RequestRecord>& present,
                                       const Certificate& oldest) {
  if (!present.has_value() || !present->certificate.has_value()) return oldest.serial_number();
  const auto newest = transaction.FindCertificate(*present->certificate);
  if (!newest.ok()) return newest.status();
  return newest->has_value() ? (*newest)->lineage : oldest.serial_number();
}

// The certificates of a request that are valid or newest. False when its newest cannot be added.
absl::StatusOr<bool> KeepCertificates(const Taken& taken,
                                      const std::optional<RequestRecord>& present, Time now,
                                      StoreTransaction& transaction, ImportSummary& summary) {
  for (const Certificate& certificate : taken.certificates) {
    const bool newest = certificate.serial_number() == taken.record.certificate;
    if (certificate.validity().not_after < now && !newest) {
      ++summary.expired;
      continue;
    }
    const auto lineage = LineageOf(transaction, present, taken.certificates.front());
    if (!lineage.ok()) return lineage.status();
    CertificateRecord record = RecordOf(certificate, taken.record.profile, *lineage);
    record.request = taken.record.id;
    const auto added = AddOnce(transaction, record, summary);
    if (!added.ok()) return added.status();
    if (*added) continue;
    NoteLeftOut(summary, taken.record.name, SerialTaken(record.serial));
    if (newest) return false;
  }
  return true;
}

// The record as it is to be, or nothing when the store's needs no change.
std::optional<RequestRecord> Changed(const RequestRecord& present, const RequestRecord& wanted,
                                     Time now) {
  RequestRecord next = present;
  next.state = Follow(present.state, wanted.state);
  if (next.state != present.state) {
    next.decided_at = now;
    next.decided_by = kActor;
  }
  const bool newer = wanted.certificate_not_after.value_or(Time::min()) >
                     present.certificate_not_after.value_or(Time::min());
  if (newer) {
    next.certificate = wanted.certificate;
    next.certificate_not_after = wanted.certificate_not_after;
  }
  if (next.state == present.state && !newer) return std::nullopt;
  return next;
}

absl::Status Keep(const Taken& taken, Time now, StoreTransaction& transaction,
                  ImportSummary& summary) {
  const auto present = transaction.FindRequest(taken.record.id);
  if (!present.ok()) return present.status();
  const absl::StatusOr<bool> kept = KeepCertificates(taken, *present, now, transaction, summary);
  if (!kept.ok()) return kept.status();
  if (!*kept) return absl::OkStatus();
  RequestRecord next = taken.record;
  if (present->has_value()) {
    std::optional<RequestRecord> changed = Changed(**present, next, now);
    if (!changed.has_value()) {
      ++summary.known;
      return absl::OkStatus();
    }
    next = *std::move(changed);
    ++summary.changed;
  } else {
    ++summary.requests;
    ++CountOf(summary, next.state);
  }
  if (absl::Status status = transaction.PutRequest(next); !status.ok()) return status;
  return transaction.AppendLedger(
      NoteOf(now, FormatFingerprint(next.id),
             "names=" + Printable(next.name) + " state=" + std::string(NameOf(next.state)) +
                 " certificates=" + std::to_string(taken.certificates.size())));
}

}  // namespace

RecordImport::RecordImport(Store& store, Certificate authority, std::string profile, Time now)
    : store_(store), authority_(std::move(authority)), profile_(std::move(profile)), now_(now) {}

absl::StatusOr<Certificate> RecordImport::ReadOwn(std::string_view pem) const {
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) return certificate.status();
  if (!certificate->issuer().Matches(authority_.subject())) {
    return MakeError(Reason::kIssuerUnknown,
                     "expected a certificate that " + authority_.subject().ToString() +
                         " issued, got one of " + certificate->issuer().ToString());
  }
  if (absl::Status status = authority_.public_key().Verify(
          certificate->signature_algorithm(), certificate->tbs_der(), certificate->signature());
      !status.ok()) {
    return status;
  }
  return certificate;
}

void RecordImport::LeaveOut(std::string_view name, const absl::Status& why) {
  NoteLeftOut(summary_, name, why);
}

absl::Status RecordImport::Add(const ForeignRequest& request) {
  Taken read{.record = {.id = Sha256(request.body),
                        .profile = profile_,
                        .body = request.body,
                        .address = request.address,
                        .decided_by = std::string(kActor)},
             .certificates = {}};
  for (const std::string& pem : request.certificates) {
    absl::StatusOr<Certificate> certificate = ReadOwn(pem);
    if (certificate.ok()) {
      read.certificates.push_back(*std::move(certificate));
    } else {
      LeaveOut("a certificate of " + request.name, certificate.status());
    }
  }
  std::ranges::stable_sort(read.certificates, BeganBefore);
  if (absl::Status status = NameRecord(read); !status.ok()) {
    LeaveOut(request.name, status);
    return absl::OkStatus();
  }
  RequestRecord& record = read.record;
  record.state = request.rejected            ? RequestState::kRejected
                 : read.certificates.empty() ? RequestState::kPending
                                             : RequestState::kApproved;
  // How long it has waited counts from now: until today nobody's requests expired.
  record.created_at =
      record.state == RequestState::kPending ? now_ : request.seen_at.value_or(now_);
  if (record.state == RequestState::kPending) {
    record.decided_by.clear();
  } else {
    record.decided_at = now_;
  }
  if (!read.certificates.empty()) {
    record.created_at =
        std::min(record.created_at, read.certificates.front().validity().not_before);
    const auto newest = std::ranges::max_element(read.certificates, EndsBefore);
    record.certificate = newest->serial_number();
    record.certificate_not_after = newest->validity().not_after;
  }

  return Push(
      [read = std::move(read), now = now_](StoreTransaction& transaction, ImportSummary& summary) {
        return Keep(read, now, transaction, summary);
      });
}

absl::Status RecordImport::AddCertificate(std::string_view pem, std::string_view name) {
  absl::StatusOr<Certificate> read = ReadOwn(pem);
  if (read.ok() && *read == authority_) return absl::OkStatus();
  if (!read.ok()) {
    LeaveOut(name, read.status());
    return absl::OkStatus();
  }
  if (read->validity().not_after < now_) {
    ++summary_.expired;
    return absl::OkStatus();
  }
  return Push([this, certificate = *std::move(read), name = std::string(name)](
                  StoreTransaction& transaction, ImportSummary& summary) -> absl::Status {
    const std::uint64_t before = summary.certificates;
    const CertificateRecord record = RecordOf(certificate, profile_, certificate.serial_number());
    const auto added = AddOnce(transaction, record, summary);
    if (!added.ok()) return added.status();
    if (!*added) NoteLeftOut(summary, name, SerialTaken(record.serial));
    if (summary.certificates == before) return absl::OkStatus();
    return transaction.AppendLedger(
        NoteOf(now_, record.serial.ToHex(),
               "names=" + Join(record.names, ", ") + " until=" + FormatTime(record.not_after)));
  });
}

absl::Status RecordImport::AddList(const Crl& list) {
  if (!list.issuer().Matches(authority_.subject())) {
    return MakeError(Reason::kIssuerUnknown, "expected a list of " +
                                                 authority_.subject().ToString() + ", got one of " +
                                                 list.issuer().ToString());
  }
  if (absl::Status status = list.VerifySignature(authority_.public_key()); !status.ok())
    return status;
  for (const RevokedEntry& entry : list.entries()) {
    absl::Status pushed =
        Push([this, entry](StoreTransaction& transaction, ImportSummary& summary) -> absl::Status {
          const auto present = transaction.FindRevocation(entry.serial);
          if (!present.ok()) return present.status();
          if (present->has_value()) {
            ++summary.known;
            return absl::OkStatus();
          }
          const auto found = transaction.FindCertificate(entry.serial);
          if (!found.ok()) return found.status();
          RevocationRecord record{.serial = entry.serial,
                                  .issuer = kRootNumber,
                                  .lineage = entry.serial,
                                  .revoked_at = entry.revoked_at,
                                  .reason = entry.reason,
                                  .not_after = authority_.validity().not_after};
          if (found->has_value()) {
            const absl::StatusOr<Certificate> certificate = Certificate::FromDer((*found)->der);
            if (!certificate.ok()) return certificate.status();
            record.lineage = (*found)->lineage;
            record.key = KeyOf(certificate->public_key());
            record.not_after = (*found)->not_after;
          }
          if (absl::Status status = transaction.AddRevocation(record); !status.ok()) return status;
          ++summary.revocations;
          return transaction.AppendLedger(
              NoteOf(now_, entry.serial.ToHex(), "revoked=" + FormatTime(entry.revoked_at)));
        });
    if (!pushed.ok()) return pushed;
  }
  return absl::OkStatus();
}

absl::Status RecordImport::Push(Piece piece) {
  group_.push_back(std::move(piece));
  return group_.size() < kGroup ? absl::OkStatus() : WriteGroup();
}

absl::Status RecordImport::WriteGroup() {
  ImportSummary after;
  absl::Status written = store_.WriteAndWait([&](StoreTransaction& transaction) {
    after = summary_;  // the work may run again
    for (const Piece& piece : group_) {
      if (absl::Status status = piece(transaction, after); !status.ok()) return status;
    }
    return absl::OkStatus();
  });
  if (!written.ok()) return written;
  summary_ = std::move(after);
  group_.clear();
  return absl::OkStatus();
}

absl::StatusOr<ImportSummary> RecordImport::Finish() {
  if (absl::Status status = WriteGroup(); !status.ok()) return status;
  return summary_;
}

}  // namespace troth
