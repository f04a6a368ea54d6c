// Enrolment tokens: a secret that says which names of which profile its holder may enrol for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/profile.h"
#include "troth/ca/records.h"
#include "troth/pki/token_text.h"

namespace troth {

struct TokenSpec {
  std::string profile = {};             // empty: the standard one
  std::vector<std::string> names = {};  // exact names, or patterns with '*'
  bool any_name = false;
  std::uint64_t max_uses = 1;
  Seconds lifetime = std::chrono::hours(1);
};

struct NewToken {
  TokenRecord record;  // with the secret's hash
  Secret text;         // to be shown once
};
// Errors: usage_error (neither names nor any_name, both, no use, a lifetime of nothing or over a
// year, an unknown profile, a malformed pattern).
absl::StatusOr<NewToken> MakeToken(const TokenSpec& spec, const Profiles& profiles,
                                   const Sha256Digest& root_fingerprint,
                                   std::string_view created_by, Time now);

// Whether the token may be used now for this request. Compares the secret in constant time.
// Errors: token_invalid (unknown, wrong secret, revoked, used up), token_expired,
// name_not_permitted.
absl::Status CheckToken(const TokenRecord& token, const Secret& secret, const Asked& asked,
                        Time now);

}  // namespace troth
