// Certificates, as DER, as PEM and as trust bundles. What is read must be self-consistent: written
// as PEM it reads as the same, and every description of it can be made.
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/pki/certificate.h"
#include "troth/pki/trust_bundle.h"

namespace {

using troth::Require;

void Use(const troth::Certificate& certificate) {
  const absl::StatusOr<troth::Certificate> again = troth::Certificate::FromPem(certificate.ToPem());
  Require(again.ok() && *again == certificate);
  Require(certificate.Describe().find('\n') == std::string::npos);
  for (const std::string& weakness : certificate.Weaknesses()) Require(!weakness.empty());
  for (const troth::AlternativeName& name : certificate.alternative_names()) {
    Require(name.ToString().find('\n') == std::string::npos);
  }
  for (const troth::DistinguishedName* name : {&certificate.subject(), &certificate.issuer()}) {
    const absl::StatusOr<troth::DistinguishedName> same =
        troth::DistinguishedName::FromDer(name->der());
    Require(same.ok() && same->Matches(*name) && name->IsWithin(*same));
  }
  Require(!certificate.spiffe_id().has_value() || !certificate.alternative_names().empty());
  // Both may refuse; they must not crash on a key that was only looked at.
  static_cast<void>(certificate.public_key().CheckStrength());
  static_cast<void>(certificate.IsSelfSigned());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto certificate = troth::Certificate::FromDer(bytes); certificate.ok()) {
    Require(certificate->der() == bytes);
    Use(*certificate);
  }
  if (const auto list = troth::Certificate::ListFromPem(bytes, 10); list.ok()) {
    Require(!list->empty() && list->size() <= 10);
    for (const troth::Certificate& certificate : *list) Use(certificate);
  }
  if (const auto bundle = troth::TrustBundle::FromPem(bytes); bundle.ok()) {
    for (const troth::Certificate& anchor : bundle->anchors()) {
      Require(!bundle->FindBySubject(anchor.subject()).empty());
    }
  }
  return 0;
}
