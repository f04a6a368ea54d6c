// For tests: an authority that issues real certificates and remembers who asked, without a store.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "troth/ca/authority.h"
#include "troth/ca/operations_testing.h"
#include "troth/pki/certificate_request.h"
#include "troth/pki/issue.h"

namespace troth::native {

struct IssuedPair {
  Certificate certificate;
  std::string certificate_pem, key_pem;
};

class FakeAuthority final : public Authority {
 public:
  explicit FakeAuthority(AuthoritySettings settings = {.trust_domain = "example.org"})
      : settings_(std::move(settings)), signer_(MakeRoot()) {}
  ~FakeAuthority() override {
    for (std::thread& thread : threads_) thread.join();
  }

  ca_testing::FakeState state;
  // Answers of CheckIssued, by serial; the rest are fine.
  std::map<SerialNumber, absl::Status> not_issued = {};
  // What was asked for, one line a call: "enrol TOKEN from 127.0.0.1".
  std::vector<std::string> Asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::string last_client() {
    const std::lock_guard lock(mutex_);
    return last_client_;
  }

  // A leaf with its key, for `names`.
  IssuedPair Issue(const std::vector<std::string>& names,
                   Seconds lifetime = std::chrono::hours(1)) const {
    const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
    Certificate leaf = IssueFor(key.public_key(), names, lifetime);
    std::string pem = leaf.ToPem();
    return {std::move(leaf), std::move(pem), std::string(key.ToPem().Reveal())};
  }

  // Notes a decision and tells the listeners, as the real one does.
  void Decide(const std::string& action) {
    Note(action);
    TellLast();
  }
  // The two halves of it: what is on disk is not told yet.
  void Note(const std::string& action) {
    state.Append({.at = Clock::System().Now(), .actor = "test", .action = action});
  }
  void TellLast() {
    const LedgerEntry entry = [&] {
      const std::lock_guard lock(state.mutex);
      return state.ledger.back();
    }();
    const std::lock_guard lock(listeners_mutex_);
    for (const auto& [number, listener] : listeners_) {
      listener({.sequence = entry.sequence, .note = entry.note});
    }
  }
  size_t listeners() {
    const std::lock_guard lock(listeners_mutex_);
    return listeners_.size();
  }

  void EnrolWithToken(std::string_view token, std::string_view request,
                      std::optional<Seconds> lifetime, const Caller& caller,
                      IssueDone done) override {
    Note("enrol " + std::string(token), caller);
    if (token != "good") {
      done(MakeError(Reason::kTokenInvalid, "no such token"));
      return;
    }
    // From another thread, as the store's.
    const std::lock_guard lock(mutex_);
    threads_.emplace_back([this, request = std::string(request), lifetime, done = std::move(done)] {
      done(IssueOn(request, lifetime));
    });
  }

  void Renew(const Certificate& current, std::string_view request, std::optional<Seconds> lifetime,
             const Caller& caller, IssueDone done) override {
    Note("renew " + current.serial_number().ToHex(), caller);
    done(IssueOn(request, lifetime));
  }

  void Submit(std::string_view profile, std::string_view request, const Caller& caller,
              std::function<void(absl::StatusOr<FetchedRequest>)> done) override {
    Note("submit " + std::string(profile), caller);
    FetchedRequest fetched{.record = ca_testing::FakeRequest("db", "1a2b").record};
    fetched.record.id = Sha256(request);
    done(fetched);
  }

  absl::StatusOr<FetchedRequest> Fetch(const Sha256Digest& id) override {
    if (id != Sha256("known")) return MakeError(Reason::kRequestUnknown, "no such request");
    return FetchedRequest{
        .record = ca_testing::FakeRequest("db", "1a2b", RequestState::kApproved).record,
        .issued = Shared(Issue({"dns:db"}).certificate)};
  }

  absl::StatusOr<IssuedCertificate> IssueOwn(const PublicKey& key,
                                             const std::vector<AlternativeName>& /*names*/,
                                             Seconds lifetime) override {
    return Shared(IssueFor(key, {"dns:localhost", "ip:127.0.0.1"}, lifetime));
  }

  absl::Status CheckIssued(const Certificate& leaf) override {
    const auto found = not_issued.find(leaf.serial_number());
    return found == not_issued.end() ? absl::OkStatus() : found->second;
  }

  std::unique_ptr<Operations> AsOperator(std::string actor) override {
    return std::make_unique<ca_testing::FakeOperations>(state, std::move(actor));
  }

  const Certificate& root() const override { return signer_.certificate(); }
  const Certificate& issuer() const override { return signer_.certificate(); }
  const AuthoritySettings& settings() const override { return settings_; }
  const Profiles& profiles() const override { std::abort(); }
  absl::StatusOr<std::shared_ptr<const Crl>> CurrentCrl(std::uint32_t /*issuer*/) override {
    return MakeError(Reason::kFileNotFound, "no list");
  }
  std::vector<std::uint32_t> IssuerNumbers() const override { return {0}; }
  absl::StatusOr<Certificate> IssuerOf(std::uint32_t /*number*/) override { return root(); }

  std::shared_ptr<void> Subscribe(std::function<void(const AuthorityEvent&)> happened) override {
    const std::lock_guard lock(listeners_mutex_);
    const int number = ++last_listener_;
    listeners_.emplace(number, std::move(happened));
    return std::shared_ptr<void>(nullptr, [this, number](void*) {
      const std::lock_guard erase_lock(listeners_mutex_);
      listeners_.erase(number);
    });
  }

  void CountRefusal(Reason reason) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back("refused " + std::string(CodeOf(reason)));
  }
  AuthorityStatistics Statistics() const override { return {}; }
  absl::Status Health() const override { return absl::OkStatus(); }

 private:
  static Signer MakeRoot() {
    static std::atomic<int> made = 0;  // no two have one name
    PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
    const Time now = Clock::System().Now();
    CertificateTemplate what{
        .serial = SerialNumber::Generate(now),
        .subject = *DistinguishedName::FromCommonName("Fake Root " + std::to_string(++made)),
        .validity = {now - std::chrono::hours(1), now + std::chrono::hours(24)},
        .public_key = key.public_key(),
        .basic_constraints = BasicConstraints{.is_ca = true}};
    Certificate certificate = *IssueSelfSigned(what, key);
    return *Signer::Create(std::move(certificate), std::move(key));
  }

  Certificate IssueFor(const PublicKey& key, const std::vector<std::string>& names,
                       Seconds lifetime) const {
    const Time now = Clock::System().Now();
    CertificateTemplate what{
        .serial = SerialNumber::Generate(now),
        .subject = *DistinguishedName::FromCommonName("leaf"),
        .validity = {now - std::chrono::hours(1), now + lifetime},
        .public_key = key,
        .extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)}};
    for (const std::string& name : names) {
      what.alternative_names.push_back(*AlternativeName::Parse(name));
    }
    return *troth::Issue(what, signer_);
  }

  absl::StatusOr<IssuedCertificate> IssueOn(std::string_view request,
                                            std::optional<Seconds> lifetime) const {
    auto read = CertificateRequest::FromPem(request);
    if (!read.ok()) return read.status();
    return Shared(
        IssueFor(read->public_key(), {"dns:db"}, lifetime.value_or(std::chrono::hours(2))));
  }

  IssuedCertificate Shared(Certificate certificate) const {
    return {.certificate = std::move(certificate),
            .chain_pem = std::make_shared<const std::string>("the chain"),
            .root_pem = std::make_shared<const std::string>(root().ToPem())};
  }

  void Note(const std::string& what, const Caller& caller) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(what + " from " + caller.address.substr(0, caller.address.rfind(':')) +
                     (caller.actor.empty() ? "" : " by " + caller.actor));
    last_client_ = caller.client;
  }

  const AuthoritySettings settings_;
  const Signer signer_;
  std::mutex mutex_;
  std::vector<std::string> asked_;    // guarded by mutex_
  std::string last_client_;           // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
  std::mutex listeners_mutex_;        // held while they are called
  int last_listener_ = 0;
  std::map<int, std::function<void(const AuthorityEvent&)>> listeners_;
};

}  // namespace troth::native
