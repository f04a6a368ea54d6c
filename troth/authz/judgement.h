// From roles and rules to an answer for one call, in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "troth/authz/client_certificate.h"
#include "troth/authz/peer_assessment.h"
#include "troth/authz/policy.h"
#include "troth/authz/role_set.h"
#include "troth/base/reason.h"

namespace troth {

// A refusal, for the peer to see (`message`) and for the server's log (`rule`, `required`).
struct Judgement {
  Reason reason = Reason::kInternal;
  // "Invalid client certificate: ... [troth:role_not_allowed]". Tells the peer about itself and
  // what to do, never which roles exist.
  std::string message;
  std::string rule;      // Policy::DescribeClause
  std::string required;  // the roles that may call the method, "aggregator, self"
  // What shadow mode lets through: the rules refused, not the certificate.
  bool by_rules = false;
};

// What a call is judged by.
struct CallFacts {
  std::string_view method;
  std::string_view peer;  // Peer::Describe
  ClientCertificate mode = ClientCertificate::kRequire;
};

// Why a peer whose assessment failed is refused.
Judgement JudgeAssessment(const absl::Status& failure, const CallFacts& call);
// Why the rules refuse a call, nothing when they let it through.
std::optional<Judgement> JudgeRules(const Policy& policy, const Policy::Decision& decision,
                                    const PeerEvidence& evidence, const RoleSet& roles,
                                    const CallFacts& call);
Judgement JudgeRate(const CallFacts& call);

}  // namespace troth
