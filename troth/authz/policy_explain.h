// Why the policy answers as it does, for people.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/authz/judgement.h"
#include "troth/authz/peer_assessment.h"
#include "troth/authz/policy.h"

namespace troth {

struct RoleExplanation {
  std::string role;
  int line = 0;  // 0: built in
  bool has = false;
  // One line for each table of the role: which key decided, expected against got.
  std::vector<std::string> why;
};

struct PatternExplanation {
  std::string rule;  // "rule 2 (/a.B/*), policy.toml:12"
  bool decides = false;
};

struct PolicyExplanation {
  std::vector<RoleExplanation> roles;        // built-in ones first
  std::vector<PatternExplanation> patterns;  // that match the method, the longest first
  std::string rule;                          // the deciding one; empty when none matches
  // Why the call is refused; nothing when it is let in.
  std::optional<Judgement> refusal;
  // The call goes through though `refusal` says why the rules would not have it (shadow mode).
  bool let_through = false;
  bool allowed() const { return !refusal.has_value() || let_through; }
};

// Decides as the guard does (the same functions do it), and tells why. Rate limits are left out.
PolicyExplanation ExplainPolicy(const Policy& policy, const PeerAssessment& peer,
                                std::string_view method, ClientCertificate mode);

}  // namespace troth
