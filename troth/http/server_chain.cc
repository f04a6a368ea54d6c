#include <algorithm>
#include <optional>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/server_chain_internal.h"
#include "troth/pki/path_validation.h"

namespace troth {

absl::StatusOr<AlternativeName> NameOfHost(std::string_view host) {
  std::string_view bare = host;
  if (bare.starts_with('[') && bare.ends_with(']')) bare = bare.substr(1, bare.size() - 2);
  if (std::optional<std::string> address = ParseIpAddress(bare)) {
    return AlternativeName{.kind = AlternativeName::Kind::kIp, .value = *std::move(address)};
  }
  if (bare.ends_with('.')) bare.remove_suffix(1);
  if (!IsDnsName(bare, /*allow_wildcard=*/false)) {
    return MakeError(Reason::kUsageError,
                     "expected the name or address of a server, got \"" + Printable(host) + "\"");
  }
  return AlternativeName{.kind = AlternativeName::Kind::kDns, .value = std::string(bare)};
}

absl::Status CheckServerChain(const std::vector<Certificate>& shown, const HttpTrust& trust,
                              const AlternativeName& name, Time now) {
  if (shown.empty()) {
    return MakeError(Reason::kCertificateMissing, "the server showed no certificate");
  }
  TrustBundle anchors = trust.bundle.value_or(TrustBundle());
  if (trust.root_fingerprint.has_value()) {
    const auto root = std::ranges::find(shown, *trust.root_fingerprint, &Certificate::fingerprint);
    if (root == shown.end()) {
      return MakeError(Reason::kIssuerUnknown,
                       "expected a chain with the root whose SHA-256 fingerprint is " +
                           FormatFingerprint(*trust.root_fingerprint) +
                           ", got one that ends with " + shown.back().Describe() +
                           ", fingerprint " + FormatFingerprint(shown.back().fingerprint()) +
                           "; check that this is the right server, and ask its operator for the "
                           "fingerprint of its root");
    }
    anchors = TrustBundle::FromCertificates({*root});
  }
  const std::vector<Certificate> intermediates(shown.begin() + 1, shown.end());
  return WithContext(ValidatePath(shown.front(), intermediates, anchors,
                                  {.now = now, .usage = Usage::kServer, .name = name})
                         .status,
                     "the server's certificate");
}

}  // namespace troth
