#include "troth/authz/peer.h"

#include "troth/base/strings.h"

namespace troth {

std::string Peer::Describe() const {
  if (!certificate.has_value()) return "anonymous";
  if (const auto id = certificate->spiffe_id(); id.has_value()) return id->ToString();
  for (const AlternativeName& name : certificate->alternative_names()) {
    if (name.kind == AlternativeName::Kind::kDns) return Printable(name.value);
  }
  if (certificate->subject().empty()) {
    return "certificate " + FormatFingerprint(certificate->fingerprint()).substr(0, 16);
  }
  return Printable(certificate->subject().ToString());
}

}  // namespace troth
