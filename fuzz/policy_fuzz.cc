// The policy file: whatever it says, it is refused with file and line, or it compiles to something
// whose decisions agree with a plain reading of its rules. Then lint and explanation must cope with
// it too.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/authz/policy.h"
#include "troth/authz/policy_explain.h"
#include "troth/authz/policy_lint.h"
#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/pki/issue.h"

namespace {

using troth::MethodIndex;
using troth::Policy;
using troth::Require;

constexpr troth::Time kNow{troth::Seconds(1'800'000'000)};

// Every certificate file of a policy holds this one.
const troth::Certificate& TheCertificate() {
  static const troth::Certificate& certificate = *[] {
    const auto key = troth::PrivateKey::Generate(troth::KeyType::kP256);
    Require(key.ok());
    const auto certificate = troth::IssueSelfSigned(
        {.serial = troth::SerialNumber::Generate(kNow),
         .subject = *troth::DistinguishedName::FromSlashes("/O=Troth/OU=Fuzz/CN=client"),
         .validity = {kNow - troth::Seconds(10), kNow + troth::Seconds(10)},
         .public_key = key->public_key(),
         .alternative_names = {*troth::AlternativeName::Parse("dns:client.example"),
                               *troth::AlternativeName::Parse("ip:10.1.2.3"),
                               *troth::AlternativeName::Parse("spiffe://a.example/client")}},
        *key);
    Require(certificate.ok());
    return new troth::Certificate(*certificate);
  }();
  return certificate;
}

// The longest literal part among the patterns that match, and whether a deny and an allow list of
// those name a role of `roles`.
Policy::Outcome DecidePlainly(const Policy& policy, std::string_view method,
                              const troth::RoleSet& roles) {
  bool any = false;
  size_t longest = 0;
  for (const troth::RuleText& rule : policy.rules()) {
    for (const auto& [pattern, line] : rule.methods) {
      if (!pattern.Matches(method)) continue;
      any = true;
      longest = std::max(longest, pattern.literal().size());
    }
  }
  if (!any) return Policy::Outcome::kNoPattern;
  bool allowed = false;
  bool denied = false;
  const auto names_one = [&](const std::vector<troth::RuleText::RoleAt>& names) {
    return std::ranges::any_of(
        names, [&](const auto& named) { return roles.Has(*policy.FindRole(named.name)); });
  };
  for (const troth::RuleText& rule : policy.rules()) {
    const bool decides = std::ranges::any_of(rule.methods, [&](const auto& method_at) {
      return method_at.pattern.Matches(method) && method_at.pattern.literal().size() == longest;
    });
    if (!decides) continue;
    denied |= names_one(rule.deny);
    allowed |= names_one(rule.allow);
  }
  if (denied) return Policy::Outcome::kDenied;
  return allowed ? Policy::Outcome::kAllowed : Policy::Outcome::kNoRole;
}

void CheckDecisions(const Policy& policy) {
  const troth::PeerEvidence verified{
      .leaf = TheCertificate(), .verified = true, .path = {TheCertificate()}};
  const troth::PeerEvidence unverified{.leaf = TheCertificate()};
  const troth::PeerEvidence none;
  std::vector<std::string> methods = {"", "/", "/a.B/C", "GET /x", "*"};
  for (const troth::RuleText& rule : policy.rules()) {
    for (const auto& [pattern, line] : rule.methods) {
      if (methods.size() > 50) break;
      const std::string literal(pattern.literal());
      methods.push_back(literal);
      methods.push_back(literal + "x");
      if (!literal.empty()) methods.push_back(literal.substr(0, literal.size() - 1));
    }
  }
  for (const troth::PeerEvidence* peer : {&verified, &unverified, &none}) {
    const troth::RoleSet roles = policy.RolesOf(*peer);
    for (const std::string& method : methods) {
      const Policy::Decision decision = policy.Decide(method, roles);
      Require(decision.outcome == DecidePlainly(policy, method, roles));
      (void)policy.DescribeClause(policy.DecidingClause(decision, roles));
    }
  }
  const troth::PeerAssessment peer{.evidence = verified};
  (void)troth::ExplainPolicy(policy, peer, methods.back(), troth::ClientCertificate::kRequire);
  (void)troth::LintPolicy(policy, {.now = kNow, .methods = methods, .trusted_authorities = 2});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)troth::ParseMethodList(text, "methods.txt");
  auto document = troth::PolicyDocument::Parse(text, "policy.toml");
  if (!document.ok()) {
    Require(document.status().message().find("policy.toml:") == 0);
    Require(troth::ReasonOf(document.status()) == troth::Reason::kPolicyInvalid);
    return 0;
  }
  // The plain reading takes time that grows with the square of the rules.
  if (document->rules.size() > 200) return 0;
  const auto policy = Policy::Compile(*std::move(document), "/conf", [](const std::string&) {
    return absl::StatusOr<std::string>(TheCertificate().ToPem());
  });
  if (!policy.ok()) {
    Require(policy.status().message().find("policy.toml:") == 0);
    Require(troth::ReasonOf(policy.status()).has_value());
    return 0;
  }
  CheckDecisions(**policy);
  return 0;
}
