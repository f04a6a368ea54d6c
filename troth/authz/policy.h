// The policy: which role may call which method.
//
// The language is described in docs/policy.md. In short: of all patterns that match a method those
// with the longest literal part decide, together when there are several; a role in one of their
// deny lists is refused, else one in an allow list is let in, and a method that no pattern matches
// is open to nobody.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/authz/method_index.h"
#include "troth/authz/policy_document.h"
#include "troth/authz/role.h"
#include "troth/authz/role_set.h"

namespace troth {

// The rules that decide together for the methods of one pattern.
struct MethodGroup {
  struct Clause {
    std::uint32_t rule = 0;    // index into Policy::rules()
    std::uint32_t method = 0;  // index into its methods
  };
  RoleSet allowed, denied;
  std::vector<Clause> clauses;  // in the order of the file
};

// A policy, compiled: files are read, roles are numbers, patterns are a tree. Immutable,
// thread-safe.
class Policy {
 public:
  // Numbers of the built-in roles; the policy's own follow.
  static constexpr size_t kAnyone = 0;
  static constexpr size_t kAuthenticated = 1;
  static constexpr size_t kFirstOwnRole = 2;

  // Reads a policy and the files that it names; relative paths in it are relative to the folder of
  // `path`. Errors: policy_invalid and those of files, each beginning with "<file>:<line>: " where
  // a line is to blame.
  static absl::StatusOr<std::shared_ptr<const Policy>> FromFile(const std::string& path);
  // The same for a text; relative paths are relative to `folder`.
  static absl::StatusOr<std::shared_ptr<const Policy>> FromText(std::string_view text,
                                                                std::string_view source = "policy",
                                                                const std::string& folder = ".");
  static absl::StatusOr<std::shared_ptr<const Policy>> Compile(PolicyDocument document,
                                                               const std::string& folder,
                                                               const PolicyFileReader& read);

  enum class Outcome : std::uint8_t {
    kAllowed,
    kDenied,     // by a deny list
    kNoRole,     // no role of the caller is in an allow list
    kNoPattern,  // nothing matches the method
  };
  struct Decision {
    Outcome outcome = Outcome::kNoPattern;
    std::int32_t group = MethodIndex::kNone;  // for GroupAt; kNone for kNoPattern
  };
  // The group that decides for `method`, or MethodIndex::kNone. Allocates nothing.
  std::int32_t FindGroup(std::string_view method) const { return index_.Find(method); }
  const MethodGroup& GroupAt(std::int32_t group) const {
    return groups_[static_cast<size_t>(group)];
  }
  // Allocates nothing.
  Decision Decide(std::int32_t group, const RoleSet& roles) const {
    if (group == MethodIndex::kNone) return {};
    const Masks& masks = masks_[static_cast<size_t>(group)];
    if ((masks.denied & roles.first_word()) != 0) return {Outcome::kDenied, group};
    bool allowed = (masks.allowed & roles.first_word()) != 0;
    if (role_count() > 64) {
      const MethodGroup& rules = GroupAt(group);
      if (rules.denied.Intersects(roles)) return {Outcome::kDenied, group};
      allowed = allowed || rules.allowed.Intersects(roles);
    }
    return {allowed ? Outcome::kAllowed : Outcome::kNoRole, group};
  }
  Decision Decide(std::string_view method, const RoleSet& roles) const {
    return Decide(FindGroup(method), roles);
  }
  // The clause that made the decision: the first whose list names a role of the caller; the first
  // of the group for kNoRole; nothing for kNoPattern.
  std::optional<MethodGroup::Clause> DecidingClause(const Decision& decision,
                                                    const RoleSet& roles) const;
  // "rule 2 (/a.B/*), policy.toml:12"; empty for nothing.
  std::string DescribeClause(const std::optional<MethodGroup::Clause>& clause) const;

  // The roles that `peer` has, built-in ones included.
  RoleSet RolesOf(const PeerEvidence& peer) const;
  size_t role_count() const { return kFirstOwnRole + roles_.size(); }
  // Of any role number.
  std::string_view RoleName(size_t role) const;
  std::vector<std::string> NamesOf(const RoleSet& roles) const;
  // The number of the role with this name, or nothing.
  std::optional<size_t> FindRole(std::string_view name) const;
  // Whether an unverified peer can have one of `roles` by being pinned.
  bool HasPinned(const RoleSet& roles) const { return pinned_roles_.Intersects(roles); }
  bool HasPinned() const { return !pinned_roles_.empty(); }

  PolicyMode mode() const { return document_.mode; }
  const std::optional<RateLimit>& limits() const { return document_.limits; }
  const std::string& source() const { return document_.source; }
  const std::vector<Role>& roles() const { return roles_; }  // role number - kFirstOwnRole
  const std::vector<RuleText>& rules() const { return document_.rules; }
  const std::vector<MethodGroup>& groups() const { return groups_; }
  // Certificate files that the roles name, absolute.
  const std::vector<std::string>& files() const { return files_; }

 private:
  Policy() = default;
  absl::Status CompileRoles(const std::string& folder, const PolicyFileReader& read);
  absl::Status CompileRules();
  absl::StatusOr<RoleSet> RolesNamed(const std::vector<RuleText::RoleAt>& names) const;

  PolicyDocument document_;
  std::vector<Role> roles_;
  RoleSet pinned_roles_;
  std::vector<std::string> files_;
  std::vector<MethodGroup> groups_;
  // Of each group the first 64 roles: all that a decision looks at where there are no more.
  struct Masks {
    std::uint64_t allowed = 0, denied = 0;
  };
  std::vector<Masks> masks_;
  MethodIndex index_;
};

}  // namespace troth
