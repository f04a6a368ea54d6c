#include "troth/authz/policy_explain.h"

#include <algorithm>

#include "troth/authz/peer.h"

namespace troth {
namespace {

std::string WhyTable(const RoleTable& table, const PeerEvidence& peer) {
  for (const RoleCondition& condition : table.conditions) {
    if (!condition.Matches(peer))
      return condition.Describe() + ": " + condition.DescribeActual(peer);
  }
  std::string all;
  for (const RoleCondition& condition : table.conditions) {
    if (!all.empty()) all += ", ";
    all += condition.Describe();
  }
  return all + ": matches";
}

std::vector<RoleExplanation> ExplainRoles(const Policy& policy, const PeerEvidence& peer,
                                          const RoleSet& roles) {
  std::vector<RoleExplanation> out;
  out.push_back({.role = std::string(policy.RoleName(Policy::kAnyone)),
                 .has = roles.Has(Policy::kAnyone),
                 .why = {"every peer that is not refused has it"}});
  out.push_back(
      {.role = std::string(policy.RoleName(Policy::kAuthenticated)),
       .has = roles.Has(Policy::kAuthenticated),
       .why = {peer.verified ? "the certificate is verified" : "no verified certificate"}});
  for (size_t i = 0; i < policy.roles().size(); ++i) {
    const Role& role = policy.roles()[i];
    RoleExplanation explanation{
        .role = role.name, .line = role.line, .has = roles.Has(Policy::kFirstOwnRole + i)};
    for (const RoleTable& table : role.tables) explanation.why.push_back(WhyTable(table, peer));
    out.push_back(std::move(explanation));
  }
  return out;
}

std::vector<PatternExplanation> ExplainPatterns(const Policy& policy, std::string_view method,
                                                std::int32_t group) {
  struct Match {
    MethodGroup::Clause clause;
    size_t length;
  };
  std::vector<Match> matches;
  for (std::uint32_t r = 0; r < policy.rules().size(); ++r) {
    const RuleText& rule = policy.rules()[r];
    for (std::uint32_t m = 0; m < rule.methods.size(); ++m) {
      const MethodPattern& pattern = rule.methods[m].pattern;
      if (!pattern.Matches(method)) continue;
      matches.push_back({.clause = {.rule = r, .method = m}, .length = pattern.literal().size()});
    }
  }
  std::ranges::stable_sort(matches, std::greater<>(), &Match::length);
  std::vector<PatternExplanation> out;
  for (const Match& match : matches) {
    const bool decides =
        group != MethodIndex::kNone &&
        std::ranges::any_of(policy.GroupAt(group).clauses, [&](const MethodGroup::Clause& clause) {
          return clause.rule == match.clause.rule && clause.method == match.clause.method;
        });
    out.push_back({.rule = policy.DescribeClause(match.clause), .decides = decides});
  }
  return out;
}

}  // namespace

PolicyExplanation ExplainPolicy(const Policy& policy, const PeerAssessment& peer,
                                std::string_view method, ClientCertificate mode) {
  PolicyExplanation out;
  const RoleSet roles = peer.status.ok() ? policy.RolesOf(peer.evidence) : RoleSet();
  const Policy::Decision decision = policy.Decide(method, roles);
  out.roles = ExplainRoles(policy, peer.evidence, roles);
  out.patterns = ExplainPatterns(policy, method, decision.group);
  const std::string name = Peer{.certificate = peer.evidence.leaf}.Describe();
  const CallFacts call{.method = method, .peer = name, .mode = mode};
  if (!peer.status.ok()) {
    out.refusal = JudgeAssessment(peer.status, call);
    return out;
  }
  out.rule = policy.DescribeClause(policy.DecidingClause(decision, roles));
  out.refusal = JudgeRules(policy, decision, peer.evidence, roles, call);
  out.let_through =
      out.refusal.has_value() && out.refusal->by_rules && policy.mode() == PolicyMode::kShadow;
  return out;
}

}  // namespace troth
