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
#include "troth/ca/asked.h"
#include "troth/ca/profile.h"
#include "troth/ca/records.h"
#include "troth/pki/token_text.h"

namespace troth {

struct TokenSpec {
  std::string profile = {};  // empty: the standard one
  // Exact names, or patterns as AllowedNames has them: "db.internal", "*.web.internal",
  // "10.0.0.0/8", "spiffe://example.org/db/*", "*@example.org"; what is none of these is a common
  // name, with '*' for anything ("Robot *").
  std::vector<std::string> names = {};
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

// Whether `secret` is the token's, in constant time, whatever else is wrong with the token: what to
// ask before a request that is sent again is answered with the same certificate. Errors:
// token_invalid.
absl::Status CheckTokenSecret(const TokenRecord& token, const Secret& secret);

// Whether the token may be used now for this request. Asks CheckTokenSecret first. Every name that
// is asked for must match one of the token's, the common name too. Errors: token_invalid (wrong
// secret, revoked, used up), token_expired, name_not_permitted.
absl::Status CheckToken(const TokenRecord& token, const Secret& secret, const Asked& asked,
                        Time now);

}  // namespace troth
