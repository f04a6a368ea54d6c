#include "troth/server/native/messages.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/pki/certificate.h"

namespace troth::native {
namespace {

std::int64_t SecondsOf(Time time) { return time.time_since_epoch().count(); }
std::int64_t SecondsOf(const std::optional<Time>& time) {
  return time.has_value() ? SecondsOf(*time) : 0;
}
Time TimeOf(std::int64_t seconds) { return Time(Seconds(seconds)); }
std::optional<Time> OptionalTime(std::int64_t seconds) {
  if (seconds == 0) return std::nullopt;
  return TimeOf(seconds);
}

std::string BytesOf(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

absl::StatusOr<Sha256Digest> DigestOf(std::string_view bytes, std::string_view what,
                                      Reason reason) {
  Sha256Digest digest{};
  if (bytes.size() != digest.size()) {
    return MakeError(reason, std::string(what) + ": expected a digest of " +
                                 std::to_string(digest.size()) + " bytes, got " +
                                 std::to_string(bytes.size()));
  }
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

absl::StatusOr<SerialNumber> SerialOf(std::string_view bytes, std::string_view what,
                                      Reason reason) {
  auto serial = SerialNumber::FromDerContent(bytes);
  if (!serial.ok()) return MakeError(reason, std::string(what) + ": not a serial number");
  return serial;
}

template <typename Repeated>
std::vector<std::string> TextsOf(const Repeated& texts) {
  return {texts.begin(), texts.end()};
}

size_t PageOf(std::uint32_t limit) {
  return limit == 0 ? kDefaultPage : std::min<size_t>(limit, kLargestPage);
}
std::uint32_t LimitOf(size_t limit) {
  return static_cast<std::uint32_t>(std::min(limit, kLargestPage));
}

// Nothing for "unspecified".
absl::StatusOr<std::optional<RequestState>> StateOf(v1::RequestState state, Reason reason) {
  switch (state) {
    case v1::REQUEST_STATE_UNSPECIFIED:
      return std::nullopt;
    case v1::REQUEST_STATE_PENDING:
      return RequestState::kPending;
    case v1::REQUEST_STATE_APPROVED:
      return RequestState::kApproved;
    case v1::REQUEST_STATE_REJECTED:
      return RequestState::kRejected;
    case v1::REQUEST_STATE_EXPIRED:
      return RequestState::kExpired;
    default:
      return MakeError(reason, "unknown state " + std::to_string(static_cast<int>(state)) +
                                   " of a request; the other side may be newer");
  }
}

// SHA-256 of the key that a certificate is for; zeros when the certificate cannot be read.
Sha256Digest KeyOf(const std::string& der) {
  const auto certificate = Certificate::FromDer(der);
  return certificate.ok() ? Sha256(certificate->public_key().der()) : Sha256Digest{};
}

}  // namespace

absl::StatusOr<std::optional<Seconds>> LifetimeOf(std::int64_t seconds) {
  if (seconds == 0) return std::nullopt;
  if (seconds < 0) {
    return MakeError(Reason::kUsageError, "a lifetime of " + std::to_string(seconds) +
                                              " seconds; give a positive one, or none");
  }
  return Seconds(seconds);
}

v1::RequestState ToMessage(RequestState state) {
  switch (state) {
    case RequestState::kPending:
      return v1::REQUEST_STATE_PENDING;
    case RequestState::kApproved:
      return v1::REQUEST_STATE_APPROVED;
    case RequestState::kRejected:
      return v1::REQUEST_STATE_REJECTED;
    case RequestState::kExpired:
      return v1::REQUEST_STATE_EXPIRED;
  }
  return v1::REQUEST_STATE_UNSPECIFIED;
}

v1::Request ToMessage(const RequestStatus& request) {
  const RequestRecord& record = request.record;
  v1::Request message;
  message.set_id(BytesOf(record.id));
  message.set_state(ToMessage(record.state));
  message.set_profile(record.profile);
  message.set_name(record.name);
  for (const std::string& name : record.names) message.add_names(name);
  message.set_key(BytesOf(record.key));
  message.set_body(record.body);
  message.set_address(record.address);
  message.set_created_at(SecondsOf(record.created_at));
  message.set_decided_at(SecondsOf(record.decided_at));
  message.set_decided_by(record.decided_by);
  message.set_decision_note(record.decision_note);
  if (record.certificate.has_value()) {
    message.set_certificate_serial(record.certificate->der_content());
  }
  message.set_certificate_not_after(SecondsOf(record.certificate_not_after));
  for (const Sha256Digest& other : request.same_name_other_key) {
    message.add_same_name_other_key(BytesOf(other));
  }
  return message;
}

absl::StatusOr<RequestStatus> FromMessage(const v1::Request& message) {
  constexpr Reason kWrong = Reason::kResponseMalformed;
  RequestStatus out;
  RequestRecord& record = out.record;
  auto id = DigestOf(message.id(), "id of a request", kWrong);
  if (!id.ok()) return id.status();
  record.id = *id;
  auto state = StateOf(message.state(), kWrong);
  if (!state.ok()) return state.status();
  if (!state->has_value()) return MakeError(kWrong, "a request without a state");
  record.state = **state;
  record.profile = message.profile();
  record.name = message.name();
  record.names = TextsOf(message.names());
  auto key = DigestOf(message.key(), "key of a request", kWrong);
  if (!key.ok()) return key.status();
  record.key = *key;
  record.body = message.body();
  record.address = message.address();
  record.created_at = TimeOf(message.created_at());
  record.decided_at = OptionalTime(message.decided_at());
  record.decided_by = message.decided_by();
  record.decision_note = message.decision_note();
  if (!message.certificate_serial().empty()) {
    auto serial = SerialOf(message.certificate_serial(), "certificate of a request", kWrong);
    if (!serial.ok()) return serial.status();
    record.certificate = *std::move(serial);
  }
  record.certificate_not_after = OptionalTime(message.certificate_not_after());
  for (const std::string& bytes : message.same_name_other_key()) {
    auto other = DigestOf(bytes, "another request for the name", kWrong);
    if (!other.ok()) return other.status();
    out.same_name_other_key.push_back(*other);
  }
  return out;
}

v1::Token ToMessage(const TokenRecord& token) {
  v1::Token message;
  message.set_id(token.id);
  message.set_profile(token.profile);
  for (const std::string& name : token.names) message.add_names(name);
  message.set_any_name(token.any_name);
  message.set_max_uses(token.max_uses);
  message.set_uses(token.uses);
  message.set_created_at(SecondsOf(token.created_at));
  message.set_expires_at(SecondsOf(token.expires_at));
  message.set_created_by(token.created_by);
  message.set_revoked_at(SecondsOf(token.revoked_at));
  return message;
}

TokenRecord FromMessage(const v1::Token& message) {
  return {.id = message.id(),
          .profile = message.profile(),
          .names = TextsOf(message.names()),
          .any_name = message.any_name(),
          .max_uses = message.max_uses(),
          .uses = message.uses(),
          .created_at = TimeOf(message.created_at()),
          .expires_at = TimeOf(message.expires_at()),
          .created_by = message.created_by(),
          .revoked_at = OptionalTime(message.revoked_at())};
}

v1::Certificate ToMessage(const CertificateStatus& certificate) {
  const CertificateRecord& record = certificate.record;
  v1::Certificate message;
  message.set_serial(record.serial.der_content());
  message.set_issuer(record.issuer);
  message.set_profile(record.profile);
  message.set_lineage(record.lineage.der_content());
  message.set_request(BytesOf(record.request));
  message.set_token(record.token);
  message.set_issued_at(SecondsOf(record.issued_at));
  message.set_not_after(SecondsOf(record.not_after));
  for (const std::string& name : record.names) message.add_names(name);
  message.set_der(record.der);
  if (certificate.revocation.has_value()) {
    message.set_revoked_at(SecondsOf(certificate.revocation->revoked_at));
    message.set_revocation_reason(certificate.revocation->reason);
  }
  message.set_warning(certificate.warning);
  return message;
}

absl::StatusOr<CertificateStatus> FromMessage(const v1::Certificate& message) {
  constexpr Reason kWrong = Reason::kResponseMalformed;
  auto serial = SerialOf(message.serial(), "serial of a certificate", kWrong);
  if (!serial.ok()) return serial.status();
  auto lineage = SerialOf(message.lineage(), "lineage of a certificate", kWrong);
  if (!lineage.ok()) return lineage.status();
  auto request = DigestOf(message.request(), "request of a certificate", kWrong);
  if (!request.ok()) return request.status();
  CertificateStatus out{.record = {.serial = *serial,
                                   .issuer = message.issuer(),
                                   .profile = message.profile(),
                                   .lineage = *lineage,
                                   .request = *request,
                                   .token = message.token(),
                                   .issued_at = TimeOf(message.issued_at()),
                                   .not_after = TimeOf(message.not_after()),
                                   .names = TextsOf(message.names()),
                                   .der = message.der()}};
  if (message.revoked_at() != 0) {
    out.revocation = RevocationRecord{.serial = *serial,
                                      .issuer = message.issuer(),
                                      .lineage = *lineage,
                                      .key = KeyOf(message.der()),
                                      .revoked_at = TimeOf(message.revoked_at()),
                                      .reason = message.revocation_reason(),
                                      .not_after = TimeOf(message.not_after())};
  }
  out.warning = message.warning();
  return out;
}

v1::ListRequestsRequest ToMessage(const RequestFilter& filter) {
  v1::ListRequestsRequest message;
  if (filter.state.has_value()) message.set_state(ToMessage(*filter.state));
  message.set_profile(filter.profile);
  message.set_name(filter.name);
  if (filter.key.has_value()) message.set_key(BytesOf(*filter.key));
  message.set_address(filter.address);
  if (filter.after.has_value()) message.set_after(BytesOf(*filter.after));
  message.set_limit(LimitOf(filter.limit));
  return message;
}

absl::StatusOr<RequestFilter> FromMessage(const v1::ListRequestsRequest& message) {
  constexpr Reason kWrong = Reason::kUsageError;
  RequestFilter filter;
  auto state = StateOf(message.state(), kWrong);
  if (!state.ok()) return state.status();
  filter.state = *state;
  filter.profile = message.profile();
  filter.name = message.name();
  if (!message.key().empty()) {
    auto key = DigestOf(message.key(), "key", kWrong);
    if (!key.ok()) return key.status();
    filter.key = *key;
  }
  filter.address = message.address();
  if (!message.after().empty()) {
    auto after = DigestOf(message.after(), "after", kWrong);
    if (!after.ok()) return after.status();
    filter.after = *after;
  }
  filter.limit = PageOf(message.limit());
  return filter;
}

v1::ListCertificatesRequest ToMessage(const CertificateFilter& filter) {
  v1::ListCertificatesRequest message;
  message.set_name(filter.name);
  message.set_profile(filter.profile);
  message.set_expires_before(SecondsOf(filter.expires_before));
  message.set_expires_after(SecondsOf(filter.expires_after));
  message.set_only_revoked(filter.only_revoked);
  if (filter.before.has_value()) message.set_before_serial(filter.before->der_content());
  message.set_limit(LimitOf(filter.limit));
  return message;
}

absl::StatusOr<CertificateFilter> FromMessage(const v1::ListCertificatesRequest& message) {
  CertificateFilter filter{.name = message.name(),
                           .profile = message.profile(),
                           .expires_before = OptionalTime(message.expires_before()),
                           .expires_after = OptionalTime(message.expires_after()),
                           .only_revoked = message.only_revoked(),
                           .limit = PageOf(message.limit())};
  if (!message.before_serial().empty()) {
    auto before = SerialOf(message.before_serial(), "before_serial", Reason::kUsageError);
    if (!before.ok()) return before.status();
    filter.before = *std::move(before);
  }
  return filter;
}

v1::CreateTokenRequest ToMessage(const TokenSpec& spec) {
  v1::CreateTokenRequest message;
  message.set_profile(spec.profile);
  for (const std::string& name : spec.names) message.add_names(name);
  message.set_any_name(spec.any_name);
  message.set_max_uses(spec.max_uses);
  message.set_lifetime_seconds(spec.lifetime.count());
  return message;
}

TokenSpec FromMessage(const v1::CreateTokenRequest& message) {
  TokenSpec spec{.profile = message.profile(),
                 .names = TextsOf(message.names()),
                 .any_name = message.any_name()};
  if (message.max_uses() != 0) spec.max_uses = message.max_uses();
  if (message.lifetime_seconds() != 0) spec.lifetime = Seconds(message.lifetime_seconds());
  return spec;
}

v1::RevokeCertificatesRequest ToMessage(const RevokeSpec& spec) {
  v1::RevokeCertificatesRequest message;
  message.set_which(spec.which);
  message.set_reason(spec.reason);
  message.set_all(spec.all);
  return message;
}

RevokeSpec FromMessage(const v1::RevokeCertificatesRequest& message) {
  return {.which = message.which(), .reason = message.reason(), .all = message.all()};
}

v1::RefreshRequest ToMessage(const RefreshSpec& spec) {
  v1::RefreshRequest message;
  if (spec.lifetime.has_value()) message.set_lifetime_seconds(spec.lifetime->count());
  message.set_profile(spec.profile);
  return message;
}

absl::StatusOr<RefreshSpec> FromMessage(const v1::RefreshRequest& message) {
  auto lifetime = LifetimeOf(message.lifetime_seconds());
  if (!lifetime.ok()) return lifetime.status();
  return RefreshSpec{.lifetime = *lifetime, .profile = message.profile()};
}

v1::RefreshProgress ToMessage(const RefreshProgress& progress) {
  v1::RefreshProgress message;
  message.set_done(progress.done);
  message.set_total(progress.total);
  message.set_refused(progress.refused);
  return message;
}

RefreshProgress FromMessage(const v1::RefreshProgress& message) {
  return {.done = message.done(), .total = message.total(), .refused = message.refused()};
}

v1::Summary ToMessage(const AuthoritySummary& summary) {
  v1::Summary message;
  message.set_root_fingerprint(summary.root_fingerprint);
  message.set_root(summary.root_pem);
  message.set_issuer(summary.issuer_pem);
  message.set_trust_domain(summary.trust_domain);
  for (const std::string& profile : summary.profiles) message.add_profiles(profile);
  message.set_certificates(summary.store.certificates);
  message.set_revocations(summary.store.revocations);
  message.set_pending_requests(summary.store.pending_requests);
  message.set_store_bytes(summary.store.bytes);
  message.set_expiring_day(summary.store.expiring_day);
  message.set_expiring_week(summary.store.expiring_week);
  return message;
}

AuthoritySummary FromMessage(const v1::Summary& message) {
  return {.root_fingerprint = message.root_fingerprint(),
          .root_pem = message.root(),
          .issuer_pem = message.issuer(),
          .trust_domain = message.trust_domain(),
          .profiles = TextsOf(message.profiles()),
          .store = {.certificates = message.certificates(),
                    .revocations = message.revocations(),
                    .pending_requests = message.pending_requests(),
                    .bytes = message.store_bytes(),
                    .expiring_day = message.expiring_day(),
                    .expiring_week = message.expiring_week()}};
}

v1::Event ToMessage(const AuthorityEvent& event) {
  v1::Event message;
  message.set_sequence(event.sequence);
  message.set_at(SecondsOf(event.note.at));
  message.set_actor(event.note.actor);
  message.set_action(event.note.action);
  message.set_subject(event.note.subject);
  message.set_detail(event.note.detail);
  return message;
}

v1::LedgerEntry ToMessage(const LedgerEntry& entry) {
  v1::LedgerEntry message;
  *message.mutable_event() = ToMessage(AuthorityEvent{entry.sequence, entry.note});
  message.set_hash(BytesOf(entry.hash));
  return message;
}

absl::StatusOr<LedgerEntry> FromMessage(const v1::LedgerEntry& message) {
  auto hash = DigestOf(message.hash(), "hash of a ledger entry", Reason::kResponseMalformed);
  if (!hash.ok()) return hash.status();
  const v1::Event& event = message.event();
  return LedgerEntry{.sequence = event.sequence(),
                     .note = {.at = TimeOf(event.at()),
                              .actor = event.actor(),
                              .action = event.action(),
                              .subject = event.subject(),
                              .detail = event.detail()},
                     .hash = *hash};
}

v1::LedgerHead ToMessage(const LedgerHead& head) {
  v1::LedgerHead message;
  message.set_sequence(head.sequence);
  message.set_hash(BytesOf(head.hash));
  return message;
}

absl::StatusOr<LedgerHead> FromMessage(const v1::LedgerHead& message) {
  auto hash = DigestOf(message.hash(), "head of the ledger", Reason::kResponseMalformed);
  if (!hash.ok()) return hash.status();
  return LedgerHead{.sequence = message.sequence(), .hash = *hash};
}

v1::Issued ToMessage(const IssuedCertificate& issued) {
  v1::Issued message;
  message.set_certificate(issued.certificate.ToPem());
  if (issued.chain_pem != nullptr) message.set_chain(*issued.chain_pem);
  if (issued.root_pem != nullptr) message.set_trust_bundle(*issued.root_pem);
  return message;
}

v1::Submitted ToMessage(const FetchedRequest& fetched) {
  v1::Submitted message;
  v1::Request* request = message.mutable_request();
  *request = ToMessage(RequestStatus{.record = fetched.record});
  request->clear_body();
  request->clear_address();
  request->clear_decided_by();
  if (fetched.issued.has_value()) *message.mutable_issued() = ToMessage(*fetched.issued);
  message.set_revoked(fetched.revoked);
  return message;
}

}  // namespace troth::native
