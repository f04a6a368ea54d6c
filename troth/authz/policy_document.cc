#include "troth/authz/policy_document.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "troth/base/file.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/base/toml_internal.h"

namespace troth {
namespace {

constexpr std::array<std::string_view, 10> kRoleKeys = {
    "certificate", "fingerprint",  "spiffe_id",           "dns",   "ip", "email",
    "common_name", "organization", "organizational_unit", "issuer"};
constexpr std::array<std::string_view, 4> kTopKeys = {"roles", "rules", "mode", "limits"};
constexpr std::array<std::string_view, 3> kRuleKeys = {"methods", "allow", "deny"};
constexpr std::array<std::string_view, 2> kLimitKeys = {"calls_per_second", "burst"};
constexpr std::array<std::string_view, 2> kModes = {"enforce", "shadow"};

int LineOf(const toml::source_region& region) { return static_cast<int>(region.begin.line); }
int LineOf(const toml::node& node) { return LineOf(node.source()); }

std::string Quoted(std::string_view text) { return "\"" + Printable(text) + "\""; }

// "a string", "a table": what was got, for messages.
std::string KindOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

bool IsRoleName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxRoleNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

// Reads one document; the first thing that is wrong ends it.
class Reader {
 public:
  explicit Reader(std::string_view source) { document_.source = Printable(source, 400); }

  absl::StatusOr<PolicyDocument> Read(const toml::table& top) {
    if (absl::Status ok = CheckKeys(top, kTopKeys, "a policy"); !ok.ok()) return ok;
    if (const toml::node* mode = top.get("mode")) {
      if (absl::Status ok = ReadMode(*mode); !ok.ok()) return ok;
    }
    if (const toml::node* limits = top.get("limits")) {
      if (absl::Status ok = ReadLimits(*limits); !ok.ok()) return ok;
    }
    if (const toml::node* roles = top.get("roles")) {
      if (absl::Status ok = ReadRoles(*roles); !ok.ok()) return ok;
    }
    if (const toml::node* rules = top.get("rules")) {
      if (absl::Status ok = ReadRules(*rules); !ok.ok()) return ok;
    }
    return std::move(document_);
  }

  absl::Status Error(int line, std::string_view what) const {
    return MakeError(Reason::kPolicyInvalid,
                     document_.source + ":" + std::to_string(line) + ": " + std::string(what));
  }

 private:
  absl::Status Error(const toml::node& node, std::string_view what) const {
    return Error(LineOf(node), what);
  }
  absl::Status WrongKind(const toml::node& node, std::string_view what,
                         std::string_view expected) const {
    return Error(node,
                 std::string(what) + " is " + KindOf(node) + ", expected " + std::string(expected));
  }

  absl::Status CheckKeys(const toml::table& table, std::span<const std::string_view> known,
                         std::string_view place) const {
    for (const auto& [key, value] : table) {
      if (std::ranges::find(known, key.str()) != known.end()) continue;
      std::string expected;
      for (const std::string_view name : known) {
        if (!expected.empty()) expected += name == known.back() ? " or " : ", ";
        expected += name;
      }
      return Error(LineOf(key.source()), "unknown key " + Quoted(key.str()) + " in " +
                                             std::string(place) + ", expected " + expected +
                                             DidYouMean(key.str(), known));
    }
    return absl::OkStatus();
  }

  absl::Status ReadMode(const toml::node& node) {
    const auto mode = node.value_exact<std::string_view>();
    if (!mode.has_value()) return WrongKind(node, "mode", R"("enforce" or "shadow")");
    if (*mode == "shadow") {
      document_.mode = PolicyMode::kShadow;
    } else if (*mode != "enforce") {
      return Error(node, "mode is " + Quoted(*mode) + R"(, expected "enforce" or "shadow")" +
                             DidYouMean(*mode, kModes));
    }
    return absl::OkStatus();
  }

  absl::Status ReadLimits(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return WrongKind(node, "limits", "a table [limits]");
    if (absl::Status ok = CheckKeys(*table, kLimitKeys, "[limits]"); !ok.ok()) return ok;
    RateLimit limits;
    const toml::node* calls = table->get("calls_per_second");
    if (calls == nullptr) return Error(node, "[limits] has no calls_per_second");
    if (absl::Status ok = ReadNumber(*calls, "calls_per_second", limits.calls_per_second);
        !ok.ok()) {
      return ok;
    }
    if (const toml::node* burst = table->get("burst")) {
      if (absl::Status ok = ReadNumber(*burst, "burst", limits.burst); !ok.ok()) return ok;
      if (limits.burst < 1) return Error(*burst, "burst is under 1, so that no call could pass");
    }
    document_.limits = limits;
    return absl::OkStatus();
  }

  absl::Status ReadNumber(const toml::node& node, std::string_view name, double& out) const {
    if (!node.is_number()) return WrongKind(node, name, "a number above 0");
    out = node.value<double>().value_or(0);
    if (!std::isfinite(out) || out <= 0 || out > 1e9) {
      return Error(node, std::string(name) + " is out of range, expected more than 0, at most 1e9");
    }
    return absl::OkStatus();
  }

  absl::Status ReadRoles(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return WrongKind(node, "roles", "a table [roles]");
    if (table->size() > kMaxRoles) {
      return Error(node, "has " + std::to_string(table->size()) + " roles, expected at most " +
                             std::to_string(kMaxRoles));
    }
    for (const auto& [key, value] : *table) {
      RoleText role;
      role.name = key.str();
      role.line = LineOf(key.source());
      if (!IsRoleName(role.name)) {
        return Error(role.line, "role name " + Quoted(role.name) +
                                    " is not 1 to 64 letters, digits, \"_\", \"-\" or \".\"");
      }
      if (role.name == "anyone" || role.name == "authenticated") {
        return Error(role.line, "role \"" + role.name +
                                    "\" is built in and cannot be defined; choose another name");
      }
      if (absl::Status ok = ReadRole(value, role); !ok.ok()) return ok;
      document_.roles.push_back(std::move(role));
    }
    std::ranges::sort(document_.roles, {}, &RoleText::name);
    return absl::OkStatus();
  }

  absl::Status ReadRole(const toml::node& node, RoleText& role) const {
    const std::string what = "role \"" + role.name + "\"";
    constexpr std::string_view kExpected = "a table such as { dns = \"...\" } or a list of tables";
    size_t values = 0;
    if (const toml::table* table = node.as_table()) {
      if (absl::Status ok = ReadRoleTable(*table, what, role, values); !ok.ok()) return ok;
    } else if (const toml::array* list = node.as_array()) {
      if (list->empty()) return Error(node, what + " is an empty list, so that nobody has it");
      for (const toml::node& element : *list) {
        const toml::table* element_table = element.as_table();
        if (element_table == nullptr) return WrongKind(element, "an element of " + what, "a table");
        if (absl::Status ok = ReadRoleTable(*element_table, what, role, values); !ok.ok())
          return ok;
      }
    } else {
      return WrongKind(node, what, kExpected);
    }
    return absl::OkStatus();
  }

  absl::Status ReadRoleTable(const toml::table& table, const std::string& what, RoleText& role,
                             size_t& values) const {
    if (absl::Status ok = CheckKeys(table, kRoleKeys, what); !ok.ok()) return ok;
    if (table.empty()) {
      return Error(table,
                   what + " has an empty table, which would match every peer; expected " +
                       "certificate, spiffe_id, dns, ... (the role of everybody is \"anyone\")");
    }
    RoleTableText out;
    out.line = LineOf(table);
    for (size_t i = 0; i < kRoleKeys.size(); ++i) {
      const toml::node* node = table.get(kRoleKeys[i]);
      if (node == nullptr) continue;
      RoleConditionText condition;
      condition.key = static_cast<RoleKey>(i);
      condition.line = LineOf(*node);
      const std::string key = std::string(kRoleKeys[i]) + " of " + what;
      if (const auto text = node->value_exact<std::string>(); text.has_value()) {
        condition.values.push_back(*text);
      } else if (const toml::array* list = node->as_array()) {
        for (const toml::node& element : *list) {
          const auto element_text = element.value_exact<std::string>();
          if (!element_text.has_value())
            return WrongKind(element, "an element of " + key, "a text");
          condition.values.push_back(*element_text);
        }
        if (list->empty())
          return Error(*node, key + " is an empty list, so that nobody has the role");
      } else {
        return WrongKind(*node, key, "a text or a list of texts");
      }
      values += condition.values.size();
      if (values > kMaxValuesPerRole) {
        return Error(*node, what + " has more than " + std::to_string(kMaxValuesPerRole) +
                                " values; match by spiffe_id or dns with \"*\" instead");
      }
      out.conditions.push_back(std::move(condition));
    }
    role.tables.push_back(std::move(out));
    return absl::OkStatus();
  }

  absl::Status ReadRules(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr)
      return WrongKind(node, "rules", "a list of tables, each begun by [[rules]]");
    size_t patterns = 0;
    for (const toml::node& element : *list) {
      const toml::table* table = element.as_table();
      if (table == nullptr) return WrongKind(element, "an element of rules", "a table");
      RuleText rule;
      rule.line = LineOf(element);
      if (absl::Status ok = ReadRule(*table, rule); !ok.ok()) return ok;
      patterns += rule.methods.size();
      if (patterns > kMaxPatterns) {
        return Error(element, "the rules have more than " + std::to_string(kMaxPatterns) +
                                  " methods together; use patterns that end with \"*\"");
      }
      document_.rules.push_back(std::move(rule));
    }
    return absl::OkStatus();
  }

  absl::Status ReadRule(const toml::table& table, RuleText& rule) const {
    if (absl::Status ok = CheckKeys(table, kRuleKeys, "a rule"); !ok.ok()) return ok;
    const toml::node* methods = table.get("methods");
    if (methods == nullptr) {
      return Error(rule.line,
                   R"(a rule has no methods, expected methods = ["/package.Service/Method"])");
    }
    const toml::array* list = methods->as_array();
    if (list == nullptr)
      return WrongKind(*methods, "methods", R"(a list such as ["/package.Service/*"])");
    if (list->empty())
      return Error(*methods, "methods is an empty list, so that the rule never applies");
    for (const toml::node& element : *list) {
      const auto text = element.value_exact<std::string_view>();
      if (!text.has_value()) return WrongKind(element, "a method", "a text");
      auto pattern = MethodPattern::Parse(*text);
      if (!pattern.ok()) return Error(element, ToStd(pattern.status().message()));
      rule.methods.push_back({.pattern = *std::move(pattern), .line = LineOf(element)});
    }
    if (table.get("allow") == nullptr && table.get("deny") == nullptr) {
      return Error(
          rule.line,
          "a rule has neither allow nor deny; to close methods for everybody write allow = []");
    }
    for (const auto& [key, roles] : {std::pair{"allow", &rule.allow}, {"deny", &rule.deny}}) {
      const toml::node* node = table.get(key);
      if (node == nullptr) continue;
      const toml::array* names = node->as_array();
      if (names == nullptr) return WrongKind(*node, key, R"(a list of roles such as ["operator"])");
      for (const toml::node& element : *names) {
        const auto name = element.value_exact<std::string>();
        if (!name.has_value())
          return WrongKind(element, std::string("an element of ") + key, "a role's name");
        roles->push_back({.name = *name, .line = LineOf(element)});
      }
    }
    return absl::OkStatus();
  }

  PolicyDocument document_;
};

}  // namespace

std::string_view NameOf(RoleKey key) { return kRoleKeys[static_cast<size_t>(key)]; }

absl::StatusOr<PolicyDocument> PolicyDocument::Parse(std::string_view text,
                                                     std::string_view source) {
  Reader reader(source);
  if (text.size() > kMaxFileBytes) {
    return MakeError(Reason::kPolicyInvalid,
                     Printable(source, 400) + ": has " + std::to_string(text.size()) +
                         " bytes, expected at most " + std::to_string(kMaxFileBytes));
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return reader.Error(LineOf(error.source()), "not TOML: " + std::string(error.description()));
  }
  return reader.Read(parsed.table());
}

}  // namespace troth
