#include "troth/authz/policy.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "troth/base/file.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

absl::StatusOr<std::string> ReadPolicyFile(const std::string& path) { return ReadFile(path); }

std::string At(const PolicyDocument& document, int line) {
  return document.source + ":" + std::to_string(line);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> Policy::FromFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return WithContext(text.status(), "policy");
  return FromText(*text, path, FolderOf(path));
}

absl::StatusOr<std::shared_ptr<const Policy>> Policy::FromText(std::string_view text,
                                                               std::string_view source,
                                                               const std::string& folder) {
  auto document = PolicyDocument::Parse(text, source);
  if (!document.ok()) return document.status();
  return Compile(*std::move(document), folder, ReadPolicyFile);
}

absl::StatusOr<std::shared_ptr<const Policy>> Policy::Compile(PolicyDocument document,
                                                              const std::string& folder,
                                                              const PolicyFileReader& read) {
  std::shared_ptr<Policy> policy(new Policy);
  policy->document_ = std::move(document);
  if (absl::Status ok = policy->CompileRoles(folder, read); !ok.ok()) return ok;
  if (absl::Status ok = policy->CompileRules(); !ok.ok()) return ok;
  return policy;
}

absl::Status Policy::CompileRoles(const std::string& folder, const PolicyFileReader& read) {
  for (const RoleText& text : document_.roles) {
    Role role{.name = text.name, .line = text.line, .tables = {}};
    for (const RoleTableText& table_text : text.tables) {
      RoleTable table{.line = table_text.line, .conditions = {}};
      for (const RoleConditionText& condition_text : table_text.conditions) {
        auto condition = RoleCondition::Create(condition_text, folder, read);
        if (!condition.ok()) {
          return WithContext(condition.status(),
                             At(document_, condition_text.line) + ": role \"" + text.name + "\"");
        }
        files_.insert(files_.end(), condition->files().begin(), condition->files().end());
        table.conditions.push_back(*std::move(condition));
      }
      role.tables.push_back(std::move(table));
    }
    if (role.IsPinned()) pinned_roles_.Add(kFirstOwnRole + roles_.size());
    roles_.push_back(std::move(role));
  }
  std::ranges::sort(files_);
  files_.erase(std::unique(files_.begin(), files_.end()), files_.end());
  return absl::OkStatus();
}

absl::Status Policy::CompileRules() {
  std::vector<MethodIndex::Entry> entries;
  std::unordered_map<std::string_view, size_t> entry_of;  // literal, which the document holds
  for (std::uint32_t r = 0; r < document_.rules.size(); ++r) {
    const RuleText& rule = document_.rules[r];
    const absl::StatusOr<RoleSet> allow = RolesNamed(rule.allow);
    if (!allow.ok()) return allow.status();
    const absl::StatusOr<RoleSet> deny = RolesNamed(rule.deny);
    if (!deny.ok()) return deny.status();
    for (std::uint32_t m = 0; m < rule.methods.size(); ++m) {
      const MethodPattern& pattern = rule.methods[m].pattern;
      const auto [entry, is_new] = entry_of.emplace(pattern.literal(), entries.size());
      if (is_new) entries.push_back({.literal = std::string(pattern.literal())});
      MethodIndex::Entry& place = entries[entry->second];
      std::int32_t& group = pattern.is_prefix() ? place.prefix : place.exact;
      if (group == MethodIndex::kNone) {
        group = static_cast<std::int32_t>(groups_.size());
        groups_.emplace_back();
      }
      MethodGroup& rules = groups_[static_cast<size_t>(group)];
      rules.allowed.AddAll(*allow);
      rules.denied.AddAll(*deny);
      rules.clauses.push_back({.rule = r, .method = m});
    }
  }
  // "/a.B/C" and "/a.B/C*" are equally long where the method is "/a.B/C": both count there.
  for (const MethodIndex::Entry& entry : entries) {
    if (entry.exact == MethodIndex::kNone || entry.prefix == MethodIndex::kNone) continue;
    MethodGroup& exact = groups_[static_cast<size_t>(entry.exact)];
    const MethodGroup& prefix = groups_[static_cast<size_t>(entry.prefix)];
    exact.allowed.AddAll(prefix.allowed);
    exact.denied.AddAll(prefix.denied);
    exact.clauses.insert(exact.clauses.end(), prefix.clauses.begin(), prefix.clauses.end());
    std::ranges::sort(exact.clauses, {}, [](const MethodGroup::Clause& clause) {
      return std::pair(clause.rule, clause.method);
    });
  }
  for (const MethodGroup& group : groups_) {
    masks_.push_back({.allowed = group.allowed.first_word(), .denied = group.denied.first_word()});
  }
  index_ = MethodIndex(std::move(entries));
  return absl::OkStatus();
}

absl::StatusOr<RoleSet> Policy::RolesNamed(const std::vector<RuleText::RoleAt>& names) const {
  RoleSet roles;
  for (const RuleText::RoleAt& named : names) {
    const std::optional<size_t> role = FindRole(named.name);
    if (!role.has_value()) {
      std::vector<std::string_view> known = {RoleName(kAnyone), RoleName(kAuthenticated)};
      for (const Role& own : roles_) known.push_back(own.name);
      return MakeError(Reason::kPolicyInvalid,
                       At(document_, named.line) + ": role \"" + Printable(named.name) +
                           "\" is not defined, expected one of [roles], \"anyone\" or "
                           "\"authenticated\"" +
                           DidYouMean(named.name, known));
    }
    roles.Add(*role);
  }
  return roles;
}

std::optional<MethodGroup::Clause> Policy::DecidingClause(const Decision& decision,
                                                          const RoleSet& roles) const {
  if (decision.group == MethodIndex::kNone) return std::nullopt;
  const MethodGroup& group = GroupAt(decision.group);
  for (const MethodGroup::Clause& clause : group.clauses) {
    const RuleText& rule = document_.rules[clause.rule];
    const auto names_one = [&](const std::vector<RuleText::RoleAt>& names) {
      return std::ranges::any_of(names, [&](const auto& named) {
        const auto role = FindRole(named.name);
        return role.has_value() && roles.Has(*role);
      });
    };
    if (decision.outcome == Outcome::kDenied && names_one(rule.deny)) return clause;
    if (decision.outcome == Outcome::kAllowed && names_one(rule.allow)) return clause;
  }
  return group.clauses.front();
}

std::string Policy::DescribeClause(const std::optional<MethodGroup::Clause>& clause) const {
  if (!clause.has_value()) return "";
  const RuleText::MethodAt& method = document_.rules[clause->rule].methods[clause->method];
  return "rule " + std::to_string(clause->rule + 1) + " (" + method.pattern.text() + "), " +
         At(document_, method.line);
}

RoleSet Policy::RolesOf(const PeerEvidence& peer) const {
  RoleSet roles;
  roles.Add(kAnyone);
  if (peer.leaf.has_value() && peer.verified) roles.Add(kAuthenticated);
  for (size_t i = 0; i < roles_.size(); ++i) {
    if (roles_[i].Matches(peer)) roles.Add(kFirstOwnRole + i);
  }
  return roles;
}

std::string_view Policy::RoleName(size_t role) const {
  if (role == kAnyone) return "anyone";
  if (role == kAuthenticated) return "authenticated";
  return roles_[role - kFirstOwnRole].name;
}

std::vector<std::string> Policy::NamesOf(const RoleSet& roles) const {
  std::vector<std::string> names;
  for (size_t role = 0; role < role_count(); ++role) {
    if (roles.Has(role)) names.emplace_back(RoleName(role));
  }
  return names;
}

std::optional<size_t> Policy::FindRole(std::string_view name) const {
  if (name == RoleName(kAnyone)) return kAnyone;
  if (name == RoleName(kAuthenticated)) return kAuthenticated;
  const auto role = std::ranges::lower_bound(roles_, name, {}, &Role::name);
  if (role == roles_.end() || role->name != name) return std::nullopt;
  return kFirstOwnRole + static_cast<size_t>(role - roles_.begin());
}

}  // namespace troth
