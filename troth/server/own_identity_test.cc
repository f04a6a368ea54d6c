#include "troth/server/own_identity.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/identity/identity_testing.h"

namespace troth {
namespace {

constexpr Seconds kDay = std::chrono::hours(24);

// Issues own certificates, by one issuer or the next. Thread-safe.
class OwnAuthority final : public Authority {
 public:
  explicit OwnAuthority(const Clock& clock) : clock_(clock) {}

  absl::StatusOr<IssuedCertificate> IssueOwn(const PublicKey& key,
                                             const std::vector<AlternativeName>& names,
                                             Seconds lifetime) override {
    const std::lock_guard lock(mutex_);
    if (!failure_.ok()) return failure_;
    const Signer& signer = signers_[current_];
    absl::StatusOr<Certificate> leaf =
        troth::Issue({.serial = SerialNumber::Generate(clock_.Now()),
                      .subject = *DistinguishedName::FromCommonName("ca"),
                      .validity = {clock_.Now() - Seconds(60), clock_.Now() + lifetime},
                      .public_key = key,
                      .alternative_names = names,
                      .extended_key_usage = {std::string(kServerAuthOid)}},
                     signer);
    if (!leaf.ok()) return leaf.status();
    return IssuedCertificate{
        .certificate = *std::move(leaf),
        .chain_pem = std::make_shared<const std::string>(),
        .root_pem = std::make_shared<const std::string>(signer.certificate().ToPem())};
  }
  absl::Status CheckIssued(const Certificate& leaf) override {
    const std::lock_guard lock(mutex_);
    if (!check_failure_.ok()) return check_failure_;
    if (!revoked_.contains(leaf.serial_number())) return absl::OkStatus();
    return MakeError(Reason::kCertificateRevoked, "revoked");
  }
  const Certificate& issuer() const override {
    const std::lock_guard lock(mutex_);
    return signers_[current_].certificate();
  }

  void UseNextIssuer() {
    const std::lock_guard lock(mutex_);
    current_ = 1;
  }
  void Revoke(const Certificate& leaf) {
    const std::lock_guard lock(mutex_);
    revoked_.insert(leaf.serial_number());
  }
  void FailToIssue(absl::Status failure) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }
  void FailToCheck(absl::Status failure) {
    const std::lock_guard lock(mutex_);
    check_failure_ = std::move(failure);
  }

  // What no server asks for on its own behalf.
  void EnrolWithToken(std::string_view, std::string_view, std::optional<Seconds>, const Caller&,
                      IssueDone) override {
    std::abort();
  }
  void Renew(const Certificate&, std::string_view, std::optional<Seconds>, const Caller&,
             IssueDone) override {
    std::abort();
  }
  void Submit(std::string_view, std::string_view, const Caller&,
              std::function<void(absl::StatusOr<FetchedRequest>)>) override {
    std::abort();
  }
  absl::StatusOr<FetchedRequest> Fetch(const Sha256Digest&) override { std::abort(); }
  std::unique_ptr<Operations> AsOperator(std::string) override { std::abort(); }
  const Certificate& root() const override { std::abort(); }
  const AuthoritySettings& settings() const override { std::abort(); }
  const Profiles& profiles() const override { std::abort(); }
  absl::StatusOr<std::shared_ptr<const Crl>> CurrentCrl(std::uint32_t) override { std::abort(); }
  std::vector<std::uint32_t> IssuerNumbers() const override { std::abort(); }
  absl::StatusOr<Certificate> IssuerOf(std::uint32_t) override { std::abort(); }
  std::shared_ptr<void> Subscribe(std::function<void(const AuthorityEvent&)>) override {
    std::abort();
  }
  void CountRefusal(Reason) override { std::abort(); }
  AuthorityStatistics Statistics() const override { std::abort(); }
  absl::Status Health() const override { std::abort(); }

 private:
  Signer MakeSigner(std::string_view name) const {
    PrivateKey key = NewKey();
    Certificate certificate =
        *IssueSelfSigned({.serial = SerialNumber::Generate(clock_.Now()),
                          .subject = *DistinguishedName::FromCommonName(name),
                          .validity = {clock_.Now() - 365 * kDay, clock_.Now() + 365 * kDay},
                          .public_key = key.public_key(),
                          .basic_constraints = BasicConstraints{.is_ca = true}},
                         key);
    return *Signer::Create(std::move(certificate), std::move(key));
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  const std::array<Signer, 2> signers_ = {MakeSigner("one"), MakeSigner("two")};
  size_t current_ = 0;  // guarded by mutex_, as what follows
  std::set<SerialNumber> revoked_ = {};
  absl::Status failure_, check_failure_;
};

class OwnIdentityTest : public ::testing::Test {
 protected:
  OwnIdentityTest() {
    auto started = OwnIdentity::Start(authority_, {*AlternativeName::Parse("localhost")}, clock_);
    EXPECT_TRUE(started.ok()) << started.status();
    identity_ = *std::move(started);
  }
  Certificate Leaf() const { return identity_->source()->Current()->leaf(); }
  // Whether another one, with another key, that is valid now has taken the place.
  bool IsReplaced() {
    const Certificate before = Leaf();
    const absl::Status status = identity_->RenewIfDue();
    EXPECT_TRUE(status.ok()) << status;
    const Certificate after = Leaf();
    if (after == before) return false;
    EXPECT_NE(after.public_key(), before.public_key());
    EXPECT_LE(after.validity().not_before, clock_.Now());
    EXPECT_GT(after.validity().not_after, clock_.Now());
    return true;
  }

  FakeClock clock_;
  OwnAuthority authority_{clock_};
  std::unique_ptr<OwnIdentity> identity_;
};

TEST_F(OwnIdentityTest, IsReplacedWhenAThirdOfItsLifeIsLeft) {
  EXPECT_FALSE(IsReplaced());
  const Validity validity = Leaf().validity();
  const Seconds third = (validity.not_after - validity.not_before) / 3;
  clock_.Set(validity.not_after - third - Seconds(1));
  EXPECT_FALSE(IsReplaced());
  clock_.Advance(Seconds(1));
  EXPECT_TRUE(IsReplaced());
  EXPECT_FALSE(IsReplaced());
}

TEST_F(OwnIdentityTest, IsReplacedWhenTheIssuerIsAnother) {
  authority_.UseNextIssuer();
  EXPECT_TRUE(IsReplaced());
  EXPECT_EQ(Leaf().issuer(), authority_.issuer().subject());
  EXPECT_FALSE(IsReplaced());
}

TEST_F(OwnIdentityTest, IsReplacedWhenTheClockIsPutBackBeforeIt) {
  clock_.Set(Leaf().validity().not_before);
  EXPECT_FALSE(IsReplaced());
  clock_.Advance(Seconds(-1));
  EXPECT_TRUE(IsReplaced());
  clock_.Advance(-30 * kDay);
  EXPECT_TRUE(IsReplaced());
  EXPECT_FALSE(IsReplaced());
}

TEST_F(OwnIdentityTest, IsReplacedWhenItIsRevoked) {
  authority_.Revoke(Leaf());
  EXPECT_TRUE(IsReplaced());
  EXPECT_FALSE(IsReplaced());
}

TEST_F(OwnIdentityTest, StaysWhenNobodyCanSayWhetherItIsRevoked) {
  authority_.FailToCheck(MakeError(Reason::kStoreFailed, "broken"));
  EXPECT_FALSE(IsReplaced());
}

TEST_F(OwnIdentityTest, StaysUntilAnotherCanBeHad) {
  SetLogSink([](const LogEntry&) {});
  const Certificate first = Leaf();
  authority_.FailToIssue(MakeError(Reason::kStoreFailed, "full"));
  clock_.Set(first.validity().not_after - Seconds(1));
  EXPECT_EQ(ReasonOf(identity_->RenewIfDue()), Reason::kStoreFailed);
  EXPECT_EQ(Leaf(), first);
  authority_.FailToIssue(absl::OkStatus());
  EXPECT_TRUE(IsReplaced());
  identity_.reset();  // its thread logs
  SetLogSink(nullptr);
}

TEST(OwnIdentityStartTest, WithoutACertificateThereIsNone) {
  FakeClock clock;
  OwnAuthority authority(clock);
  authority.FailToIssue(MakeError(Reason::kStoreFailed, "full"));
  const auto started = OwnIdentity::Start(authority, {*AlternativeName::Parse("localhost")}, clock);
  EXPECT_EQ(ReasonOf(started.status()), Reason::kStoreFailed);
}

}  // namespace
}  // namespace troth
