#include "troth/enroll/enroller.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/enroll/authority_address.h"
#include "troth/enroll/enroll_request.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/token_text.h"

namespace troth {
namespace {

constexpr Seconds kLongestRetryAfter = std::chrono::minutes(10);
// Authorities date certificates back, for clients whose clock is behind.
constexpr Seconds kBackdated = std::chrono::minutes(5);

bool SaysWhomToTrust(const HttpTrust& trust) {
  return trust.bundle.has_value() || trust.root_fingerprint.has_value() || trust.system;
}

// One of the same second counts: the times of certificates have no finer unit.
bool IsNewer(const Certificate& candidate, const Certificate& current) {
  const Validity& offered = candidate.validity();
  const Validity& held = current.validity();
  return candidate.der() != current.der() &&
         (offered.not_before >= held.not_before || offered.not_after > held.not_after);
}

// When a certificate is due.
Time DueTimeOf(const Certificate& leaf, std::optional<Seconds> renew_before) {
  const Validity& validity = leaf.validity();
  return validity.not_after - renew_before.value_or((validity.not_after - validity.not_before) / 3);
}

// When the server made this certificate, at the latest: a clock of this machine, or a file's time,
// that is ahead of the server's does not hide the next one.
Time NoLaterThanMade(Time time, const Certificate& leaf) {
  return std::min(time, leaf.validity().not_before + kBackdated);
}

bool HasName(const std::vector<AlternativeName>& names, const AlternativeName& name) {
  return std::ranges::find(names, name) != names.end();
}

// The reason that `request` is not the one to go on with; empty when it is.
std::string WhyNotTheRequest(const absl::StatusOr<CertificateRequest>& request,
                             const PublicKey& key, const EnrollOptions& options) {
  if (!request.ok()) return std::string(ToStd(request.status().message()));
  if (request->public_key() != key) return "it is for another key";
  const std::vector<AlternativeName>& names = request->alternative_names();
  const bool names_client = request->subject().common_name() == options.client_id ||
                            std::ranges::any_of(names, [&](const AlternativeName& name) {
                              return name.ToPlainString() == options.client_id;
                            });
  if (!names_client) return "it is for another client";
  for (const AlternativeName& name : options.more_names) {
    if (!HasName(names, name)) return "it does not ask for " + name.ToString();
  }
  return "";
}

}  // namespace

std::string_view NameOf(EnrollProtocol protocol) {
  switch (protocol) {
    case EnrollProtocol::kDetect:
      return "detect";
    case EnrollProtocol::kCaramel:
      return "caramel";
    case EnrollProtocol::kJson:
      return "json";
  }
  return "unknown";
}

std::string_view NameOf(EnrollStep step) {
  switch (step) {
    case EnrollStep::kServerLearned:
      return "server_learned";
    case EnrollStep::kRequestMade:
      return "request_made";
    case EnrollStep::kForgotten:
      return "forgotten";
    case EnrollStep::kWaiting:
      return "waiting";
    case EnrollStep::kIssued:
      return "issued";
    case EnrollStep::kUnchanged:
      return "unchanged";
    case EnrollStep::kRejected:
      return "rejected";
  }
  return "unknown";
}

absl::StatusOr<std::unique_ptr<Enroller>> Enroller::Create(EnrollOptions options) {
  absl::StatusOr<AuthorityAddress> address = AuthorityAddress::Parse(options.server);
  if (!address.ok()) return address.status();
  if (absl::Status status = CheckClientId(options.client_id); !status.ok()) return status;
  if (options.protocol == EnrollProtocol::kCaramel) {
    if (!options.token.empty() || !options.profile.empty()) {
      return MakeError(Reason::kUsageError,
                       "a Caramel server knows neither tokens nor profiles; leave them out, or "
                       "use the JSON protocol");
    }
  }
  if (!options.token.empty()) {
    const absl::StatusOr<TokenText> token = TokenText::Parse(options.token.Reveal());
    if (!token.ok()) return token.status();
    options.token = Secret(std::string(TrimWhitespace(options.token.Reveal())));
    options.protocol = EnrollProtocol::kJson;
    if (!SaysWhomToTrust(options.trust)) options.trust.root_fingerprint = token->root_fingerprint;
  }
  if (!SaysWhomToTrust(options.trust)) {
    return MakeError(Reason::kUsageError,
                     "nothing says which authority to believe; give its CA certificate (trust "
                     "bundle), its root fingerprint or a token, or trust the system's CAs");
  }
  AuthorityClient client({.base_url = address->UrlOf(""),
                          .trust = options.trust,
                          .user_agent = options.user_agent,
                          .server_name = options.server_name,
                          .timeout = options.timeout,
                          .connect = options.connect});
  return std::unique_ptr<Enroller>(new Enroller(std::move(options), std::move(client)));
}

Enroller::Enroller(EnrollOptions options, AuthorityClient client)
    : options_(std::move(options)), client_(std::move(client)), protocol_(options_.protocol) {}

absl::Status Enroller::Resume(const Kept& kept) {
  if (kept.private_key_pem.empty()) return absl::OkStatus();
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(kept.private_key_pem);
  if (!key.ok()) return key.status();
  key_ = *std::move(key);

  if (!kept.request_pem.empty()) {
    const auto request = CertificateRequest::FromPem(kept.request_pem);
    const std::string why_not = WhyNotTheRequest(request, key_->public_key(), options_);
    if (why_not.empty()) {
      request_pem_ = kept.request_pem;
      // Whether it was sent is not known; asking for it, or sending it again, shows.
      state_ = EnrollState::kWaiting;
    } else {
      Warn("the request that was kept is left out: " + Printable(why_not));
    }
  }

  if (!kept.chain_pem.empty()) {
    NoticeCertificatesForTheKey(kept.chain_pem);
    const Secret key_pem = key_->ToPem();
    const std::optional<TrustBundle> bundle = authority();
    const std::string bundle_pem = bundle.has_value() ? bundle->ToPem() : "";
    absl::StatusOr<std::shared_ptr<const Identity>> identity =
        Identity::Create({.certificate_pem = kept.chain_pem,
                          .private_key_pem = key_pem.Reveal(),
                          .trust_bundle_pem = bundle_pem},
                         options_.clock->Now());
    absl::Status status = identity.status();
    if (status.ok()) status = CheckClientName((*identity)->leaf(), options_.client_id);
    if (status.ok()) {
      current_ = *std::move(identity);
      client_.Show(current_);
      certificate_time_ = kept.certificate_time;
      // A request for more names than the certificate has still waits to be decided.
      if (state_ == EnrollState::kWaiting && HoldsWhatIsAsked()) state_ = EnrollState::kEnrolled;
    } else {
      Warn("the certificate that was kept is left out: " + std::string(ToStd(status.message())));
    }
  }
  return absl::OkStatus();
}

// Each block by itself, for a damaged one does not make the others worthless.
void Enroller::NoticeCertificatesForTheKey(std::string_view chain_pem) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  for (size_t at = chain_pem.find(kBegin); at != std::string_view::npos;) {
    const size_t next = chain_pem.find(kBegin, at + kBegin.size());
    const auto certificate = Certificate::FromPem(
        chain_pem.substr(at, next == std::string_view::npos ? next : next - at));
    if (certificate.ok() && certificate->public_key() == key_->public_key()) {
      const Time end = certificate->validity().not_after;
      kept_until_ = std::max(kept_until_.value_or(end), end);
    }
    at = next;
  }
}

void Enroller::Warn(std::string text) {
  if (std::ranges::find(warnings_, text) == warnings_.end()) warnings_.push_back(std::move(text));
}

absl::StatusOr<EnrollStep> Enroller::Step() {
  NoticeTime();
  absl::StatusOr<EnrollStep> step = TakeStep();
  // The next attempt comes without it: a server that no longer knows our certificate may still take
  // our request.
  if (ReasonOf(step.status()) == Reason::kPeerRejectedCertificate && current_ != nullptr &&
      !certificate_refused_) {
    certificate_refused_ = true;
    client_.Show(nullptr);
    Warn("the server refuses our certificate; going on without it");
  }
  return step;
}

absl::StatusOr<EnrollStep> Enroller::TakeStep() {
  if (state_ == EnrollState::kRejected) return RejectedOrUnchanged();
  if (!KnowsServer()) return LearnServer();
  const bool caramel = protocol_ == EnrollProtocol::kCaramel;
  if (state_ == EnrollState::kRequestMade && !caramel && HoldsWhatIsAsked()) {
    // The request was lost, the certificate was not: nothing needs to be decided anew.
    if (absl::Status status = Go(EnrollMove::kIssue); !status.ok()) return status;
    NoticeTime();
  }
  switch (state_) {
    case EnrollState::kStart:
      return MakeRequest();
    case EnrollState::kRequestMade:
      return Take(SendRequest());
    case EnrollState::kWaiting:
      return Take(AskForDecision());
    case EnrollState::kEnrolled:
      if (!caramel) return EnrollStep::kUnchanged;
      return Take(AskForDecision());
    case EnrollState::kDue:
      return Take(caramel ? AskForDecision() : client_.Renew(request_pem_));
    case EnrollState::kRejected:
      break;
  }
  return EnrollStep::kRejected;
}

absl::StatusOr<EnrollStep> Enroller::WaitingOrUnchanged() {
  if (!HoldsWhatIsAsked()) return EnrollStep::kWaiting;
  Warn(
      "the authority has not decided yet on the request for the next certificate; the current "
      "one is valid until " +
      FormatTime(current_->leaf().validity().not_after));
  return EnrollStep::kUnchanged;
}

absl::StatusOr<EnrollStep> Enroller::RejectedOrUnchanged() {
  if (!HoldsWhatIsAsked()) return EnrollStep::kRejected;
  const Time due = DueTimeOf(current_->leaf(), options_.renew_before);
  if (options_.clock->Now() >= due) return EnrollStep::kRejected;
  Warn("the authority rejected the request for the next certificate" +
       (rejection_.empty() ? "" : " (" + rejection_ + ")") + "; the current one is valid until " +
       FormatTime(current_->leaf().validity().not_after) + ", and due on " + FormatTime(due));
  return EnrollStep::kUnchanged;
}

absl::Status Enroller::Go(EnrollMove move) {
  const absl::StatusOr<EnrollState> next = Move(state_, move);
  if (!next.ok()) return next.status();
  state_ = *next;
  return absl::OkStatus();
}

// What time alone changes.
void Enroller::NoticeTime() {
  if (current_ == nullptr) return;
  const Time now = options_.clock->Now();
  if (state_ == EnrollState::kEnrolled &&
      now >= DueTimeOf(current_->leaf(), options_.renew_before)) {
    state_ = *Move(state_, EnrollMove::kComeDue);
  }
  if (now >= current_->expires()) {
    if (state_ == EnrollState::kDue || state_ == EnrollState::kEnrolled) {
      if (state_ == EnrollState::kEnrolled) state_ = *Move(state_, EnrollMove::kComeDue);
      state_ = *Move(state_, EnrollMove::kExpire);
    }
    current_ = nullptr;
    client_.Show(nullptr);
  }
}

bool Enroller::KnowsServer() const {
  switch (protocol_) {
    case EnrollProtocol::kDetect:
      return false;
    case EnrollProtocol::kCaramel:
      // The request repeats parts of the CA's name.
      return authority().has_value();
    case EnrollProtocol::kJson:
      return true;
  }
  return false;
}

bool Enroller::HoldsWhatIsAsked() const {
  if (current_ == nullptr) return false;
  return std::ranges::all_of(options_.more_names, [&](const AlternativeName& name) {
    return HasName(current_->leaf().alternative_names(), name);
  });
}

std::optional<TrustBundle> Enroller::authority() const {
  if (options_.authority.has_value()) return options_.authority;
  if (options_.trust.bundle.has_value()) return options_.trust.bundle;
  return learned_bundle_;
}

// A bundle that the server named, over a connection that the trust vouches for.
absl::StatusOr<TrustBundle> Enroller::CheckBundle(std::string_view pem) const {
  absl::StatusOr<TrustBundle> bundle = TrustBundle::FromPem(pem);
  if (!bundle.ok()) return WithContext(bundle.status(), "the trust bundle that the server names");
  if (!options_.trust.root_fingerprint.has_value()) return bundle;
  for (const Certificate& anchor : bundle->anchors()) {
    if (anchor.fingerprint() == *options_.trust.root_fingerprint)
      return TrustBundle::FromCertificates({anchor});
  }
  return MakeError(Reason::kIssuerUnknown, "expected a CA with the fingerprint " +
                                               FormatFingerprint(*options_.trust.root_fingerprint) +
                                               ", got " + bundle->anchors().front().Describe());
}

absl::StatusOr<EnrollStep> Enroller::LearnServer() {
  std::string pem;
  if (protocol_ == EnrollProtocol::kDetect) {
    absl::StatusOr<std::optional<std::string>> named = client_.TrustBundlePem();
    if (!named.ok()) return named.status();
    if (!named->has_value()) {
      if (!options_.profile.empty() || !options_.more_names.empty()) {
        return MakeError(Reason::kUsageError,
                         "the server has no /v1/trust-bundle, so it is a Caramel server, which "
                         "knows neither profiles nor more names than the client id");
      }
      protocol_ = EnrollProtocol::kCaramel;
      return EnrollStep::kServerLearned;
    }
    pem = **std::move(named);
  } else {
    absl::StatusOr<std::string> root = client_.CaramelRootPem();
    if (!root.ok()) return root.status();
    pem = *std::move(root);
  }
  if (!authority().has_value()) {
    absl::StatusOr<TrustBundle> bundle = CheckBundle(pem);
    if (!bundle.ok()) return bundle.status();
    learned_bundle_ = *std::move(bundle);
  }
  if (protocol_ == EnrollProtocol::kDetect) protocol_ = EnrollProtocol::kJson;
  return EnrollStep::kServerLearned;
}

absl::StatusOr<EnrollStep> Enroller::MakeRequest() {
  if (!key_.has_value()) {
    absl::StatusOr<PrivateKey> key = PrivateKey::Generate(options_.key_type);
    if (!key.ok()) return key.status();
    key_ = *std::move(key);
  }
  if (protocol_ == EnrollProtocol::kCaramel && !options_.more_names.empty()) {
    return MakeError(Reason::kUsageError,
                     "a Caramel server certifies the client id and no other name");
  }
  absl::StatusOr<CertificateRequest> request =
      protocol_ == EnrollProtocol::kCaramel
          ? MakeCaramelRequest(*key_, options_.client_id, authority()->anchors().front())
          : MakeNamedRequest(*key_, options_.client_id, options_.more_names);
  if (!request.ok()) return request.status();
  if (absl::Status status = Go(EnrollMove::kMakeRequest); !status.ok()) return status;
  request_pem_ = request->ToPem();
  request_id_.clear();
  if (protocol_ == EnrollProtocol::kCaramel && key_->public_key().kind() != PublicKey::Kind::kRsa) {
    Warn("Caramel's original server takes a request with a " + key_->public_key().Describe() +
         " key, but cannot sign it; if this is one, use an RSA 2048 key");
  }
  return EnrollStep::kRequestMade;
}

absl::StatusOr<ServerAnswer> Enroller::SendRequest() {
  if (protocol_ == EnrollProtocol::kCaramel) return client_.CaramelPost(request_pem_);
  if (!options_.token.empty()) return client_.EnrolWithToken(request_pem_, options_.token);
  absl::StatusOr<ServerAnswer> answer = client_.Submit(request_pem_, options_.profile);
  // Sent, and still not known: it lay there until its time was over, and is not taken again.
  if (answer.ok() && answer->kind == ServerAnswer::Kind::kUnknown) {
    answer->kind = ServerAnswer::Kind::kRejected;
    answer->note = "nobody decided it in time";
  }
  // Approved a moment ago, the certificate is still to come; asked for again, it is told.
  if (answer.ok() && answer->kind == ServerAnswer::Kind::kOver) {
    answer->kind = ServerAnswer::Kind::kPending;
  }
  return answer;
}

absl::StatusOr<ServerAnswer> Enroller::AskForDecision() {
  if (protocol_ == EnrollProtocol::kCaramel) {
    std::optional<Time> if_modified_since;
    // One that is due is fetched whatever the clocks say.
    if (state_ == EnrollState::kEnrolled && certificate_time_.has_value()) {
      if_modified_since = NoLaterThanMade(*certificate_time_, current_->leaf());
    }
    return client_.CaramelFetch(request_pem_, if_modified_since);
  }
  // The same request sent again is the same request to the server, so it need not be known whether
  // it was ever sent.
  if (!options_.token.empty() || request_id_.empty()) return SendRequest();
  return client_.Fetch(request_id_);
}

absl::StatusOr<EnrollStep> Enroller::Take(const absl::StatusOr<ServerAnswer>& answer) {
  if (!answer.ok()) return answer.status();
  if (!answer->request_id.empty()) request_id_ = answer->request_id;
  const auto go = [&](EnrollMove move, EnrollStep step) -> absl::StatusOr<EnrollStep> {
    if (absl::Status status = Go(move); !status.ok()) return status;
    return step;
  };
  if (!options_.profile.empty() && !answer->profile.empty() &&
      answer->profile != options_.profile) {
    Warn("the request is for the profile \"" + Printable(answer->profile, 80) + "\", not for \"" +
         Printable(options_.profile, 80) +
         "\": a request that was sent keeps its profile; for another one, ask with a new key");
  }
  switch (answer->kind) {
    case ServerAnswer::Kind::kPending:
      if (absl::Status status = Go(EnrollMove::kAccept); !status.ok()) return status;
      return WaitingOrUnchanged();
    case ServerAnswer::Kind::kIssued:
      return TakeCertificate(*answer);
    case ServerAnswer::Kind::kUnchanged:
      // Some servers say so of a request that has no certificate yet.
      if (current_ == nullptr) return go(EnrollMove::kAccept, EnrollStep::kWaiting);
      return EnrollStep::kUnchanged;
    case ServerAnswer::Kind::kRejected:
      rejection_ = answer->note;
      if (absl::Status status = Go(EnrollMove::kReject); !status.ok()) return status;
      return RejectedOrUnchanged();
    case ServerAnswer::Kind::kUnknown:
    case ServerAnswer::Kind::kOver:
      request_id_.clear();
      return go(EnrollMove::kForget, EnrollStep::kForgotten);
  }
  return MakeError(Reason::kInternal, "an answer of no kind");
}

absl::StatusOr<EnrollStep> Enroller::TakeCertificate(const ServerAnswer& answer) {
  std::optional<TrustBundle> bundle = authority();
  if (!bundle.has_value()) {
    if (answer.trust_bundle_pem.empty()) {
      return MakeError(Reason::kResponseMalformed,
                       "the answer names no trust bundle, and none was given");
    }
    absl::StatusOr<TrustBundle> named = CheckBundle(answer.trust_bundle_pem);
    if (!named.ok()) return named.status();
    bundle = *std::move(named);
  }
  const std::string bundle_pem = bundle->ToPem();
  const Secret key_pem = key_->ToPem();
  absl::StatusOr<std::shared_ptr<const Identity>> identity =
      Identity::Create({.certificate_pem = answer.certificates_pem,
                        .private_key_pem = key_pem.Reveal(),
                        .trust_bundle_pem = bundle_pem,
                        .certificate_name = "the certificate that the server answered"},
                       options_.clock->Now());
  if (!identity.ok()) return identity.status();
  if (absl::Status status = CheckClientName((*identity)->leaf(), options_.client_id);
      !status.ok()) {
    return status;
  }
  for (const AlternativeName& name : options_.more_names) {
    if (!HasName((*identity)->leaf().alternative_names(), name)) {
      return MakeError(Reason::kNameMismatch, "the certificate that the server answered lacks " +
                                                  name.ToString() + ", which was asked for");
    }
  }

  // A server that was set back to an older state has nothing to offer.
  const bool newer = current_ == nullptr || IsNewer((*identity)->leaf(), current_->leaf());
  if (state_ == EnrollState::kRequestMade || state_ == EnrollState::kWaiting || newer) {
    if (absl::Status status = Go(EnrollMove::kIssue); !status.ok()) return status;
  }
  if (!newer) return EnrollStep::kUnchanged;
  current_ = *std::move(identity);
  learned_bundle_ = std::move(bundle);
  certificate_time_ =
      answer.last_modified.value_or(NoLaterThanMade(options_.clock->Now(), current_->leaf()));
  certificate_refused_ = false;
  client_.Show(current_);
  return EnrollStep::kIssued;
}

std::optional<Seconds> Enroller::retry_after() const {
  const std::optional<Seconds> wait = client_.retry_after();
  if (!wait.has_value()) return std::nullopt;
  return std::min(*wait, kLongestRetryAfter);
}

std::optional<Sha256Digest> Enroller::request_digest() const {
  if (request_pem_.empty()) return std::nullopt;
  return Sha256(request_pem_);
}

Secret Enroller::private_key_pem() const { return key_.has_value() ? key_->ToPem() : Secret(); }

absl::StatusOr<EnrolledIdentity> Enroller::identity() const {
  if (current_ == nullptr) {
    return MakeError(Reason::kRequestPending, "there is no certificate yet");
  }
  const Time now = options_.clock->Now();
  if (now >= current_->expires()) {
    return MakeError(Reason::kCertificateExpired,
                     current_->leaf().Describe() + " was valid until " +
                         FormatTime(current_->leaf().validity().not_after));
  }
  return EnrolledIdentity{.private_key_pem = key_->ToPem(),
                          .chain_pem = current_->ChainPem(),
                          .trust_bundle_pem = current_->trust_bundle().ToPem(),
                          .not_after = current_->leaf().validity().not_after,
                          .due = DueTimeOf(current_->leaf(), options_.renew_before)};
}

absl::Status Enroller::StartOver() {
  NoticeTime();
  if (const std::optional<Time> until = key_needed_until(); until.has_value()) {
    return MakeError(Reason::kRequestState, "a certificate for this key is valid until " +
                                                FormatTime(*until) +
                                                "; neither is thrown away before");
  }
  if (absl::Status status = Go(EnrollMove::kStartOver); !status.ok()) return status;
  key_ = std::nullopt;
  request_pem_.clear();
  request_id_.clear();
  rejection_.clear();
  certificate_time_ = std::nullopt;
  kept_until_ = std::nullopt;
  return absl::OkStatus();
}

std::optional<Time> Enroller::key_needed_until() const {
  std::optional<Time> until = kept_until_;
  if (current_ != nullptr) until = std::max(until, {current_->leaf().validity().not_after});
  return until >= options_.clock->Now() ? until : std::nullopt;
}

}  // namespace troth
