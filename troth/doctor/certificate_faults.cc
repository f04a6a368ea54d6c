#include "troth/doctor/certificate_faults_internal.h"

#include <algorithm>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/doctor/certificate_role_internal.h"
#include "troth/pki/description.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

std::string NamesOrSubject(const Certificate& certificate) {
  constexpr size_t kMost = 10;
  std::vector<std::string> names;
  for (const AlternativeName& name : certificate.alternative_names()) {
    if (names.size() == kMost) {
      names.emplace_back("...");
      break;
    }
    names.push_back(Printable(name.ToString()));
  }
  return names.empty() ? "no subject alternative name, only the subject " + Called(certificate)
                       : Join(names, ", ");
}

std::string ExplainMismatch(const Certificate& leaf, const AlternativeName& name) {
  for (const AlternativeName& has : leaf.alternative_names()) {
    if (has.kind != AlternativeName::Kind::kDns) continue;
    if (name.kind == AlternativeName::Kind::kIp && has.value == name.ToPlainString()) {
      return "the address is written as a DNS name, and an IP address is only matched by an IP "
             "name";
    }
    if (name.kind == AlternativeName::Kind::kDns && has.value.starts_with("*.") &&
        ToLowerAscii(name.value).ends_with(ToLowerAscii(has.value.substr(1)))) {
      return "'" + Printable(has.value) + "' stands for one label, and this name has more";
    }
  }
  return "";
}

bool IsInTime(const Certificate& certificate, Time now) {
  return certificate.validity().not_before <= now && now <= certificate.validity().not_after;
}

absl::Status CheckByItself(const Certificate& leaf, Usage usage, Time now) {
  const Validity& validity = leaf.validity();
  const Time end = std::max(validity.not_before, validity.not_after);
  return ValidatePath(leaf, {}, TrustBundle::FromCertificates({leaf}),
                      {.now = std::clamp(now, validity.not_before, end), .usage = usage})
      .status;
}

std::optional<Finding> FindWeakKey(const Certificate& certificate) {
  const absl::Status status = certificate.public_key().CheckStrength();
  if (status.ok()) return std::nullopt;
  return Finding{
      .reason = *ReasonOf(status),
      .title = "the key of " + Called(certificate) + ": " + std::string(ToStd(status.message())),
      .expected =
          "P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits with an exponent "
          "of 65537 or more",
      .got = certificate.public_key().Describe(),
      .fix = "make a new key, and have a certificate issued for it"};
}

std::optional<Finding> FindWeakSignature(const Certificate& certificate) {
  const SignatureAlgorithm algorithm = certificate.signature_algorithm();
  if (!IsRefused(algorithm)) return std::nullopt;
  const char* what = algorithm == SignatureAlgorithm::kOther
                         ? "an algorithm that Troth does not accept, though other TLS libraries may"
                         : "SHA-1, which TLS no longer accepts";
  return Finding{.reason = Reason::kAlgorithmNotAllowed,
                 .title = "the signature of " + Called(certificate) + " is made with " + what,
                 .expected =
                     "ECDSA, Ed25519, RSA, or RSA-PSS with a salt as long as its hash; "
                     "with SHA-256 or better",
                 .got = std::string(NameOf(algorithm)),
                 .fix = "have it issued anew, with another algorithm"};
}

}  // namespace troth
