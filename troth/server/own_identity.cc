#include "troth/server/own_identity.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/key.h"

namespace troth {
namespace {

constexpr std::chrono::seconds kLookEvery{5};

class OwnIdentityImpl final : public OwnIdentity {
 public:
  OwnIdentityImpl(Authority& authority, std::vector<AlternativeName> names, const Clock& clock)
      : authority_(authority), names_(std::move(names)), clock_(clock) {}

  ~OwnIdentityImpl() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Begin() {
    auto first = Make();
    if (!first.ok()) return first.status();
    source_ = MemoryIdentitySource::Create(*std::move(first), clock_);
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  std::shared_ptr<IdentitySource> source() const override { return source_; }

  absl::Status RenewIfDue() override {
    const std::lock_guard lock(renewing_);
    const std::shared_ptr<const Identity> current = source_->Current();
    if (!IsDue(current->leaf())) return absl::OkStatus();
    auto next = Make();
    if (!next.ok()) return next.status();
    source_->Set(*std::move(next));
    return absl::OkStatus();
  }

 private:
  bool IsDue(const Certificate& leaf) const {
    const Validity& validity = leaf.validity();
    const Time now = clock_.Now();
    // The clock was ahead, and has been put right.
    if (now < validity.not_before) return true;
    if (validity.not_after - now <= (validity.not_after - validity.not_before) / 3) return true;
    if (leaf.authority_key_id() != authority_.issuer().subject_key_id()) return true;
    return ReasonOf(authority_.CheckIssued(leaf)) == Reason::kCertificateRevoked;
  }

  absl::StatusOr<std::shared_ptr<const Identity>> Make() const {
    auto key = PrivateKey::Generate(KeyType::kP256);
    if (!key.ok()) return key.status();
    auto issued = authority_.IssueOwn(key->public_key(), names_, kLifetime);
    if (!issued.ok()) return issued.status();
    const Secret key_pem = key->ToPem();
    const std::string chain = issued->certificate.ToPem() + *issued->chain_pem;
    return Identity::Create({.certificate_pem = chain,
                             .private_key_pem = key_pem.Reveal(),
                             .trust_bundle_pem = *issued->root_pem},
                            clock_.Now());
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, kLookEvery, [this] { return stopping_; })) {
      lock.unlock();
      // Said once for each reason, not every few seconds.
      const absl::Status status = RenewIfDue();
      if (!status.ok() && status != last_failure_) {
        Log(LogLevel::kError, "the authority's own certificate could not be renewed",
            {{"reason", CodeOf(status)}, {"error", ToStd(status.message())}});
      }
      last_failure_ = status;
      lock.lock();
    }
  }

  Authority& authority_;
  const std::vector<AlternativeName> names_;
  const Clock& clock_;
  std::shared_ptr<MemoryIdentitySource> source_;
  std::mutex renewing_;
  absl::Status last_failure_;  // of the thread

  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<OwnIdentity>> OwnIdentity::Start(Authority& authority,
                                                                std::vector<AlternativeName> names,
                                                                const Clock& clock) {
  auto identity = std::make_unique<OwnIdentityImpl>(authority, std::move(names), clock);
  if (absl::Status status = identity->Begin(); !status.ok()) return status;
  return identity;
}

}  // namespace troth
