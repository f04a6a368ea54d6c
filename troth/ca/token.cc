#include "troth/ca/token.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/name_rules.h"
#include "troth/pki/ip_network.h"
#include "troth/pki/random.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;

constexpr size_t kIdBytes = 8;
constexpr size_t kSecretBytes = 32;
constexpr Seconds kMaxLifetime = std::chrono::hours(24 * 366);
constexpr size_t kMaxNames = 1000;

absl::Status WrongUse(const std::string& message) {
  return MakeError(Reason::kUsageError, message);
}

absl::Status Invalid(const TokenRecord& token, const std::string& what) {
  return MakeError(Reason::kTokenInvalid,
                   "the token " + token.id + " " + what + "; ask the operator for a new one");
}

bool IsDnsText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '*';
  });
}

// What a token's name is a pattern of. What looks like a name of one kind must be one: mistyped, it
// would be a common name that nobody asks for.
enum class PatternKind { kDns, kIp, kUri, kEmail, kText };
PatternKind KindOf(std::string_view pattern) {
  if (pattern.find("://") != std::string_view::npos) return PatternKind::kUri;
  if (pattern.find('@') != std::string_view::npos) return PatternKind::kEmail;
  if (IpNetwork::Parse(pattern).ok() || pattern.find('/') != std::string_view::npos) {
    return PatternKind::kIp;
  }
  return IsDnsText(pattern) ? PatternKind::kDns : PatternKind::kText;
}

bool IsSpiffe(std::string_view text) { return text.starts_with("spiffe://"); }

absl::Status CheckPattern(const std::string& pattern) {
  absl::Status status;
  switch (KindOf(pattern)) {
    case PatternKind::kDns:
      status = CheckPatterns({.dns = {pattern}});
      break;
    case PatternKind::kIp:
      status = CheckPatterns({.ip = {pattern}});
      break;
    case PatternKind::kUri:
      status = IsSpiffe(pattern) ? CheckPatterns({.spiffe = {pattern}})
                                 : CheckWellFormed({Kind::kUri, pattern});
      break;
    case PatternKind::kEmail:
      status = CheckPatterns({.email = {pattern}});
      break;
    case PatternKind::kText: {
      std::string plain = pattern;
      std::ranges::replace(plain, '*', 'x');
      status = CheckCommonName(plain);
      break;
    }
  }
  return status.ok() ? status
                     : WrongUse("name of the token: " + std::string(ToStd(status.message())));
}

bool Allows(const std::string& pattern, const AlternativeName& name) {
  const PatternKind kind = KindOf(pattern);
  switch (name.kind) {
    case Kind::kDns:
      return kind == PatternKind::kDns && DnsPatternAllows(pattern, name.value);
    case Kind::kIp:
      return kind == PatternKind::kIp && IsAllowed(name, {.ip = {pattern}});
    case Kind::kUri:
      return IsSpiffe(pattern) ? SpiffePatternAllows(pattern, name.value) : pattern == name.value;
    case Kind::kEmail:
      return kind == PatternKind::kEmail && EmailPatternAllows(pattern, name.value);
    case Kind::kDirectory:
    case Kind::kOther:
      break;
  }
  return false;
}

// A common name that is a DNS name or an address is one. Any other text follows the rules of what
// the pattern is of: "*" is one label in a pattern of DNS names, whatever is asked for.
bool AllowsCommonName(const std::string& pattern, const std::string& common_name) {
  if (const std::optional<AlternativeName> name = NameOfCommonName(common_name)) {
    return Allows(pattern, *name);
  }
  switch (KindOf(pattern)) {
    case PatternKind::kDns:
      return DnsPatternAllows(pattern, common_name);
    case PatternKind::kUri:
      return Allows(pattern, {Kind::kUri, common_name});
    case PatternKind::kEmail:
      return EmailPatternAllows(pattern, common_name);
    case PatternKind::kIp:
      return false;
    case PatternKind::kText:
      break;
  }
  return GlobMatches(pattern, common_name);
}

absl::Status CheckNames(const TokenRecord& token, const Asked& asked) {
  if (token.any_name) return absl::OkStatus();
  const auto refuse = [&](const std::string& got) {
    return MakeError(
        Reason::kNameNotPermitted,
        "the token " + token.id + " is for " + Printable(Join(token.names, ", ")) + ", got " + got);
  };
  for (const AlternativeName& name : asked.names) {
    if (absl::Status well_formed = CheckWellFormed(name); !well_formed.ok()) return well_formed;
    if (std::ranges::none_of(token.names, [&](const auto& each) { return Allows(each, name); })) {
      return refuse(name.ToString());
    }
  }
  if (asked.common_name.empty()) return absl::OkStatus();
  if (std::ranges::none_of(token.names, [&](const auto& each) {
        return AllowsCommonName(each, asked.common_name);
      })) {
    return refuse("common name \"" + Printable(asked.common_name) + "\"");
  }
  return absl::OkStatus();
}

absl::Status CheckSpec(const TokenSpec& spec, const Profiles& profiles) {
  if (!spec.profile.empty() && profiles.Find(spec.profile) == nullptr) {
    std::vector<std::string_view> known;
    for (const Profile& profile : profiles.all()) known.push_back(profile.name);
    return WrongUse("there is no profile \"" + Printable(spec.profile) + "\"" +
                    DidYouMean(spec.profile, known));
  }
  if (spec.any_name == !spec.names.empty()) {
    return WrongUse(spec.any_name ? "expected either names or any name for a token, got both"
                                  : "expected the names that a token is for, or any name on "
                                    "purpose, got none");
  }
  if (spec.names.size() > kMaxNames) {
    return WrongUse("expected at most " + std::to_string(kMaxNames) + " names for a token, got " +
                    std::to_string(spec.names.size()));
  }
  for (const std::string& name : spec.names) {
    if (absl::Status checked = CheckPattern(name); !checked.ok()) return checked;
  }
  if (spec.max_uses == 0) return WrongUse("expected a token to have at least one use, got 0");
  if (spec.lifetime <= Seconds(0) || spec.lifetime > kMaxLifetime) {
    return WrongUse("expected a token's lifetime of more than nothing and at most a year, got " +
                    FormatDuration(spec.lifetime));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NewToken> MakeToken(const TokenSpec& spec, const Profiles& profiles,
                                   const Sha256Digest& root_fingerprint,
                                   std::string_view created_by, Time now) {
  if (absl::Status checked = CheckSpec(spec, profiles); !checked.ok()) return checked;
  TokenText text{.id = ToHex(RandomSecret(kIdBytes).Reveal()),
                 .secret = RandomSecret(kSecretBytes),
                 .root_fingerprint = root_fingerprint};
  NewToken token{
      .record = {.id = text.id,
                 .secret_hash = Sha256(text.secret.Reveal()),
                 .profile = spec.profile.empty() ? profiles.standard().name : spec.profile,
                 .names = spec.names,
                 .any_name = spec.any_name,
                 .max_uses = spec.max_uses,
                 .created_at = now,
                 .expires_at = now + spec.lifetime,
                 .created_by = std::string(created_by)},
      .text = text.ToText()};
  return token;
}

absl::Status CheckTokenSecret(const TokenRecord& token, const Secret& secret) {
  if (EqualInConstantTime(Sha256(secret.Reveal()), token.secret_hash)) return absl::OkStatus();
  return Invalid(token, "has another secret");
}

absl::Status CheckToken(const TokenRecord& token, const Secret& secret, const Asked& asked,
                        Time now) {
  if (absl::Status right = CheckTokenSecret(token, secret); !right.ok()) return right;
  if (token.revoked_at.has_value()) {
    return Invalid(token, "was revoked on " + FormatTime(*token.revoked_at));
  }
  if (token.uses >= token.max_uses) {
    return Invalid(token, "was used " + std::to_string(token.uses) + " times, and is good for " +
                              std::to_string(token.max_uses));
  }
  if (now >= token.expires_at) {
    return MakeError(Reason::kTokenExpired,
                     "the token " + token.id + " ended on " + FormatTime(token.expires_at) +
                         ", now is " + FormatTime(now) + "; ask the operator for a new one");
  }
  return CheckNames(token, asked);
}

}  // namespace troth
