// Path validation over certificates, anchors and lists from the input: it ends, within its budget,
// and what it calls good is a path that is good by itself.
//
// Input: a byte of options, then items: a byte of role (modulo 4: intermediate, anchor, CRL, leaf),
// two bytes of length (big-endian), DER. Items that are not read are skipped; the last leaf counts.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "troth/base/fuzz_testing.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"
#include "troth/pki/path_validation.h"
#include "troth/pki/trust_bundle.h"

namespace {

using troth::Certificate;
using troth::Crl;
using troth::Require;

constexpr size_t kChecks = 100;
constexpr size_t kChecksForExplanation = 64;

struct Case {
  std::uint8_t options = 0;
  std::optional<Certificate> leaf;
  std::vector<Certificate> intermediates, anchors;
  std::vector<Crl> crls;
};

Case Read(std::string_view input) {
  Case out;
  if (input.empty()) return out;
  out.options = static_cast<std::uint8_t>(input[0]);
  input.remove_prefix(1);
  while (input.size() > 3) {
    const int role = static_cast<std::uint8_t>(input[0]) % 4;
    const size_t length = static_cast<size_t>(static_cast<std::uint8_t>(input[1])) << 8 |
                          static_cast<std::uint8_t>(input[2]);
    const std::string_view der = input.substr(3, length);
    input.remove_prefix(3 + der.size());
    if (role == 2) {
      if (auto crl = Crl::FromDer(der); crl.ok()) out.crls.push_back(*std::move(crl));
      continue;
    }
    auto certificate = Certificate::FromDer(der);
    if (!certificate.ok()) continue;
    if (role == 0) out.intermediates.push_back(*certificate);
    if (role == 1) out.anchors.push_back(*certificate);
    if (role == 3) out.leaf = *certificate;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const Case input = Read({reinterpret_cast<const char*>(data), size});
  if (!input.leaf.has_value()) return 0;

  troth::PathOptions options;
  // Chains of the seed corpus are valid a day after they were made.
  options.now = input.leaf->validity().not_before + std::chrono::hours(24);
  options.usage = static_cast<troth::Usage>(input.options % 3);
  options.crls = &input.crls;
  options.revocation = (input.options & 4) != 0 ? troth::RevocationCheck::kRequired
                                                : troth::RevocationCheck::kWhereListed;
  if ((input.options & 8) != 0) {
    options.name = troth::AlternativeName{troth::AlternativeName::Kind::kDns, "leaf.example.com"};
  }
  options.max_signature_checks = kChecks;

  const auto trust = troth::TrustBundle::FromCertificates(input.anchors);
  const troth::PathResult result =
      troth::ValidatePath(*input.leaf, input.intermediates, trust, options);
  Require(result.signature_checks <= kChecks + kChecksForExplanation);
  if (!result.status.ok()) return 0;

  Require(result.path.front() == *input.leaf && result.valid_until >= options.now);
  const auto anchor = troth::TrustBundle::FromCertificates({result.path.back()});
  Require(troth::ValidatePath(*input.leaf, result.path, anchor, options).status.ok());
  return 0;
}
