// What is legal in a policy and yet probably not meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/authz/policy.h"
#include "troth/base/time.h"

namespace troth {

// What a finding is about. docs/policy.md describes each.
enum class LintKind {
  kNoRules,             // nobody may call anything
  kShadowMode,          // the rules refuse nobody
  kRoleUnused,          // no rule names it
  kRoleOfAnyIssuer,     // names alone, though several CAs are trusted
  kPatternRepeated,     // the same pattern twice: merged
  kRuleRedundant,       // a shorter pattern says the same already
  kAllowWithoutEffect,  // also denied, or `anyone` is allowed too
  kNobodyAllowed,       // a deny list without anybody to allow
  kOpenToAnyone,        // "*" for `anyone`
  kPinExpired,
  kPinExpiresSoon,
  kMethodWithoutRule,    // of the given methods: nobody may call it
  kPatternMatchesNone,   // none of the given methods
  kPatternNeverDecides,  // longer ones take all of the given methods that it matches
};
// "role_unused".
std::string_view CodeOf(LintKind kind);

struct LintFinding {
  LintKind kind = LintKind::kNoRules;
  int line = 0;  // of the policy; 0: of none
  std::string message;
};

struct LintOptions {
  Time now;
  // Methods that the server has; nothing: not known.
  std::optional<std::vector<std::string>> methods;
  // How many CAs the server trusts; 0: not known.
  size_t trusted_authorities = 0;
};

inline constexpr Seconds kPinExpiresSoon = std::chrono::hours(24 * 14);

// Sorted by line.
std::vector<LintFinding> LintPolicy(const Policy& policy, const LintOptions& options);

// Roles that a peer can have by names alone, whichever CA issued it.
std::vector<std::string> RolesOfAnyIssuer(const Policy& policy);
// Those of `methods` that no rule names, in their order.
std::vector<std::string> MethodsWithoutRule(const Policy& policy,
                                            const std::vector<std::string>& methods);

// Reads a list of methods: one a line as "/package.Service/Method", "GET /path",
// "package.Service/Method", what `grpcurl list SERVICE` prints
// ("package.Service.Method"), or what `grpcurl describe SERVICE` prints. "#" begins a comment.
// Errors: file_wrong_format, with the line.
absl::StatusOr<std::vector<std::string>> ParseMethodList(std::string_view text,
                                                         std::string_view source);

}  // namespace troth
