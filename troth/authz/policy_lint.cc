#include "troth/authz/policy_lint.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "troth/base/strings.h"

namespace troth {
namespace {

using Clause = MethodGroup::Clause;

std::string Quoted(std::string_view text) { return "\"" + Printable(text) + "\""; }

class Linter {
 public:
  Linter(const Policy& policy, const LintOptions& options) : policy_(policy), options_(options) {}

  std::vector<LintFinding> Run() {
    if (policy_.rules().empty()) {
      Add(LintKind::kNoRules, 0, "the policy has no rules: nobody may call anything");
    }
    if (policy_.mode() == PolicyMode::kShadow) {
      Add(LintKind::kShadowMode, 0,
          "mode is \"shadow\": what the rules would refuse is let through and only logged");
    }
    CheckRoles();
    CheckPins();
    CheckGroups();
    if (options_.methods.has_value()) CheckMethods(*options_.methods);
    std::ranges::stable_sort(findings_, {}, &LintFinding::line);
    return std::move(findings_);
  }

 private:
  void Add(LintKind kind, int line, std::string message) {
    findings_.push_back({.kind = kind, .line = line, .message = std::move(message)});
  }
  const RuleText::MethodAt& At(const Clause& clause) const {
    return policy_.rules()[clause.rule].methods[clause.method];
  }

  // A group is that of an exact pattern when it has one, though the clauses of a prefix that ties
  // with it are there too.
  std::vector<Clause>::const_iterator ExactOf(const std::vector<Clause>& clauses) const {
    return std::ranges::find_if(
        clauses, [&](const Clause& clause) { return !At(clause).pattern.is_prefix(); });
  }

  void CheckRoles() {
    std::set<std::string_view> used;
    for (const RuleText& rule : policy_.rules()) {
      for (const auto& named : rule.allow) used.insert(named.name);
      for (const auto& named : rule.deny) used.insert(named.name);
    }
    const std::vector<std::string> open = RolesOfAnyIssuer(policy_);
    for (const Role& role : policy_.roles()) {
      if (!used.contains(role.name)) {
        Add(LintKind::kRoleUnused, role.line, "no rule names role " + Quoted(role.name));
      }
      if (options_.trusted_authorities > 1 && std::ranges::find(open, role.name) != open.end()) {
        Add(LintKind::kRoleOfAnyIssuer, role.line,
            "any of the " + std::to_string(options_.trusted_authorities) +
                " trusted CAs can issue role " + Quoted(role.name) + ": name its issuer");
      }
    }
  }

  void CheckPins() {
    for (const Role& role : policy_.roles()) {
      for (const RoleTable& table : role.tables) {
        for (const RoleCondition& condition : table.conditions) {
          for (const Certificate& pin : condition.pinned()) {
            const Time end = pin.validity().not_after;
            const std::string what =
                "pinned certificate of role " + Quoted(role.name) + ", " + pin.Describe() + ",";
            if (end < options_.now) {
              Add(LintKind::kPinExpired, condition.text().line,
                  what + " expired at " + FormatTime(end));
            } else if (end < options_.now + kPinExpiresSoon) {
              Add(LintKind::kPinExpiresSoon, condition.text().line,
                  what + " expires in " + FormatDuration(end - options_.now));
            }
          }
        }
      }
    }
  }

  // The group of the longest prefix pattern that covers `literal` and is shorter.
  std::int32_t ShorterGroup(std::string_view literal) const {
    for (size_t size = literal.size(); size-- > 0;) {
      const auto found = prefixes_.find(literal.substr(0, size));
      if (found != prefixes_.end()) return found->second;
    }
    return MethodIndex::kNone;
  }

  void CheckGroups() {
    std::unordered_map<std::string_view, std::vector<Clause>> by_text;
    for (std::uint32_t r = 0; r < policy_.rules().size(); ++r) {
      for (std::uint32_t m = 0; m < policy_.rules()[r].methods.size(); ++m) {
        const MethodPattern& pattern = policy_.rules()[r].methods[m].pattern;
        std::vector<Clause>& clauses = by_text[pattern.text()];
        if (!clauses.empty()) {
          Add(LintKind::kPatternRepeated, At({r, m}).line,
              "method " + Quoted(pattern.text()) + " is named in line " +
                  std::to_string(At(clauses.front()).line) + " too: both count together");
        }
        clauses.push_back({r, m});
      }
    }
    for (size_t g = 0; g < policy_.groups().size(); ++g) {
      const std::vector<Clause>& clauses = policy_.groups()[g].clauses;
      if (ExactOf(clauses) != clauses.end()) continue;
      prefixes_[At(clauses.front()).pattern.literal()] = static_cast<std::int32_t>(g);
    }
    for (const MethodGroup& group : policy_.groups()) CheckGroup(group);
  }

  void CheckGroup(const MethodGroup& group) {
    const auto exact = ExactOf(group.clauses);
    const RuleText::MethodAt& first =
        At(exact != group.clauses.end() ? *exact : group.clauses.front());
    const std::string name = "method " + Quoted(first.pattern.text());
    if (group.allowed.empty() && !group.denied.empty()) {
      Add(LintKind::kNobodyAllowed, first.line,
          name +
              " has roles to deny and none to allow, so that nobody may call it; if that is meant, "
              "write allow = []");
    }
    const std::vector<std::string> allowed = policy_.NamesOf(group.allowed);
    for (const std::string& role : allowed) {
      const size_t number = *policy_.FindRole(role);
      if (group.denied.Has(number) || group.denied.Has(Policy::kAnyone)) {
        Add(LintKind::kAllowWithoutEffect, first.line,
            name + ": role " + Quoted(role) + " is allowed and denied, and deny wins");
      } else if (number != Policy::kAnyone && group.allowed.Has(Policy::kAnyone)) {
        Add(LintKind::kAllowWithoutEffect, first.line,
            name + ": role " + Quoted(role) +
                " is allowed beside \"anyone\", which lets it in already");
      }
    }
    if (first.pattern.text() == "*" && group.allowed.Has(Policy::kAnyone)) {
      Add(LintKind::kOpenToAnyone, first.line,
          "every method that no other rule names is open to anyone, with a certificate or without");
    }
    const std::int32_t shorter = ShorterGroup(first.pattern.literal());
    if (shorter == MethodIndex::kNone) return;
    const MethodGroup& covering = policy_.GroupAt(shorter);
    if (covering.allowed == group.allowed && covering.denied == group.denied) {
      Add(LintKind::kRuleRedundant, first.line,
          name + " says nothing that " + Quoted(At(covering.clauses.front()).pattern.text()) +
              " in line " + std::to_string(At(covering.clauses.front()).line) +
              " does not say already");
    }
  }

  void CheckMethods(const std::vector<std::string>& methods) {
    for (const std::string& method : MethodsWithoutRule(policy_, methods)) {
      Add(LintKind::kMethodWithoutRule, 0,
          "no rule names " + Quoted(method) + ", so nobody may call it");
    }
    // A list of gRPC methods says nothing about HTTP, nor the other way round.
    const auto is_http = [](std::string_view text) { return !text.starts_with('/'); };
    const bool has_http = std::ranges::any_of(methods, is_http);
    const bool has_grpc = !std::ranges::all_of(methods, is_http);
    std::vector<std::string_view> sorted(methods.begin(), methods.end());
    std::ranges::sort(sorted);
    for (std::uint32_t r = 0; r < policy_.rules().size(); ++r) {
      for (std::uint32_t m = 0; m < policy_.rules()[r].methods.size(); ++m) {
        const auto& [pattern, line] = policy_.rules()[r].methods[m];
        if (pattern.text() != "*" && !(is_http(pattern.text()) ? has_http : has_grpc)) continue;
        CheckPatternAgainst(sorted, pattern, line, {r, m});
      }
    }
  }

  void CheckPatternAgainst(const std::vector<std::string_view>& sorted,
                           const MethodPattern& pattern, int line, const Clause& clause) {
    bool matches = false;
    for (auto method = std::ranges::lower_bound(sorted, pattern.literal());
         method != sorted.end() && method->starts_with(pattern.literal()); ++method) {
      if (!pattern.Matches(*method)) continue;
      matches = true;
      const MethodGroup& group = policy_.GroupAt(policy_.FindGroup(*method));
      const bool decides = std::ranges::any_of(group.clauses, [&](const Clause& c) {
        return c.rule == clause.rule && c.method == clause.method;
      });
      if (decides) return;
    }
    if (matches) {
      Add(LintKind::kPatternNeverDecides, line,
          "method " + Quoted(pattern.text()) +
              " never decides: longer ones take every method of the server that it matches");
    } else {
      Add(LintKind::kPatternMatchesNone, line,
          "method " + Quoted(pattern.text()) + " matches none of the server's methods");
    }
  }

  const Policy& policy_;
  const LintOptions& options_;
  std::unordered_map<std::string_view, std::int32_t> prefixes_;  // literal -> group
  std::vector<LintFinding> findings_;
};

}  // namespace

std::string_view CodeOf(LintKind kind) {
  switch (kind) {
    case LintKind::kNoRules:
      return "no_rules";
    case LintKind::kShadowMode:
      return "shadow_mode";
    case LintKind::kRoleUnused:
      return "role_unused";
    case LintKind::kRoleOfAnyIssuer:
      return "role_of_any_issuer";
    case LintKind::kPatternRepeated:
      return "pattern_repeated";
    case LintKind::kRuleRedundant:
      return "rule_redundant";
    case LintKind::kAllowWithoutEffect:
      return "allow_without_effect";
    case LintKind::kNobodyAllowed:
      return "nobody_allowed";
    case LintKind::kOpenToAnyone:
      return "open_to_anyone";
    case LintKind::kPinExpired:
      return "pin_expired";
    case LintKind::kPinExpiresSoon:
      return "pin_expires_soon";
    case LintKind::kMethodWithoutRule:
      return "method_without_rule";
    case LintKind::kPatternMatchesNone:
      return "pattern_matches_none";
    case LintKind::kPatternNeverDecides:
      return "pattern_never_decides";
  }
  return "";
}

std::vector<LintFinding> LintPolicy(const Policy& policy, const LintOptions& options) {
  return Linter(policy, options).Run();
}

std::vector<std::string> RolesOfAnyIssuer(const Policy& policy) {
  std::vector<std::string> names;
  for (const Role& role : policy.roles()) {
    const bool open = std::ranges::any_of(role.tables, [](const RoleTable& table) {
      return std::ranges::none_of(table.conditions, [](const RoleCondition& condition) {
        return condition.IsPin() || condition.text().key == RoleKey::kIssuer;
      });
    });
    if (open) names.push_back(role.name);
  }
  return names;
}

std::vector<std::string> MethodsWithoutRule(const Policy& policy,
                                            const std::vector<std::string>& methods) {
  std::vector<std::string> without;
  std::ranges::copy_if(methods, std::back_inserter(without), [&](const std::string& method) {
    return policy.FindGroup(method) == MethodIndex::kNone;
  });
  return without;
}

}  // namespace troth
