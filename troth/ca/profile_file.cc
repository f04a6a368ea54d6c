// Profiles as a TOML file says them. docs/profiles.md is its reference.
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/toml_internal.h"
#include "troth/ca/profile.h"

namespace troth {
namespace {

using std::chrono::hours;

constexpr std::array<std::string_view, 2> kTopKeys = {"profiles", "default_profile"};
constexpr std::array<std::string_view, 11> kProfileKeys = {
    "default_lifetime", "max_lifetime",
    "key_types",        "usages",
    "usages_critical",  "names",
    "approval",         "automatic",
    "max_pending",      "max_pending_per_address",
    "pending_lifetime"};
// What can be set of the admin profile: nothing that says who gets one, or which names.
constexpr std::array<std::string_view, 3> kAdminKeys = {"default_lifetime", "max_lifetime",
                                                        "key_types"};
constexpr std::array<std::string_view, 6> kNameKeys = {"any",    "dns",   "ip",
                                                       "spiffe", "email", "common_name"};
constexpr std::array<std::string_view, 3> kApprovals = {"manual", "automatic", "token"};
constexpr std::array<std::string_view, 3> kUsages = {"client", "server", "server_and_client"};
constexpr std::array<std::string_view, 6> kKeyTypes = {"p256",    "p384",    "ed25519",
                                                       "rsa2048", "rsa3072", "rsa4096"};

constexpr size_t kMaxProfiles = 1000;
constexpr size_t kMaxPatterns = 1000;
constexpr size_t kMaxNameBytes = 64;
constexpr Seconds kMaxLifetime = hours(24 * 3660);

std::string Quoted(std::string_view text) { return "\"" + Printable(text) + "\""; }

// `"manual", "automatic" or "token"`.
std::string OneOf(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += word == words.back() ? " or " : ", ";
    out += Quoted(word);
  }
  return out;
}

absl::Status Error(const toml::source_region& where, const std::string& what) {
  return MakeError(Reason::kConfigurationInvalid,
                   "line " + std::to_string(where.begin.line) + ": " + what);
}

absl::Status WrongKind(const toml::node& node, const std::string& key, std::string_view expected) {
  return Error(node.source(), key + " is of the wrong kind, expected " + std::string(expected));
}

absl::Status CheckKeys(const toml::table& table, std::span<const std::string_view> known,
                       const std::string& place) {
  for (const auto& [key, value] : table) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    return Error(key.source(), "unknown key " + Quoted(key.str()) + " in " + place + ", expected " +
                                   OneOf(known) + DidYouMean(key.str(), known));
  }
  return absl::OkStatus();
}

// Each reads one value; `key` is what messages call it ("max_lifetime of profile "web"").

absl::Status ReadValue(const toml::node& node, const std::string& key, bool& out) {
  const auto value = node.value_exact<bool>();
  if (!value.has_value()) return WrongKind(node, key, "true or false");
  out = *value;
  return absl::OkStatus();
}

absl::Status ReadValue(const toml::node& node, const std::string& key, std::uint32_t& out) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value.has_value()) return WrongKind(node, key, "a number");
  if (*value < 1 || *value > std::numeric_limits<std::int32_t>::max()) {
    return Error(node.source(),
                 key + " is " + std::to_string(*value) + ", expected 1 to 2147483647");
  }
  out = static_cast<std::uint32_t>(*value);
  return absl::OkStatus();
}

absl::Status ReadValue(const toml::node& node, const std::string& key, std::string& out) {
  const auto value = node.value_exact<std::string>();
  if (!value.has_value()) return WrongKind(node, key, "a text");
  if (value->empty()) return Error(node.source(), key + " is empty; leave it out instead");
  out = *value;
  return absl::OkStatus();
}

absl::Status ReadValue(const toml::node& node, const std::string& key, Seconds& out) {
  const auto text = node.value_exact<std::string_view>();
  const std::optional<Seconds> value = text.has_value() ? ParseDuration(*text) : std::nullopt;
  if (!value.has_value()) {
    return Error(node.source(), key + R"( is no length of time, expected a text such as "30d",)"
                                      R"( "12h" or "1h30m")");
  }
  if (*value <= Seconds(0) || *value > kMaxLifetime) {
    return Error(node.source(), key + " is " + Quoted(*text) +
                                    ", expected more than 0 and at most " +
                                    FormatDuration(kMaxLifetime));
  }
  out = *value;
  return absl::OkStatus();
}

// The index of the word among `words`.
absl::Status ReadWord(const toml::node& node, const std::string& key,
                      std::span<const std::string_view> words, size_t& out) {
  const auto word = node.value_exact<std::string_view>();
  if (!word.has_value()) return WrongKind(node, key, OneOf(words));
  const auto found = std::ranges::find(words, *word);
  if (found == words.end()) {
    return Error(node.source(), key + " is " + Quoted(*word) + ", expected " + OneOf(words) +
                                    DidYouMean(*word, words));
  }
  out = static_cast<size_t>(found - words.begin());
  return absl::OkStatus();
}

absl::Status ReadValue(const toml::node& node, const std::string& key, Approval& out) {
  constexpr std::array kValues = {Approval::kManual, Approval::kAutomatic, Approval::kNone};
  size_t index = 0;
  absl::Status read = ReadWord(node, key, kApprovals, index);
  if (read.ok()) out = kValues[index];
  return read;
}

absl::Status ReadValue(const toml::node& node, const std::string& key, LeafUsages& out) {
  constexpr std::array kValues = {LeafUsages::kClient, LeafUsages::kServer,
                                  LeafUsages::kServerAndClient};
  size_t index = 0;
  absl::Status read = ReadWord(node, key, kUsages, index);
  if (read.ok()) out = kValues[index];
  return read;
}

absl::Status ReadValue(const toml::node& node, const std::string& key, std::vector<KeyType>& out) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return WrongKind(node, key, R"(a list such as ["p256", "rsa2048"])");
  if (list->empty()) return Error(node.source(), key + " is empty, so that no key is allowed");
  out.clear();
  for (const toml::node& element : *list) {
    size_t index = 0;
    absl::Status read = ReadWord(element, "an element of " + key, kKeyTypes, index);
    if (!read.ok()) return read;
    const KeyType type = *KeyTypeFromName(kKeyTypes[index]);
    if (std::ranges::find(out, type) != out.end()) {
      return Error(element.source(), key + " has " + Quoted(kKeyTypes[index]) + " twice");
    }
    out.push_back(type);
  }
  return absl::OkStatus();
}

absl::Status ReadValue(const toml::node& node, const std::string& key,
                       std::vector<std::string>& out) {
  out.clear();
  if (node.is_string()) {
    return ReadValue(node, key, out.emplace_back());
  }
  const toml::array* list = node.as_array();
  if (list == nullptr) return WrongKind(node, key, "a text or a list of texts");
  if (list->empty()) return Error(node.source(), key + " is an empty list; leave it out instead");
  if (list->size() > kMaxPatterns) {
    return Error(node.source(), key + " has " + std::to_string(list->size()) +
                                    " patterns, expected at most " + std::to_string(kMaxPatterns));
  }
  for (const toml::node& element : *list) {
    absl::Status read = ReadValue(element, "an element of " + key, out.emplace_back());
    if (!read.ok()) return read;
  }
  return absl::OkStatus();
}

absl::Status ReadValue(const toml::node& node, const std::string& key, AllowedNames& out);

// The value of a key, when the table has it.
template <typename T>
absl::Status ReadIfPresent(const toml::table& table, std::string_view key, const std::string& place,
                           T& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return absl::OkStatus();
  return ReadValue(*node, std::string(key) + " of " + place, out);
}

absl::Status ReadValue(const toml::node& node, const std::string& key, AllowedNames& out) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return WrongKind(node, key, R"(a table such as { dns = ["*.internal"] })");
  absl::Status status = CheckKeys(*table, kNameKeys, key);
  // All of them: those of the built-in profile do not stay beside them.
  out = {};
  if (status.ok()) status = ReadIfPresent(*table, "any", key, out.any);
  if (status.ok()) status = ReadIfPresent(*table, "dns", key, out.dns);
  if (status.ok()) status = ReadIfPresent(*table, "ip", key, out.ip);
  if (status.ok()) status = ReadIfPresent(*table, "spiffe", key, out.spiffe);
  if (status.ok()) status = ReadIfPresent(*table, "email", key, out.email);
  if (status.ok()) status = ReadIfPresent(*table, "common_name", key, out.common_name);
  if (!status.ok()) return status;
  const bool has_patterns = !out.dns.empty() || !out.ip.empty() || !out.spiffe.empty() ||
                            !out.email.empty() || !out.common_name.empty();
  if (out.any == has_patterns) {
    return Error(node.source(), key + (out.any ? " has any = true, which leaves nothing to the "
                                                 "patterns beside it; take one of them out"
                                               : " allows no name; add dns, ip, spiffe, email or "
                                                 "common_name, or any = true"));
  }
  absl::Status patterns = CheckPatterns(out);
  if (patterns.ok()) return patterns;
  return Error(node.source(), key + ": " + std::string(ToStd(patterns.message())));
}

// What one key alone cannot say.
absl::Status CheckWhole(const toml::table& table, const std::string& place, Profile& profile) {
  const bool has_names = table.get("names") != nullptr;
  if (profile.default_lifetime > profile.max_lifetime) {
    return Error(table.source(), "default_lifetime of " + place + " is " +
                                     FormatDuration(profile.default_lifetime) +
                                     ", expected at most its max_lifetime, " +
                                     FormatDuration(profile.max_lifetime));
  }
  if (!has_names && !profile.names.any && !profile.admin && profile.names.dns.empty() &&
      profile.names.ip.empty() && profile.names.spiffe.empty() && profile.names.email.empty() &&
      profile.names.common_name.empty()) {
    return Error(table.source(),
                 place + R"( has no names, expected names = { dns = ["*.internal"] } or another)");
  }
  if (profile.max_pending_per_address > profile.max_pending) {
    return Error(table.source(), "max_pending_per_address of " + place +
                                     " is more than its max_pending, " +
                                     std::to_string(profile.max_pending));
  }
  if (profile.approval == Approval::kAutomatic && profile.automatic.empty()) {
    return Error(table.source(), place +
                                     " has approval = \"automatic\" and no pattern of names, "
                                     "expected automatic = \"uuid\" or another");
  }
  if (profile.approval != Approval::kAutomatic) {
    if (table.get("automatic") != nullptr) {
      return Error(table.source(),
                   "automatic of " + place + " has no effect without approval = \"automatic\"");
    }
    profile.automatic.clear();
  }
  return absl::OkStatus();
}

absl::Status ReadProfile(const toml::table& table, Profile& profile) {
  const std::string place = "profile " + Quoted(profile.name);
  absl::Status status =
      profile.admin ? CheckKeys(table, kAdminKeys, place) : CheckKeys(table, kProfileKeys, place);
  const auto read = [&](std::string_view key, auto& out) {
    if (status.ok()) status = ReadIfPresent(table, key, place, out);
  };
  read("default_lifetime", profile.default_lifetime);
  read("max_lifetime", profile.max_lifetime);
  read("key_types", profile.key_types);
  read("usages", profile.usages);
  read("usages_critical", profile.usages_critical);
  read("names", profile.names);
  read("approval", profile.approval);
  read("automatic", profile.automatic);
  read("max_pending", profile.max_pending);
  read("max_pending_per_address", profile.max_pending_per_address);
  read("pending_lifetime", profile.pending_lifetime);
  return status.ok() ? CheckWhole(table, place, profile) : status;
}

bool IsProfileName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

absl::Status ReadProfiles(const toml::node& node, std::vector<Profile>& all) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return WrongKind(node, "profiles", "tables such as [profiles.web]");
  for (const auto& [key, value] : *table) {
    const toml::table* profile = value.as_table();
    if (!IsProfileName(key.str())) {
      return Error(key.source(), "profile name " + Quoted(key.str()) +
                                     " is not 1 to 64 letters, digits, \"_\", \"-\" or \".\"");
    }
    if (profile == nullptr) {
      return WrongKind(value, "profile " + Quoted(key.str()), "a table [profiles.NAME]");
    }
    auto at = std::ranges::find(all, key.str(), &Profile::name);
    if (at == all.end()) {
      all.push_back({.name = std::string(key.str())});
      at = all.end() - 1;
    }
    if (absl::Status status = ReadProfile(*profile, *at); !status.ok()) return status;
  }
  if (all.size() > kMaxProfiles) {
    return Error(node.source(), "there are " + std::to_string(all.size()) +
                                    " profiles, expected at most " + std::to_string(kMaxProfiles));
  }
  return absl::OkStatus();
}

// Moves the standard profile to the front.
absl::Status ReadDefault(const toml::node& node, std::vector<Profile>& all) {
  std::vector<std::string_view> names;
  for (const Profile& profile : all) {
    if (!profile.admin) names.push_back(profile.name);
  }
  size_t index = 0;
  if (absl::Status read = ReadWord(node, "default_profile", names, index); !read.ok()) return read;
  const auto at = std::ranges::find(all, names[index], &Profile::name);
  std::rotate(all.begin(), at, at + 1);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Profiles> Profiles::FromToml(std::string_view text, Profiles base) {
  if (text.size() > kMaxFileBytes) {
    return MakeError(Reason::kConfigurationInvalid,
                     "expected at most " + std::to_string(kMaxFileBytes) + " bytes, got " +
                         std::to_string(text.size()));
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Error(parsed.error().source(), "not TOML: " + std::string(parsed.error().description()));
  }
  const toml::table& top = parsed.table();
  if (absl::Status status = CheckKeys(top, kTopKeys, "the file of profiles"); !status.ok()) {
    return status;
  }
  if (const toml::node* profiles = top.get("profiles")) {
    if (absl::Status status = ReadProfiles(*profiles, base.all_); !status.ok()) return status;
  }
  if (const toml::node* standard = top.get("default_profile")) {
    if (absl::Status status = ReadDefault(*standard, base.all_); !status.ok()) return status;
  }
  return base;
}

}  // namespace troth
