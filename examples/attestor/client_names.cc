#include "examples/attestor/client_names.h"

#include <optional>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace attestor {
namespace {

constexpr std::string_view kField = "Troth-Client-Names";
constexpr std::string_view kDns = "DNS:";

absl::Status NotFromNginx(std::string_view what) {
  return troth::MakeError(troth::Reason::kPeerNotAuthenticated,
                          "expected one field " + std::string(kField) + ", " + std::string(what) +
                              ": call through the nginx that `troth nginx-config --policy` set up, "
                              "with a certificate that has a DNS name");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ClientDnsNames(const troth::HttpRequest& request) {
  std::optional<std::string_view> text;
  for (const auto& [name, value] : request.fields) {
    if (!troth::EqualsIgnoreCaseAscii(name, kField)) continue;
    if (text.has_value()) return NotFromNginx("got two");
    text = value;
  }
  if (!text.has_value()) return NotFromNginx("got none");
  std::vector<std::string> names;
  // Split first, then decode: a comma within a name is written %2C.
  for (const std::string_view part : troth::Split(*text, ',')) {
    const std::optional<std::string> name = troth::PercentDecode(part);
    if (!name.has_value()) return NotFromNginx("got one with a broken escape");
    if (name->starts_with(kDns)) names.push_back(troth::ToLowerAscii(name->substr(kDns.size())));
  }
  return names;
}

}  // namespace attestor
