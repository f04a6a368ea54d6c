#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/enrolment_internal.h"
#include "troth/ca/issuing_internal.h"
#include "troth/ca/stored_records_internal.h"

namespace troth {
namespace {

// What the authority's own certificates are recorded under. No profile of this name is issued to
// anybody, and so none of them is renewed by its holder.
const Profile& OwnProfile() {
  static const Profile kOwn = [] {
    Profile profile;
    profile.name = "authority";
    profile.max_lifetime = std::chrono::hours(24 * 365);
    profile.names.any = true;
    profile.approval = Approval::kNone;
    return profile;
  }();
  return kOwn;
}

const ReservedNames& NothingReserved() {
  static const ReservedNames kNothing;
  return kNothing;
}

std::vector<std::string> SortedTexts(const std::vector<AlternativeName>& names) {
  std::vector<std::string> texts;
  texts.reserve(names.size());
  for (const AlternativeName& name : names) {
    texts.push_back(name.kind == AlternativeName::Kind::kDns ? ToLowerAscii(name.ToString())
                                                             : name.ToString());
  }
  std::ranges::sort(texts);
  // Clang 14 cannot read std::ranges::unique.
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

// A renewal asks for the names that are there, or for none.
absl::Status CheckSameNames(const Asked& asked, const Certificate& current) {
  const std::string common_name = current.subject().common_name().value_or("");
  const auto other = [&](const std::string& got) {
    return MakeError(Reason::kNameNotPermitted,
                     "a renewal keeps its names: expected the names of " + current.Describe() +
                         " or none, got " + Printable(got) + "; enrol anew for other names");
  };
  if (!asked.common_name.empty() && asked.common_name != common_name)
    return other("CN " + asked.common_name);
  if (asked.names.empty()) return absl::OkStatus();
  const std::vector<std::string> got = SortedTexts(asked.names);
  if (got == SortedTexts(current.alternative_names())) return absl::OkStatus();
  return other(Join(got, ", "));
}

// A certificate, and the stored request that it, or what it renews, was issued for: most have none.
struct Renewed {
  CertificateRecord record;
  std::optional<RequestRecord> request;
};

absl::StatusOr<std::optional<RequestRecord>> FindOrigin(StoreReader& reader,
                                                        const Sha256Digest& id) {
  absl::StatusOr<std::optional<RequestRecord>> found = reader.FindRequest(id);
  // One that has no certificate waits, perhaps anew, or came to nothing. Anybody may have sent it,
  // and it says nothing about who holds a certificate.
  if (found.ok() && found->has_value() && !(*found)->certificate.has_value()) found->reset();
  return found;
}

absl::StatusOr<Renewed> FindRenewed(StoreReader& reader, const Certificate& current) {
  absl::StatusOr<CertificateRecord> record = RecordOf(reader, current);
  if (!record.ok()) return record.status();
  absl::StatusOr<std::optional<RequestRecord>> request = FindOrigin(reader, record->request);
  if (!request.ok()) return request.status();
  return Renewed{.record = *std::move(record), .request = *std::move(request)};
}

// An operator's no ends the renewals of what was approved before.
absl::Status CheckNotRejected(const std::optional<RequestRecord>& request) {
  if (!request.has_value() || Move(request->state, RequestMove::kRenew).ok()) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kRequestRejected, "the request " + FormatFingerprint(request->id) +
                                                 ", which the certificate was issued for, is " +
                                                 std::string(NameOf(request->state)) +
                                                 "; it is not renewed: enrol anew, with a new key");
}

absl::StatusOr<Outcome> RenewUnlessRejected(StoreTransaction& transaction,
                                            const Issuance& issuance) {
  const absl::StatusOr<std::optional<RequestRecord>> request =
      FindOrigin(transaction, issuance.request);
  if (!request.ok()) return request.status();
  if (absl::Status allowed = CheckNotRejected(*request); !allowed.ok()) return allowed;
  return Outcome::kIssue;
}

absl::StatusOr<std::shared_ptr<Issuance>> MakeRenewal(AuthorityContext& context,
                                                      const Certificate& current,
                                                      std::string_view request,
                                                      const Renewed& renewed) {
  const CertificateRecord& record = renewed.record;
  const Time now = context.clock.Now();
  if (now > record.not_after) {
    return MakeError(Reason::kCertificateExpired, "the certificate ended on " +
                                                      FormatTime(record.not_after) + ", now is " +
                                                      FormatTime(now) + "; enrol anew");
  }
  if (context.revoked.Holds(record.serial, record.lineage)) {
    return MakeError(Reason::kCertificateRevoked,
                     "the certificate " + record.serial.ToHex() +
                         ", or another of its identity, was revoked; it is not renewed");
  }
  if (absl::Status allowed = CheckNotRejected(renewed.request); !allowed.ok()) return allowed;
  const Profile* const profile = context.options.profiles.Find(record.profile);
  if (profile == nullptr) {
    return MakeError(Reason::kNameNotPermitted,
                     "there is no profile '" + record.profile +
                         "' any more, by which the certificate was issued; enrol anew");
  }
  const absl::StatusOr<CertificateRequest> read = ReadRequest(request);
  if (!read.ok()) return read.status();
  absl::StatusOr<Asked> asked = AskedOf(*read, *profile);
  if (!asked.ok()) return asked.status();
  if (absl::Status same = CheckSameNames(*asked, current); !same.ok()) return same;
  asked->common_name = current.subject().common_name().value_or("");
  asked->names = current.alternative_names();
  asked->subject = current.subject();
  auto issuance =
      std::make_shared<Issuance>(Issuance{.profile = profile,
                                          .reserved = &context.issuers.current().reserved,
                                          .asked = *std::move(asked),
                                          .now = now,
                                          .request = Sha256(request),
                                          .lineage = record.lineage,
                                          .action = "renew"});
  if (renewed.request.has_value()) {
    issuance->request = renewed.request->id;
    issuance->beside = [](StoreTransaction& transaction, const Issuance& same, Change&) {
      return RenewUnlessRejected(transaction, same);
    };
  }
  return issuance;
}

}  // namespace

void Renew(AuthorityContext& context, const Certificate& current, std::string_view request,
           std::optional<Seconds> lifetime, const Caller& caller, IssueDone done) {
  const auto began = std::chrono::steady_clock::now();
  Refused refused{.action = "renew",
                  .actor = ActorOf(caller, "anonymous"),
                  .subject = current.serial_number().ToHex(),
                  .caller = &caller};
  const absl::StatusOr<Renewed> renewed =
      ReadFrom(context.store, [&](StoreReader& reader) { return FindRenewed(reader, current); });
  if (!renewed.ok()) return done(Refuse(context, refused, renewed.status()));
  refused.standing = Standing::kKnown;
  refused.actor = ActorOf(caller, current.subject().empty() ? NamesText(renewed->record.names)
                                                            : current.subject().ToString());
  absl::StatusOr<std::shared_ptr<Issuance>> issuance =
      MakeRenewal(context, current, request, *renewed);
  if (!issuance.ok()) return done(Refuse(context, refused, issuance.status()));
  (*issuance)->began = began;
  (*issuance)->lifetime = lifetime;
  (*issuance)->actor = refused.actor;
  (*issuance)->caller = caller;
  (*issuance)->done = [done = std::move(done)](const absl::Status& status, const Issuance& same) {
    status.ok() ? done(IssuedOf(same)) : done(status);
  };
  IssueAndStore(context, *std::move(issuance));
}

absl::StatusOr<IssuedCertificate> IssueOwn(AuthorityContext& context, const PublicKey& key,
                                           const std::vector<AlternativeName>& names,
                                           Seconds lifetime) {
  auto issuance = std::make_shared<Issuance>(Issuance{.profile = &OwnProfile(),
                                                      .reserved = &NothingReserved(),
                                                      .asked = {.key = key, .names = names},
                                                      .lifetime = lifetime,
                                                      .now = context.clock.Now(),
                                                      .request = Sha256(key.der()),
                                                      .action = "issue",
                                                      .actor = "authority"});
  if (!names.empty()) issuance->asked.common_name = names.front().ToPlainString();
  return IssueAndWait(context, std::move(issuance));
}

absl::Status CheckIssued(AuthorityContext& context, const Certificate& leaf) {
  const absl::StatusOr<CertificateRecord> record =
      ReadFrom(context.store, [&](StoreReader& reader) { return RecordOf(reader, leaf); });
  if (!record.ok()) return record.status();
  if (context.revoked.Holds(record->serial, record->lineage)) {
    return MakeError(Reason::kCertificateRevoked, "the certificate " + record->serial.ToHex() +
                                                      ", or another of its identity, was revoked");
  }
  if (const Time now = context.clock.Now(); now > record->not_after) {
    return MakeError(Reason::kCertificateExpired, "the certificate ended on " +
                                                      FormatTime(record->not_after) + ", now is " +
                                                      FormatTime(now));
  }
  return absl::OkStatus();
}

}  // namespace troth
