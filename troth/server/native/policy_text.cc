#include <string>

#include "troth/server/native/server.h"

namespace troth::native {
namespace {

// The longest pattern that matches decides alone (docs/policy.md), so each rule here is an
// exception to a shorter one.
constexpr const char* kRules = R"(
[[rules]]
methods = ["/troth.v1.Authority/Enrol", "/troth.v1.Authority/Submit", "/troth.v1.Authority/Fetch",
           "POST /v1/certificates", "POST /v1/requests", "GET /v1/requests/*",
           "GET /v1/trust-bundle", "HEAD /v1/trust-bundle"]
allow   = ["anyone"]

[[rules]]
methods = ["/troth.v1.Authority/Renew", "POST /v1/certificates/renew"]
allow   = ["authenticated"]
)";

// What says nothing about anybody, and what has to be found by those who have no certificate.
constexpr const char* kPublicRules = R"(
[[rules]]
methods = ["GET /healthz", "GET /metrics", "GET /crl", "GET /crl/*", "GET /issuer/*", "GET /v1/trust",
           "HEAD /healthz", "HEAD /metrics", "HEAD /crl", "HEAD /crl/*", "HEAD /issuer/*",
           "HEAD /v1/trust"]
allow   = ["anyone"]
)";

// Verbs that no path takes are let through to the answer that says which it takes.
constexpr const char* kAdminRules = R"(
[[rules]]
methods = ["/troth.v1.Authority/*", "GET /v1/*", "POST /v1/*",
           "HEAD /v1/*", "PUT /v1/*", "PATCH /v1/*", "DELETE /v1/*"]
allow   = ["admin"]
)";

// Caramel's paths are its clients' hashes; what is not there, and what is no verb of it, its front
// end says in its own words.
constexpr const char* kCaramelRules = R"(
[[rules]]
methods = ["GET /*", "HEAD /*", "POST /*", "PUT /*", "PATCH /*", "DELETE /*", "OPTIONS /*"]
allow   = ["anyone"]
)";

}  // namespace

std::string PolicyText(const AuthoritySettings& settings) {
  if (settings.one_tier) return kCaramelRules;
  std::string text;
  // Without a trust domain there are no admin identities, and no rule lets anybody in by one.
  if (!settings.trust_domain.empty()) {
    text += "[roles]\nadmin = { spiffe_id = \"spiffe://" + settings.trust_domain +
            "/troth/admin/**\" }\n";
  }
  text += kRules;
  text += kPublicRules;
  if (!settings.trust_domain.empty()) text += kAdminRules;
  return text;
}

}  // namespace troth::native
