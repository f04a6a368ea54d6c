// A policy as its author wrote it: TOML, read and checked for form, with the lines for messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "troth/authz/method_pattern.h"
#include "troth/authz/rate_limit.h"

namespace troth {

enum class PolicyMode {
  kEnforce,
  kShadow,  // what the rules would deny is let through and logged
};

// What a key of a role compares.
enum class RoleKey {
  kCertificate,
  kFingerprint,
  kSpiffeId,
  kDns,
  kIp,
  kEmail,
  kCommonName,
  kOrganization,
  kOrganizationalUnit,
  kIssuer,
};
std::string_view NameOf(RoleKey key);

struct RoleConditionText {
  RoleKey key = RoleKey::kCertificate;
  int line = 0;
  std::vector<std::string> values;  // any one is enough; at least one
};

struct RoleTableText {
  int line = 0;
  std::vector<RoleConditionText> conditions;  // all must match; at least one
};

struct RoleText {
  std::string name;
  int line = 0;
  std::vector<RoleTableText> tables;  // any one is enough; at least one
};

struct RuleText {
  struct MethodAt {
    MethodPattern pattern;
    int line = 0;
  };
  struct RoleAt {
    std::string name;
    int line = 0;
  };
  int line = 0;
  std::vector<MethodAt> methods;  // at least one
  std::vector<RoleAt> allow, deny;
};

// Bounds of one policy; what exceeds them is refused.
inline constexpr size_t kMaxRoles = 1024;
inline constexpr size_t kMaxPatterns = 200'000;      // of all rules together
inline constexpr size_t kMaxValuesPerRole = 10'000;  // of all keys of a role together
inline constexpr size_t kMaxRoleNameBytes = 64;

struct PolicyDocument {
  std::string source;  // the file's name, for messages
  PolicyMode mode = PolicyMode::kEnforce;
  std::optional<RateLimit> limits;
  std::vector<RoleText> roles;  // sorted by name
  std::vector<RuleText> rules;  // in the order of the file

  // Reads `text`. Errors: policy_invalid, beginning with "<source>:<line>: ". Opens no file;
  // whether the roles of a rule exist is not checked here.
  static absl::StatusOr<PolicyDocument> Parse(std::string_view text, std::string_view source);
};

}  // namespace troth
