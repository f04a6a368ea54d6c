#include "troth/authz/client_certificate.h"

#include <array>
#include <utility>

namespace troth {
namespace {

constexpr std::array<std::pair<ClientCertificate, std::string_view>, 5> kNames = {{
    {ClientCertificate::kDontRequest, "none"},
    {ClientCertificate::kRequestUnverified, "request"},
    {ClientCertificate::kVerifyIfGiven, "verify"},
    {ClientCertificate::kRequireUnverified, "require-any"},
    {ClientCertificate::kRequire, "require"},
}};

}  // namespace

std::string_view NameOf(ClientCertificate mode) {
  for (const auto& [known, name] : kNames) {
    if (known == mode) return name;
  }
  return "";
}

std::optional<ClientCertificate> ClientCertificateFromName(std::string_view name) {
  for (const auto& [mode, known] : kNames) {
    if (known == name) return mode;
  }
  return std::nullopt;
}

}  // namespace troth
