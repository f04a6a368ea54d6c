#include "troth/authz/judgement.h"

#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr size_t kLongestDetail = 600;  // bytes: the message travels in a header

std::string ForPeer(std::string_view what, Reason reason, std::string_view fix) {
  std::string message(what);
  message += "; ";
  message += fix;
  message += " [troth:";
  message += CodeOf(reason);
  message += "]";
  return message;
}

std::string ForPeer(std::string_view what, Reason reason) {
  return ForPeer(what, reason, InfoOf(reason).fix);
}

std::string Quoted(std::string_view text) { return "'" + Printable(text) + "'"; }

}  // namespace

Judgement JudgeAssessment(const absl::Status& failure, const CallFacts& call) {
  const Reason reason = ReasonOf(failure).value_or(Reason::kInternal);
  if (reason == Reason::kPeerNotAuthenticated) {
    return {.reason = reason,
            .message = ForPeer(
                "No client certificate: " + Printable(ToStd(failure.message()), kLongestDetail),
                reason)};
  }
  return {.reason = reason,
          .message = ForPeer("Invalid client certificate: " + Quoted(call.peer) + " is refused: " +
                                 Printable(ToStd(failure.message()), kLongestDetail),
                             reason)};
}

std::optional<Judgement> JudgeRules(const Policy& policy, const Policy::Decision& decision,
                                    const PeerEvidence& evidence, const RoleSet& roles,
                                    const CallFacts& call) {
  if (decision.outcome == Policy::Outcome::kAllowed) return std::nullopt;
  Judgement out;
  out.rule = policy.DescribeClause(policy.DecidingClause(decision, roles));
  if (decision.group != MethodIndex::kNone) {
    out.required = Join(policy.NamesOf(policy.GroupAt(decision.group).allowed), ", ");
  }
  const std::string method = Printable(call.method);
  // A certificate that means nothing here is not a matter of the rules: shadow mode does not let it
  // through.
  const bool means_nothing =
      evidence.leaf.has_value() && !evidence.verified && !roles.HasOther(Policy::kAnyone);
  out.by_rules = !means_nothing;
  if (decision.outcome == Policy::Outcome::kDenied) {
    out.reason = Reason::kRuleDenied;
    out.message = ForPeer("Invalid client certificate: " + Quoted(call.peer) + " may not call " +
                              method + ": a rule denies it",
                          out.reason);
    return out;
  }
  if (!evidence.leaf.has_value()) {
    out.reason = Reason::kPeerNotAuthenticated;
    out.message = call.mode == ClientCertificate::kDontRequest
                      ? ForPeer("No client certificate: " + method +
                                    " needs one, and this port does not ask for one",
                                out.reason, "call it on a port that asks for client certificates")
                      : ForPeer("No client certificate: " + method + " needs one", out.reason);
    return out;
  }
  if (means_nothing) {
    const bool a_pin_would_do = decision.group == MethodIndex::kNone
                                    ? policy.HasPinned()
                                    : policy.HasPinned(policy.GroupAt(decision.group).allowed);
    out.reason = a_pin_would_do ? Reason::kPeerNotPinned : Reason::kPeerNotVerified;
    out.message = ForPeer("Invalid client certificate: " + Quoted(call.peer) + " may not call " +
                              method + ": " + std::string(InfoOf(out.reason).text),
                          out.reason);
    return out;
  }
  if (decision.outcome == Policy::Outcome::kNoPattern) {
    out.reason = Reason::kNoRuleMatches;
    out.message =
        ForPeer("Method not open: no rule names " + method + ", so nobody may call it", out.reason);
    return out;
  }
  out.reason = Reason::kRoleNotAllowed;
  out.message = ForPeer(
      "Invalid client certificate: " + Quoted(call.peer) + " has no role that may call " + method,
      out.reason);
  return out;
}

Judgement JudgeRate(const CallFacts& call) {
  return {
      .reason = Reason::kRateLimited,
      .message = ForPeer("Too many calls: " + Quoted(call.peer) + " calls more often than it may",
                         Reason::kRateLimited)};
}

}  // namespace troth
