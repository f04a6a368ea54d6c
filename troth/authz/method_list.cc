#include <optional>
#include <string>
#include <vector>

#include "troth/authz/method_pattern.h"
#include "troth/authz/policy_lint.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

// The part of `line` between `before` and `after`, when it has both.
std::optional<std::string_view> Between(std::string_view line, std::string_view before,
                                        std::string_view after) {
  if (!line.starts_with(before)) return std::nullopt;
  line.remove_prefix(before.size());
  const size_t end = line.find(after);
  if (end == std::string_view::npos) return std::nullopt;
  return TrimWhitespace(line.substr(0, end));
}

// "/package.Service/Method" of each way in which one is written, nothing when it is none.
std::optional<std::string> MethodOf(std::string_view line) {
  std::string method(line);
  if (!line.starts_with('/') && line.find(' ') == std::string_view::npos) {
    if (line.find('/') == std::string_view::npos) {
      const size_t dot = method.rfind('.');
      if (dot == std::string::npos) return std::nullopt;
      method[dot] = '/';
    }
    method.insert(method.begin(), '/');
  }
  const auto pattern = MethodPattern::Parse(method);
  if (!pattern.ok() || pattern->is_prefix()) return std::nullopt;
  return method;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseMethodList(std::string_view text,
                                                         std::string_view source) {
  std::vector<std::string> methods;
  std::string service;  // that is being described
  int number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    line = TrimWhitespace(line);
    if (line.empty() || line.starts_with('#') || line.starts_with("//")) continue;
    if (line.ends_with(" is a service:")) {
      service = line.substr(0, line.size() - std::string_view(" is a service:").size());
      continue;
    }
    if (!service.empty()) {
      if (const auto name = Between(line, "rpc ", "("); name.has_value()) {
        methods.push_back("/" + service + "/" + std::string(*name));
        continue;
      }
      if (line.starts_with("service ") || line.starts_with("option ") || line == "{" ||
          line == "}" || line == "};") {
        continue;
      }
    }
    const std::optional<std::string> method = MethodOf(line);
    if (!method.has_value()) {
      return MakeError(
          Reason::kFileWrongFormat,
          Printable(source, 400) + ":" + std::to_string(number) + ": \"" + Printable(line) +
              "\" is not a method, expected \"/package.Service/Method\" or what `grpcurl "
              "list SERVICE` prints");
    }
    methods.push_back(*method);
  }
  return methods;
}

}  // namespace troth
