#include "troth/cli/ca_arguments.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace troth {
namespace {

constexpr std::array<std::string_view, 29> kLongNames = {"CA",
                                                         "CN",
                                                         "cert",
                                                         "cn",
                                                         "common-name",
                                                         "country",
                                                         "csr",
                                                         "curve",
                                                         "depot-path",
                                                         "domain",
                                                         "exclude-path-length",
                                                         "expires",
                                                         "help",
                                                         "intermediate",
                                                         "ip",
                                                         "json",
                                                         "key",
                                                         "key-bits",
                                                         "locality",
                                                         "organization",
                                                         "organizational-unit",
                                                         "ou",
                                                         "passphrase",
                                                         "path-length",
                                                         "permit-domain",
                                                         "province",
                                                         "st",
                                                         "stdout",
                                                         "uri"};

}  // namespace

std::vector<std::string> WithDoubleDashes(std::vector<std::string> arguments) {
  const auto command = std::ranges::find_if(
      arguments, [](const std::string& argument) { return !argument.starts_with('-'); });
  if (command == arguments.end() || *command != "ca") return arguments;
  for (auto argument = command; argument != arguments.end() && *argument != "--"; ++argument) {
    if (argument->size() < 3 || !argument->starts_with('-') || argument->starts_with("--"))
      continue;
    const std::string_view text = std::string_view(*argument).substr(1);
    if (std::ranges::find(kLongNames, text.substr(0, text.find('='))) != kLongNames.end()) {
      argument->insert(0, 1, '-');
    }
  }
  return arguments;
}

}  // namespace troth
