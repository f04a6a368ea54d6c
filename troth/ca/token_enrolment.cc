#include <utility>

#include "troth/base/reason.h"
#include "troth/ca/enrolment_internal.h"
#include "troth/ca/issuing_internal.h"
#include "troth/ca/stored_records_internal.h"
#include "troth/ca/token.h"
#include "troth/pki/token_text.h"

namespace troth {
namespace {

// What LoadRecentRequests reads at most: some milliseconds.
constexpr size_t kMostRecent = 4096;
constexpr size_t kPage = 512;

absl::StatusOr<TokenRecord> FindToken(AuthorityContext& context, const std::string& id) {
  if (const std::shared_ptr<const TokenRecord> cached = context.tokens.Find(id)) return *cached;
  absl::StatusOr<std::optional<TokenRecord>> record =
      ReadFrom(context.store, [&](StoreReader& reader) { return reader.FindToken(id); });
  if (!record.ok()) return record.status();
  if (!record->has_value()) {
    return MakeError(Reason::kTokenInvalid,
                     "there is no token " + id + " here; expected one of this authority");
  }
  context.tokens.Put(**record);
  return **std::move(record);
}

// The certificate that this token got for this request within the hour.
absl::StatusOr<std::optional<CertificateRecord>> FindSame(const AuthorityContext& context,
                                                          StoreReader& reader,
                                                          const Sha256Digest& request,
                                                          const std::string& token, Time now) {
  absl::StatusOr<std::optional<CertificateRecord>> found =
      reader.FindCertificateOfRequest(request, token);
  if (!found.ok() || !found->has_value()) return found;
  const CertificateRecord& record = **found;
  if (now > record.issued_at + RecentRequests::kPeriod || !IsGood(context, record, now)) {
    found->reset();
  }
  return found;
}

// One enrolment by token.
struct Enrolment {
  Enrolment(AuthorityContext& context, TokenText given, const Sha256Digest& request)
      : text(std::move(given)), ticket(context.in_flight, request) {}

  const TokenText text;
  const RequestsInFlight::Ticket ticket;
  IssueDone done = {};
  bool may_be_same = false;
  // Found in the transaction: who sent the same request at the same time has one already.
  std::optional<CertificateRecord> same = {};
  std::optional<TokenRecord> used = {};
};

absl::StatusOr<Outcome> UseToken(const AuthorityContext& context, StoreTransaction& transaction,
                                 const Issuance& issuance, Change& change, Enrolment& enrolment) {
  if (enrolment.may_be_same || enrolment.ticket.IsShared()) {
    absl::StatusOr<std::optional<CertificateRecord>> same =
        FindSame(context, transaction, issuance.request, issuance.token, issuance.now);
    if (!same.ok()) return same.status();
    enrolment.same = *std::move(same);
    if (enrolment.same.has_value()) {
      change.note.action.clear();
      return Outcome::kInstead;
    }
  }
  absl::StatusOr<std::optional<TokenRecord>> token = transaction.FindToken(issuance.token);
  if (!token.ok()) return token.status();
  if (!token->has_value()) {
    return MakeError(Reason::kTokenInvalid, "the token " + issuance.token + " is gone");
  }
  TokenRecord& record = **token;
  if (absl::Status usable = CheckToken(record, enrolment.text.secret, issuance.asked, issuance.now);
      !usable.ok()) {
    return usable;
  }
  ++record.uses;
  if (absl::Status put = transaction.PutToken(record); !put.ok()) return put;
  enrolment.used = std::move(record);
  return Outcome::kIssue;
}

void Answer(AuthorityContext& context, const absl::Status& status, const Issuance& issuance,
            Enrolment& enrolment) {
  if (!status.ok()) {
    enrolment.done(status);
  } else if (enrolment.same.has_value()) {
    enrolment.done(IssuedFrom(context, *enrolment.same));
  } else {
    context.tokens.Put(*std::move(enrolment.used));
    enrolment.done(IssuedOf(issuance));
  }
}

// Whether an earlier, equal request is not among those that `recent` knows.
bool MayHaveForgotten(const AuthorityContext& context, const TokenRecord& token, Time now) {
  return token.uses != 0 && now < context.recent_since + RecentRequests::kPeriod;
}

}  // namespace

void EnrolWithToken(AuthorityContext& context, std::string_view token, std::string_view request,
                    std::optional<Seconds> lifetime, const Caller& caller, IssueDone done) {
  const auto began = std::chrono::steady_clock::now();
  const Time now = context.clock.Now();
  Refused refused{.action = "issue", .actor = "anonymous", .caller = &caller};
  const auto refuse = [&](const absl::Status& why) { done(Refuse(context, refused, why)); };

  absl::StatusOr<TokenText> text = TokenText::Parse(token);
  if (!text.ok()) return refuse(text.status());
  refused.subject = text->id;
  const absl::StatusOr<TokenRecord> record = FindToken(context, text->id);
  if (!record.ok()) return refuse(record.status());
  // Before the request is read: a stranger does not have a signature checked.
  if (absl::Status ours = CheckTokenSecret(*record, text->secret); !ours.ok()) return refuse(ours);
  const std::string actor = ActorOf(caller, "token " + text->id);
  refused.actor = actor;
  refused.standing = Standing::kKnown;

  const Sha256Digest digest = Sha256(request);
  auto enrolment = std::make_shared<Enrolment>(context, *std::move(text), digest);
  enrolment->may_be_same =
      context.recent.Note(digest, now) || MayHaveForgotten(context, *record, now);
  if (enrolment->may_be_same) {
    const absl::StatusOr<std::optional<CertificateRecord>> same = ReadFrom(
        context.store,
        [&](StoreReader& reader) { return FindSame(context, reader, digest, record->id, now); });
    if (!same.ok()) return refuse(same.status());
    if (same->has_value()) return done(IssuedFrom(context, **same));
  }
  const Profile* const profile = context.options.profiles.Find(record->profile);
  if (profile == nullptr) {
    return refuse(MakeError(Reason::kTokenInvalid, "the token " + record->id +
                                                       " is for the profile '" + record->profile +
                                                       "', which is not there any more"));
  }
  const absl::StatusOr<CertificateRequest> read = ReadRequest(request);
  if (!read.ok()) return refuse(read.status());
  absl::StatusOr<Asked> asked = AskedOf(*read, *profile);
  if (!asked.ok()) return refuse(asked.status());
  if (absl::Status usable = CheckToken(*record, enrolment->text.secret, *asked, now); !usable.ok())
    return refuse(usable);

  enrolment->done = std::move(done);
  auto issuance =
      std::make_shared<Issuance>(Issuance{.profile = profile,
                                          .reserved = &context.issuers.current().reserved,
                                          .asked = *std::move(asked),
                                          .lifetime = lifetime,
                                          .now = now,
                                          .began = began,
                                          .request = digest,
                                          .token = enrolment->text.id,
                                          .actor = actor,
                                          .caller = caller});
  issuance->beside = [&context, enrolment](StoreTransaction& transaction, const Issuance& same,
                                           Change& change) {
    return UseToken(context, transaction, same, change, *enrolment);
  };
  issuance->done = [&context, enrolment](const absl::Status& status, const Issuance& same) {
    Answer(context, status, same, *enrolment);
  };
  IssueAndStore(context, std::move(issuance));
}

absl::Status LoadRecentRequests(AuthorityContext& context) {
  const Time now = context.clock.Now();
  const Time since = now - RecentRequests::kPeriod;
  // Read oldest last, so that the newest are noted when there are too many.
  bool complete = false;
  CertificateFilter filter{.limit = kPage};
  for (size_t read = 0; !complete && read < kMostRecent; read += kPage) {
    const absl::StatusOr<std::vector<CertificateRecord>> page = ReadFrom(
        context.store, [&](StoreReader& reader) { return reader.FindCertificates(filter); });
    if (!page.ok()) return page.status();
    complete = page->size() < kPage;
    for (const CertificateRecord& record : *page) {
      if (record.issued_at < since) complete = true;
      if (!record.token.empty()) context.recent.Note(record.request, now);
    }
    if (!page->empty()) filter.before = page->back().serial;
  }
  context.recent_since = complete ? since : now;
  return absl::OkStatus();
}

}  // namespace troth
