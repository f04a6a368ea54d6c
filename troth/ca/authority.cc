#include "troth/ca/authority.h"

#include <utility>

#include "troth/base/file.h"
#include "troth/base/log.h"
#include "troth/base/strings.h"
#include "troth/ca/authority_internal.h"
#include "troth/ca/enrolment_internal.h"
#include "troth/ca/ledger_head_internal.h"
#include "troth/ca/local_operations_internal.h"
#include "troth/ca/requests_internal.h"
#include "troth/ca/revocations_internal.h"

namespace troth {
absl::StatusOr<std::unique_ptr<Authority>> Authority::Open(AuthorityOptions options,
                                                           std::unique_ptr<Store> store) {
  auto authority = std::make_unique<AuthorityImpl>(std::move(options), std::move(store));
  if (absl::Status status = authority->Begin(); !status.ok()) return status;
  authority->housekeeper().Start();
  return authority;
}

AuthorityImpl::AuthorityImpl(AuthorityOptions options, std::unique_ptr<Store> store)
    : store_(std::move(store)),
      context_(std::move(options), *store_),
      lists_(std::make_unique<CrlKeeper>(context_)),
      housekeeper_(context_, *lists_) {}

AuthorityImpl::~AuthorityImpl() {
  housekeeper_.Stop();
  lists_.reset();
  if (opened_) {
    // Behind everything that was asked for before.
    (void)store_->WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); });
    housekeeper_.WriteHead();
  }
  store_.reset();
}

absl::Status AuthorityImpl::Begin() {
  const AuthorityOptions& options = context_.options;
  const Time now = context_.clock.Now();
  if (!options.settings.one_tier) {
    if (absl::Status status = RetireIssuers(options.folder, now); !status.ok()) return status;
  }
  absl::StatusOr<AuthorityKeys> keys = OpenAuthority(options.folder, options.ask, now);
  if (!keys.ok()) return keys.status();
  for (const std::string& warning : keys->warnings) Log(LogLevel::kWarning, warning);
  absl::Status status =
      context_.issuers.Load(*std::move(keys), options.settings, context_.store, now);
  if (status.ok()) status = CheckLedgerHead(context_);
  if (status.ok()) status = LoadRevoked(context_);
  if (status.ok()) status = LoadRecentRequests(context_);
  if (status.ok()) status = MakeFolder(options.folder.CrlFolder());
  if (status.ok()) status = lists_->MakeAll();
  opened_ = status.ok();
  return status;
}

void AuthorityImpl::EnrolWithToken(std::string_view token, std::string_view request,
                                   std::optional<Seconds> lifetime, const Caller& caller,
                                   IssueDone done) {
  troth::EnrolWithToken(context_, token, request, lifetime, caller, std::move(done));
}

void AuthorityImpl::Renew(const Certificate& current, std::string_view request,
                          std::optional<Seconds> lifetime, const Caller& caller, IssueDone done) {
  troth::Renew(context_, current, request, lifetime, caller, std::move(done));
}

void AuthorityImpl::Submit(std::string_view profile, std::string_view request, const Caller& caller,
                           std::function<void(absl::StatusOr<FetchedRequest>)> done) {
  troth::Submit(context_, profile, request, caller, std::move(done));
}

absl::StatusOr<FetchedRequest> AuthorityImpl::Fetch(const Sha256Digest& id) {
  return troth::Fetch(context_, id);
}

absl::StatusOr<IssuedCertificate> AuthorityImpl::IssueOwn(const PublicKey& key,
                                                          const std::vector<AlternativeName>& names,
                                                          Seconds lifetime) {
  return troth::IssueOwn(context_, key, names, lifetime);
}

absl::Status AuthorityImpl::CheckIssued(const Certificate& leaf) {
  return troth::CheckIssued(context_, leaf);
}

std::unique_ptr<Operations> AuthorityImpl::AsOperator(std::string actor) {
  return MakeLocalOperations(context_, *lists_, std::move(actor));
}

const Certificate& AuthorityImpl::root() const {
  return context_.issuers.current().root().certificate;
}
const Certificate& AuthorityImpl::issuer() const {
  return context_.issuers.current().current().certificate;
}
const AuthoritySettings& AuthorityImpl::settings() const { return context_.options.settings; }
const Profiles& AuthorityImpl::profiles() const { return context_.options.profiles; }

absl::StatusOr<std::shared_ptr<const Crl>> AuthorityImpl::CurrentCrl(std::uint32_t issuer) {
  return lists_->Current(issuer);
}

std::vector<std::uint32_t> AuthorityImpl::IssuerNumbers() const {
  std::vector<std::uint32_t> numbers;
  for (const NumberedIssuer& issuer : context_.issuers.current().all) {
    numbers.push_back(issuer.number);
  }
  return numbers;
}

absl::StatusOr<Certificate> AuthorityImpl::IssuerOf(std::uint32_t number) {
  const NumberedIssuer* const issuer = context_.issuers.current().Find(number);
  if (issuer != nullptr) return issuer->certificate;
  return MakeError(Reason::kFileNotFound, "this authority has no issuer " + std::to_string(number));
}

std::shared_ptr<void> AuthorityImpl::Subscribe(
    std::function<void(const AuthorityEvent&)> happened) {
  return context_.events.Subscribe(std::move(happened));
}

void AuthorityImpl::CountRefusal(Reason reason) { context_.refusals.Count(reason); }

AuthorityStatistics AuthorityImpl::Statistics() const {
  const IssuerSet& issuers = context_.issuers.current();
  AuthorityStatistics statistics{
      .issued = context_.issued,
      .renewed = context_.renewed,
      .revoked = context_.revocations,
      .refused = context_.refusals.Counts(),
      .issuer_expires = issuers.current().certificate.validity().not_after,
      .root_expires = issuers.root().certificate.validity().not_after,
      .latency = context_.latency.Read(),
      .store = context_.store.Statistics()};
  statistics.pending = statistics.store.pending_requests;
  return statistics;
}

absl::Status AuthorityImpl::Health() const {
  if (context_.last_write_failed) {
    return MakeError(Reason::kStoreFailed,
                     "the last write to the store failed; nothing is issued until one works: free "
                     "space on the disk of the data directory");
  }
  const Time end = issuer().validity().not_after;
  if (context_.clock.Now() > end) {
    return MakeError(Reason::kCertificateExpired, "the issuer ended on " + FormatTime(end) +
                                                      "; renew it with `troth issuer renew`");
  }
  return absl::OkStatus();
}

}  // namespace troth
