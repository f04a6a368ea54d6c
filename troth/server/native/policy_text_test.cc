#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "troth/authz/policy.h"
#include "troth/server/native/server.h"
#include "troth/v1/authority.pb.h"

namespace troth::native {
namespace {

enum class Who { kAnyone, kVerified, kAdmin, kNobody };

std::shared_ptr<const Policy> PolicyFor(const AuthoritySettings& settings) {
  auto policy = Policy::FromText(PolicyText(settings));
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

// The least that a caller must be for `method`.
Who Needed(const Policy& policy, std::string_view method) {
  RoleSet roles;
  roles.Add(Policy::kAnyone);
  const auto allowed = [&] {
    return policy.Decide(method, roles).outcome == Policy::Outcome::kAllowed;
  };
  if (allowed()) return Who::kAnyone;
  roles.Add(Policy::kAuthenticated);
  if (allowed()) return Who::kVerified;
  if (const auto admin = policy.FindRole("admin"); admin.has_value()) {
    roles.Add(*admin);
    if (allowed()) return Who::kAdmin;
  }
  return Who::kNobody;
}

TEST(PolicyText, EveryCallIsForWhomTheServiceSaysItIsFor) {
  const auto policy = PolicyFor({.trust_domain = "example.org"});
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName("troth.v1.Authority");
  ASSERT_NE(service, nullptr);
  for (int i = 0; i < service->method_count(); ++i) {
    const std::string name = service->method(i)->name();
    const Who expected = name == "Enrol" || name == "Submit" || name == "Fetch" ? Who::kAnyone
                         : name == "Renew"                                      ? Who::kVerified
                                                                                : Who::kAdmin;
    EXPECT_EQ(Needed(*policy, "/troth.v1.Authority/" + name), expected) << name;
  }
}

TEST(PolicyText, HttpPathsAreForWhomTheyAreMeant) {
  const auto policy = PolicyFor({.trust_domain = "example.org"});
  const std::pair<const char*, Who> kRows[] = {{"GET /healthz", Who::kAnyone},
                                               {"GET /metrics", Who::kAnyone},
                                               {"GET /crl", Who::kAnyone},
                                               {"GET /crl/0", Who::kAnyone},
                                               {"GET /issuer/1", Who::kAnyone},
                                               {"GET /v1/trust-bundle", Who::kAnyone},
                                               {"GET /v1/trust", Who::kAnyone},
                                               {"POST /v1/certificates", Who::kAnyone},
                                               {"POST /v1/certificates/renew", Who::kVerified},
                                               {"GET /v1/certificates", Who::kAdmin},
                                               {"GET /v1/certificates/41ab", Who::kAdmin},
                                               {"POST /v1/certificates/41ab/revoke", Who::kAdmin},
                                               {"POST /v1/requests", Who::kAnyone},
                                               {"GET /v1/requests/1a2b", Who::kAnyone},
                                               {"GET /v1/requests", Who::kAdmin},
                                               {"POST /v1/requests/1a2b/approve", Who::kAdmin},
                                               {"POST /v1/requests/1a2b/reject", Who::kAdmin},
                                               {"POST /v1/tokens", Who::kAdmin},
                                               {"GET /v1/tokens", Who::kAdmin},
                                               {"POST /v1/tokens/5f2c/revoke", Who::kAdmin},
                                               {"POST /metrics", Who::kNobody},
                                               {"GET /else", Who::kNobody}};
  for (const auto& [method, who] : kRows) EXPECT_EQ(Needed(*policy, method), who) << method;
}

TEST(PolicyText, OnlyThisTrustDomainsAdminsAreAdmins) {
  EXPECT_THAT(PolicyText({.trust_domain = "example.org"}),
              ::testing::HasSubstr("\"spiffe://example.org/troth/admin/**\""));
}

TEST(PolicyText, WithoutATrustDomainNobodyIsAnAdmin) {
  const auto policy = PolicyFor({});
  EXPECT_EQ(Needed(*policy, "/troth.v1.Authority/Enrol"), Who::kAnyone);
  EXPECT_EQ(Needed(*policy, "/troth.v1.Authority/CreateToken"), Who::kNobody);
  EXPECT_EQ(Needed(*policy, "POST /v1/tokens"), Who::kNobody);
}

TEST(PolicyText, CaramelsClientsAreAnyone) {
  const auto policy = PolicyFor({.one_tier = true, .trust_domain = "example.org"});
  EXPECT_EQ(Needed(*policy, "POST /1a2b"), Who::kAnyone);
  EXPECT_EQ(Needed(*policy, "GET /root.crt"), Who::kAnyone);
  EXPECT_EQ(Needed(*policy, "GET /healthz"), Who::kAnyone);
  EXPECT_EQ(Needed(*policy, "/troth.v1.Authority/CreateToken"), Who::kNobody);
}

}  // namespace
}  // namespace troth::native
