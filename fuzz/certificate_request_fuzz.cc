// Certificate requests, as DER and as PEM. A request that is read has verified: it can be written
// and read again.
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/pki/certificate_request.h"

namespace {

using troth::Require;

void Use(const troth::CertificateRequest& request) {
  const absl::StatusOr<troth::CertificateRequest> again =
      troth::CertificateRequest::FromPem(request.ToPem());
  Require(again.ok() && again->der() == request.der());
  Require(request.public_key().CheckStrength().ok());
  for (const troth::AlternativeName& name : request.alternative_names()) {
    Require(name.ToString().find('\n') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = troth::CertificateRequest::FromDer(bytes); request.ok()) Use(*request);
  if (const auto request = troth::CertificateRequest::FromPem(bytes); request.ok()) Use(*request);
  return 0;
}
