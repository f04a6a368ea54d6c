// The authority, put together of its parts. Tests keep its house by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/ca/authority.h"
#include "troth/ca/authority_context_internal.h"
#include "troth/ca/crl_keeper_internal.h"
#include "troth/ca/housekeeping_internal.h"

namespace troth {

class AuthorityImpl final : public Authority {
 public:
  AuthorityImpl(AuthorityOptions options, std::unique_ptr<Store> store);
  ~AuthorityImpl() override;
  AuthorityImpl(const AuthorityImpl&) = delete;
  AuthorityImpl& operator=(const AuthorityImpl&) = delete;

  // Everything that Open does but for the start of the housekeeper's thread.
  absl::Status Begin();
  Housekeeper& housekeeper() { return housekeeper_; }
  AuthorityContext& context() { return context_; }

  void EnrolWithToken(std::string_view token, std::string_view request,
                      std::optional<Seconds> lifetime, const Caller& caller,
                      IssueDone done) override;
  void Renew(const Certificate& current, std::string_view request, std::optional<Seconds> lifetime,
             const Caller& caller, IssueDone done) override;
  void Submit(std::string_view profile, std::string_view request, const Caller& caller,
              std::function<void(absl::StatusOr<FetchedRequest>)> done) override;
  absl::StatusOr<FetchedRequest> Fetch(const Sha256Digest& id) override;
  absl::StatusOr<IssuedCertificate> IssueOwn(const PublicKey& key,
                                             const std::vector<AlternativeName>& names,
                                             Seconds lifetime) override;
  absl::Status CheckIssued(const Certificate& leaf) override;
  std::unique_ptr<Operations> AsOperator(std::string actor) override;
  const Certificate& root() const override;
  const Certificate& issuer() const override;
  const AuthoritySettings& settings() const override;
  const Profiles& profiles() const override;
  absl::StatusOr<std::shared_ptr<const Crl>> CurrentCrl(std::uint32_t issuer) override;
  std::vector<std::uint32_t> IssuerNumbers() const override;
  absl::StatusOr<Certificate> IssuerOf(std::uint32_t number) override;
  std::shared_ptr<void> Subscribe(std::function<void(const AuthorityEvent&)> happened) override;
  void CountRefusal(Reason reason) override;
  AuthorityStatistics Statistics() const override;
  absl::Status Health() const override;

 private:
  std::unique_ptr<Store> store_;
  AuthorityContext context_;
  std::unique_ptr<CrlKeeper> lists_;
  Housekeeper housekeeper_;
  bool opened_ = false;
};

}  // namespace troth
