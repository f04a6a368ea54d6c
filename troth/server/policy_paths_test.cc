// The policy that an authority's servers are guarded by, held against the paths that they have:
// with a real guard, and peers of each kind.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "troth/authz/authz_testing.h"
#include "troth/identity/identity_source.h"
#include "troth/server/json/route.h"
#include "troth/server/metrics/endpoint.h"
#include "troth/server/native/native_testing.h"
#include "troth/server/native/server.h"

namespace troth {
namespace {

class PolicyPathsTest : public testing::Test {
 protected:
  PolicyPathsTest() {
    auto guard = Guard::Create(
        {.policy_text = native::PolicyText({.trust_domain = "example.org"}), .clock = &clock_});
    EXPECT_TRUE(guard.ok()) << guard.status();
    guard_ = *std::move(guard);
    port_ =
        guard_->Protect(MemoryIdentitySource::Create(Trusting({authority_.certificate()}), clock_),
                        ClientCertificate::kVerifyIfGiven);
  }

  // "" when let in, else the reason's code. An empty PEM: nobody.
  std::string Answer(const std::string& leaf_pem, const std::string& method) {
    return CodeOrNone(
        port_->Check({.connection = &leaf_pem, .leaf_pem = leaf_pem, .method = method}));
  }

  LogCapture log_;  // refusals are meant here
  FakeClock clock_;
  PeerAuthority authority_;
  std::shared_ptr<Guard> guard_;
  std::shared_ptr<GuardedPort> port_;
  const std::string nobody_;
  const std::string service_ = authority_.Issue({.names = {"dns:db.example.org"}}).ToPem();
  const std::string admin_ =
      authority_.Issue({.names = {"spiffe://example.org/troth/admin/alice"}}).ToPem();
  const std::string stranger_ =
      authority_.Issue({.names = {"spiffe://example.com/troth/admin/alice"}}).ToPem();
};

// One path of the route, as a caller writes it.
std::string MethodOf(const json::Route& route) {
  std::string path(route.pattern);
  if (const size_t brace = path.find('{'); brace != std::string::npos) {
    path.replace(brace, path.find('}') + 1 - brace, "4e0102");
  }
  return std::string(route.method) + " " + path;
}

TEST_F(PolicyPathsTest, EveryCallOfTheJsonFrontEndIsForThoseItIsMeantFor) {
  for (const json::Route& route : json::Routes()) {
    const std::string method = MethodOf(route);
    const bool open = route.access == json::Access::kAnyone;
    const bool for_peers = route.access != json::Access::kOperator;
    EXPECT_EQ(Answer(nobody_, method), open ? "" : "peer_not_authenticated") << method;
    EXPECT_EQ(Answer(service_, method), for_peers ? "" : "role_not_allowed") << method;
    EXPECT_EQ(Answer(stranger_, method), for_peers ? "" : "role_not_allowed") << method;
    EXPECT_EQ(Answer(admin_, method), "") << method;
  }
}

TEST_F(PolicyPathsTest, ListsAndNumbersAreForEveryone) {
  native::FakeAuthority authority;
  for (std::string method : metrics::MakeEndpoint(authority)->Methods()) {
    if (method.ends_with('*')) method.back() = '1';
    EXPECT_EQ(Answer(nobody_, method), "") << method;
    EXPECT_EQ(Answer(service_, method), "") << method;
  }
}

// Whatever a path below /v1/ will be one day, it is an admin's until a rule says otherwise.
TEST_F(PolicyPathsTest, WhatIsNotThereIsClosed) {
  for (const std::string method :
       {"GET /v1/", "GET /v1/requests", "GET /v1/request", "POST /v1/certificates/", "GET /v1/new",
        "POST /v1/requests/", "POST /v1/certificates/renew/x", "DELETE /v1/certificates/4e",
        "HEAD /v1/tokens", "PUT /v1/trust-bundle"}) {
    EXPECT_EQ(Answer(nobody_, method), "peer_not_authenticated") << method;
    EXPECT_EQ(Answer(service_, method), "role_not_allowed") << method;
    EXPECT_EQ(Answer(admin_, method), "") << method;
  }
  for (const std::string method : {"GET /", "GET /admin", "POST /healthz", "get /v1/tokens"}) {
    EXPECT_EQ(Answer(admin_, method), "no_rule_matches") << method;
  }
}

}  // namespace
}  // namespace troth
