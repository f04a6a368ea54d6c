#include <algorithm>
#include <future>
#include <set>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/crl_file.h"
#include "troth/ca/files_internal.h"
#include "troth/ca/issuing_internal.h"
#include "troth/ca/revocations_internal.h"
#include "troth/ca/revoked_list.h"
#include "troth/pki/revocation_reason.h"

namespace troth {
namespace {

constexpr std::string_view kAction = "revoke";
constexpr size_t kPage = 200;
constexpr size_t kMostCandidates = 10;

// Every certificate that has exactly this name and fits `accept`, newest first.
absl::StatusOr<std::vector<CertificateRecord>> FindByName(
    StoreReader& reader, std::string_view name, const WhichOptions& options,
    const std::function<bool(const CertificateRecord&)>& accept) {
  std::vector<CertificateRecord> found;
  CertificateFilter filter{
      .name = std::string(name), .expires_after = options.expires_after, .limit = kPage};
  while (true) {
    absl::StatusOr<std::vector<CertificateRecord>> page = reader.FindCertificates(filter);
    if (!page.ok()) return page.status();
    const bool last = page->size() < kPage;
    if (!last) filter.before = page->back().serial;
    for (CertificateRecord& record : *page) {
      // A name with '*' is a pattern to the store, and may be a name all the same.
      if (std::ranges::find(record.names, name) != record.names.end() && accept(record)) {
        found.push_back(std::move(record));
        if (found.size() == options.most) return found;
      }
    }
    if (last) return found;
  }
}

bool IsGiven(int reason) {
  const std::vector<std::string_view> names = RevocationReasonNames();
  return std::ranges::find(names, NameOfRevocationReason(reason)) != names.end();
}

std::string Candidates(const std::vector<CertificateRecord>& records) {
  std::vector<std::string> texts;
  for (const CertificateRecord& record : records) {
    if (texts.size() == kMostCandidates) break;
    texts.push_back(record.serial.ToHex() + " (until " + FormatTime(record.not_after) + ")");
  }
  return Join(texts, ", ") + (records.size() > kMostCandidates ? ", ..." : "");
}

// What is to be revoked, without the others of its lineage. A serial number means that certificate
// whatever its state.
absl::StatusOr<std::vector<CertificateRecord>> Targets(AuthorityContext& context,
                                                       const RevokeSpec& spec) {
  const Time now = context.clock.Now();
  absl::StatusOr<std::vector<CertificateRecord>> found =
      FindWhich(context, spec.which, {.expires_after = now});
  if (!found.ok()) return found;
  if (found->size() == 1 && found->front().serial == SerialFromHex(spec.which)) return found;
  std::erase_if(*found, [&](const auto& record) { return !IsGood(context, record, now); });
  if (found->empty()) {
    return MakeError(Reason::kCertificateUnknown, "no certificate of '" + Printable(spec.which) +
                                                      "' is valid now; nothing is to be revoked");
  }
  std::set<SerialNumber> lineages;
  for (const CertificateRecord& record : *found) lineages.insert(record.lineage);
  if (lineages.size() == 1 || spec.all) return found;
  return MakeError(Reason::kRequestAmbiguous,
                   std::to_string(lineages.size()) + " identities have the name '" +
                       Printable(spec.which) +
                       "'; give one serial number, or revoke all: " + Candidates(*found));
}

// The others of these identities that are valid now.
absl::StatusOr<std::vector<CertificateRecord>> Siblings(
    AuthorityContext& context, const std::vector<CertificateRecord>& revoked) {
  std::set<SerialNumber> seen;
  for (const CertificateRecord& record : revoked) seen.insert(record.serial);
  std::vector<CertificateRecord> siblings;
  const absl::Status read = context.store.Read([&](StoreReader& reader) {
    for (const CertificateRecord& record : revoked) {
      if (record.names.empty()) continue;
      // A renewal keeps its names.
      absl::StatusOr<std::vector<CertificateRecord>> found =
          FindByName(reader, record.names.front(), {.expires_after = context.clock.Now()},
                     [&](const CertificateRecord& other) {
                       return other.lineage == record.lineage && seen.insert(other.serial).second;
                     });
      if (!found.ok()) return found.status();
      std::ranges::move(*found, std::back_inserter(siblings));
    }
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return siblings;
}

// One revocation on its way into the store.
struct Revoking {
  CertificateRecord certificate;
  RevocationRecord record;
  std::optional<RevocationRecord> present = {};  // it was revoked before
  std::future<absl::Status> written = {};
};

absl::StatusOr<std::unique_ptr<Revoking>> Prepare(const AuthorityContext& context,
                                                  CertificateRecord certificate, int reason) {
  const absl::StatusOr<Certificate> parsed = Certificate::FromDer(certificate.der);
  if (!parsed.ok()) {
    return WithContext(parsed.status(), "certificate " + certificate.serial.ToHex());
  }
  RevocationRecord record{.serial = certificate.serial,
                          .issuer = certificate.issuer,
                          .lineage = certificate.lineage,
                          .key = Sha256(parsed->public_key().der()),
                          .revoked_at = context.clock.Now(),
                          .reason = reason,
                          .not_after = certificate.not_after};
  return std::make_unique<Revoking>(
      Revoking{.certificate = std::move(certificate), .record = std::move(record)});
}

absl::Status RevokeIn(StoreTransaction& transaction, Change& change, Revoking& revoking) {
  change.note.action = kAction;
  absl::StatusOr<std::optional<RevocationRecord>> present =
      transaction.FindRevocation(revoking.record.serial);
  if (!present.ok()) return present.status();
  revoking.present = *std::move(present);
  if (revoking.present.has_value()) {
    change.note.action.clear();
    return absl::OkStatus();
  }
  return transaction.AddRevocation(revoking.record);
}

// From here on nothing is issued to the identity, whatever is on its way.
void Begin(AuthorityContext& context, Revoking& revoking, const std::string& actor) {
  context.revoked.Add(revoking.record);
  auto written = std::make_shared<std::promise<absl::Status>>();
  revoking.written = written->get_future();
  auto change = std::make_shared<Change>();
  change->note = {.at = revoking.record.revoked_at,
                  .actor = actor,
                  .action = std::string(kAction),
                  .subject = revoking.record.serial.ToHex(),
                  .detail = "names=" + NamesText(revoking.certificate.names) + " reason=" +
                            std::string(NameOfRevocationReason(revoking.record.reason)) +
                            " lineage=" + revoking.record.lineage.ToHex()};
  change->work = [&revoking](StoreTransaction& transaction, Change& same) {
    return RevokeIn(transaction, same, revoking);
  };
  change->done = [&context, &revoking, written](const absl::Status& status, const Change& same) {
    if (!status.ok() || revoking.present.has_value()) {
      context.revoked.Remove(revoking.record);
    } else {
      context.revocations.fetch_add(1, std::memory_order_relaxed);
      Log(LogLevel::kInfo, "certificate revoked",
          {{"serial", same.note.subject},
           {"actor", same.note.actor},
           {"detail", same.note.detail}});
    }
    written->set_value(status);
  };
  Write(context, std::move(change));
}

// Revokes all of `certificates`, waits, and adds them to `done`. The first error; the others were
// tried all the same.
absl::Status RevokeEach(AuthorityContext& context, std::vector<CertificateRecord> certificates,
                        int reason, const std::string& actor,
                        std::vector<CertificateStatus>& done) {
  std::vector<std::unique_ptr<Revoking>> all;
  absl::Status status;
  for (CertificateRecord& certificate : certificates) {
    absl::StatusOr<std::unique_ptr<Revoking>> one =
        Prepare(context, std::move(certificate), reason);
    status.Update(one.status());
    if (one.ok()) all.push_back(*std::move(one));
  }
  for (const auto& one : all) Begin(context, *one, actor);
  for (const auto& one : all) {
    const absl::Status written = one->written.get();
    status.Update(written);
    if (!written.ok()) continue;
    done.push_back(
        {.record = std::move(one->certificate), .revocation = one->present.value_or(one->record)});
  }
  return status;
}

// Why no list can be made that says what is revoked of this issuer.
std::string WhyNotListed(const AuthorityContext& context, std::uint32_t number) {
  const std::string begin =
      "it is renewed no more, but no revocation list says yet that it is "
      "revoked: ";
  const IssuerSet& issuers = context.issuers.current();
  const NumberedIssuer* const issuer = issuers.Find(number);
  if (issuer == nullptr) return begin + "its issuer is not known here";
  const Certificate& certificate = issuer->certificate;
  if (!CanSignLists(certificate)) {
    return begin + certificate.subject().ToString() +
           ", which issued it, may not sign lists (its keyUsage lacks cRLSign)";
  }
  if (number == issuers.root().number) {
    return begin +
           "the root issued it, and signs its list only with a new issuer; run `troth issuer "
           "renew` "
           "or, where the root's key is elsewhere, `troth issuer request`, `sign` and `activate`";
  }
  return begin + "the key of " + certificate.subject().ToString() +
         ", which issued it, is not here; put " +
         Quoted(context.options.folder.OlderIssuerKey(certificate.public_key())) +
         " back, and start the authority again";
}

// Says of what is valid still, and on no list, that it is not.
void WarnOfUnlisted(const AuthorityContext& context, const CrlKeeper& lists,
                    const std::set<std::uint32_t>& left_out,
                    std::vector<CertificateStatus>& revoked) {
  const Time now = context.clock.Now();
  for (CertificateStatus& one : revoked) {
    const CertificateRecord& record = one.record;
    if (!left_out.contains(record.issuer) || now > record.not_after) continue;
    const absl::StatusOr<std::shared_ptr<const Crl>> list = lists.Current(record.issuer);
    if (list.ok() && (*list)->Find(record.serial) != nullptr) continue;
    one.warning = WhyNotListed(context, record.issuer);
    Log(LogLevel::kWarning, "revoked, but on no list",
        {{"serial", record.serial.ToHex()}, {"message", one.warning}});
  }
}

}  // namespace

absl::StatusOr<std::vector<CertificateRecord>> FindWhich(AuthorityContext& context,
                                                         std::string_view which,
                                                         const WhichOptions& options) {
  std::vector<CertificateRecord> found;
  const absl::Status read = context.store.Read([&](StoreReader& reader) -> absl::Status {
    if (const std::optional<SerialNumber> serial = SerialFromHex(which)) {
      absl::StatusOr<std::optional<CertificateRecord>> record = reader.FindCertificate(*serial);
      if (!record.ok()) return record.status();
      if (record->has_value()) {
        found.push_back(**std::move(record));
        return absl::OkStatus();
      }
    }
    absl::StatusOr<std::vector<CertificateRecord>> named =
        FindByName(reader, which, options, [](const CertificateRecord&) { return true; });
    if (!named.ok()) return named.status();
    found = *std::move(named);
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  if (!found.empty()) return found;
  return MakeError(Reason::kCertificateUnknown,
                   "expected the serial number or name of a "
                   "certificate of this authority, got '" +
                       Printable(which) + "'");
}

absl::StatusOr<std::vector<CertificateStatus>> Revoke(AuthorityContext& context, CrlKeeper& lists,
                                                      const RevokeSpec& spec,
                                                      const std::string& actor) {
  const auto refuse = [&](const absl::Status& why) {
    return Refuse(context,
                  {.action = kAction,
                   .standing = Standing::kKnown,
                   .actor = actor,
                   .subject = Printable(spec.which)},
                  why);
  };
  if (!IsGiven(spec.reason)) {
    return refuse(MakeError(Reason::kUsageError,
                            "expected a reason of RFC 5280 section 5.3.1 that a list can have, "
                            "got " +
                                std::to_string(spec.reason)));
  }
  absl::StatusOr<std::vector<CertificateRecord>> targets = Targets(context, spec);
  if (!targets.ok()) return refuse(targets.status());

  std::vector<CertificateStatus> done;
  const std::vector<CertificateRecord> first = *targets;
  absl::Status status = RevokeEach(context, *std::move(targets), spec.reason, actor, done);
  // Now the lineages are closed, and what was issued before that is in the store.
  absl::StatusOr<std::vector<CertificateRecord>> siblings = Siblings(context, first);
  status.Update(siblings.status());
  if (siblings.ok()) {
    status.Update(RevokeEach(context, *std::move(siblings), spec.reason, actor, done));
  }
  std::set<std::uint32_t> issuers;
  for (const CertificateStatus& one : done) issuers.insert(one.record.issuer);
  const absl::StatusOr<std::set<std::uint32_t>> left_out = lists.Renew(issuers);
  if (!status.ok()) return refuse(status);
  if (!left_out.ok()) return WithContext(left_out.status(), "revoked");
  WarnOfUnlisted(context, lists, *left_out, done);
  return done;
}

absl::Status LoadRevoked(AuthorityContext& context) {
  return context.store.Read([&](StoreReader& reader) {
    const absl::StatusOr<std::vector<RevocationRecord>> all =
        reader.Revocations(std::nullopt, Time());
    if (!all.ok()) return all.status();
    for (const RevocationRecord& record : *all) context.revoked.Add(record);
    return absl::OkStatus();
  });
}

}  // namespace troth
