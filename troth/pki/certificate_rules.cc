#include "troth/pki/certificate_rules_internal.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"

namespace troth {
namespace {

enum class Criticality { kEither, kMust, kMustNot };

struct KnownExtension {
  std::string_view oid, name;
  Criticality criticality;
};

constexpr std::string_view kPolicyConstraints = "2.5.29.36";

// What is processed here or read by Certificate, and the policy extensions, which cannot fail a
// path as long as no CA requires an explicit policy (6.1.3 (f)).
constexpr std::array kKnownExtensions = {
    KnownExtension{"2.5.29.14", "subjectKeyIdentifier", Criticality::kMustNot},
    KnownExtension{"2.5.29.15", "keyUsage", Criticality::kEither},
    KnownExtension{"2.5.29.17", "subjectAltName", Criticality::kEither},
    KnownExtension{"2.5.29.19", "basicConstraints", Criticality::kEither},
    KnownExtension{"2.5.29.30", "nameConstraints", Criticality::kMust},
    KnownExtension{"2.5.29.31", "cRLDistributionPoints", Criticality::kEither},
    KnownExtension{"2.5.29.32", "certificatePolicies", Criticality::kEither},
    KnownExtension{"2.5.29.33", "policyMappings", Criticality::kEither},
    KnownExtension{"2.5.29.35", "authorityKeyIdentifier", Criticality::kMustNot},
    KnownExtension{kPolicyConstraints, "policyConstraints", Criticality::kMust},
    KnownExtension{"2.5.29.37", "extKeyUsage", Criticality::kEither},
    KnownExtension{"2.5.29.54", "inhibitAnyPolicy", Criticality::kEither},
    KnownExtension{"1.3.6.1.5.5.7.1.1", "authorityInfoAccess", Criticality::kMustNot},
};

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kCertificateMalformed, message);
}

// Whether an explicit policy is required: [0] of the SEQUENCE.
absl::Status CheckPolicyConstraints(const Extension& extension) {
  der::Reader outer(extension.value, "policyConstraints");
  der::Reader fields = outer.Enter(der::kSequence, "value");
  der::Element element;
  bool explicit_policy = false;
  bool inhibit_mapping = false;
  const bool read = fields.ReadOptional(der::ContextPrimitive(0), "requireExplicitPolicy", element,
                                        explicit_policy) &&
                    fields.ReadOptional(der::ContextPrimitive(1), "inhibitPolicyMapping", element,
                                        inhibit_mapping) &&
                    fields.End("value") && outer.End("value");
  if (!read) {
    return Malformed(ToStd((fields.status().ok() ? outer : fields).status().message()));
  }
  if (explicit_policy) {
    return MakeError(Reason::kCriticalExtensionUnknown,
                     "policyConstraints require an explicit certificate policy, and policies are "
                     "not processed");
  }
  return absl::OkStatus();
}

std::string Listed(const std::vector<std::string>& usages) {
  std::string out;
  for (const std::string& usage : usages) {
    if (out.size() > 200) return out + ", ...";
    if (!out.empty()) out += ", ";
    out += usage == kServerAuthOid            ? "serverAuth"
           : usage == kClientAuthOid          ? "clientAuth"
           : usage == kAnyExtendedKeyUsageOid ? "anyExtendedKeyUsage"
                                              : usage;
  }
  return out;
}

absl::Status CheckExtendedKeyUsage(const Certificate& certificate, Usage usage) {
  if (usage == Usage::kAny || !certificate.extended_key_usage().has_value())
    return absl::OkStatus();
  const std::vector<std::string>& usages = *certificate.extended_key_usage();
  const bool server = usage == Usage::kServer;
  if (std::ranges::find(usages, server ? kServerAuthOid : kClientAuthOid) != usages.end() ||
      std::ranges::find(usages, kAnyExtendedKeyUsageOid) != usages.end()) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kUsageNotAllowed, std::string("expected extended key usage ") +
                                                 (server ? "serverAuth" : "clientAuth") + ", got " +
                                                 Listed(usages));
}

bool HasUsage(const Certificate& certificate, std::uint16_t bits) {
  return !certificate.key_usage().has_value() || (*certificate.key_usage() & bits) != 0;
}

}  // namespace

absl::Status CheckTime(const Certificate& certificate, Time now) {
  const Validity& validity = certificate.validity();
  if (now > validity.not_after) {
    return MakeError(Reason::kCertificateExpired,
                     "expired " + FormatDuration(now - validity.not_after) + " ago: valid until " +
                         FormatTime(validity.not_after) + ", now " + FormatTime(now));
  }
  if (now < validity.not_before) {
    return MakeError(Reason::kCertificateNotYetValid,
                     "becomes valid in " + FormatDuration(validity.not_before - now) +
                         ": valid from " + FormatTime(validity.not_before) + ", now " +
                         FormatTime(now));
  }
  return absl::OkStatus();
}

absl::Status CheckExtensions(const Certificate& certificate) {
  for (const Extension& extension : certificate.extensions()) {
    const auto known =
        std::ranges::find(kKnownExtensions, std::string_view(extension.oid), &KnownExtension::oid);
    if (known == kKnownExtensions.end()) {
      if (!extension.critical) continue;
      return MakeError(Reason::kCriticalExtensionUnknown,
                       "the critical extension " + extension.oid + " is not understood");
    }
    const std::string name(known->name);
    if (known->criticality == Criticality::kMust && !extension.critical) {
      return Malformed("the extension " + name + " must be critical and is not");
    }
    if (known->criticality == Criticality::kMustNot && extension.critical) {
      return Malformed("the extension " + name + " must not be critical and is");
    }
    if (known->oid == kPolicyConstraints) {
      if (absl::Status status = CheckPolicyConstraints(extension); !status.ok()) return status;
    }
  }
  if (certificate.name_constraints().has_value() && !certificate.is_ca()) {
    return Malformed("it has nameConstraints and is not a CA");
  }
  return absl::OkStatus();
}

absl::Status CheckAuthority(const Certificate& ca, CaRole role, Usage usage) {
  const auto not_authority = [](std::string_view message) {
    return MakeError(Reason::kNotACertificateAuthority, message);
  };
  if (ca.version() < 3 && role == CaRole::kIntermediate) {
    return not_authority("expected a version-3 certificate with CA:TRUE, got version " +
                         std::to_string(ca.version()));
  }
  if (!ca.is_ca()) {
    return not_authority(std::string("expected basicConstraints CA:TRUE, got ") +
                         (ca.basic_constraints().has_value() ? "CA:FALSE" : "none"));
  }
  if (!HasUsage(ca, kKeyCertSign)) {
    return not_authority("its keyUsage lacks keyCertSign");
  }
  return CheckExtendedKeyUsage(ca, usage);
}

absl::Status CheckLeaf(const Certificate& leaf, Usage usage) {
  if (leaf.issuer().empty()) return Malformed("its issuer is empty");
  if (leaf.subject().empty() && !leaf.alternative_names_critical()) {
    return Malformed("its subject is empty, and it has no critical subjectAltName in place of it");
  }
  if (leaf.key_usage().has_value() && (*leaf.key_usage() & kKeyCertSign) != 0 && !leaf.is_ca()) {
    return Malformed("its keyUsage has keyCertSign, and it is not a CA");
  }
  if (absl::Status status = leaf.public_key().CheckStrength(); !status.ok()) return status;
  if (absl::Status status = CheckExtendedKeyUsage(leaf, usage); !status.ok()) return status;
  if (usage == Usage::kServer && !HasUsage(leaf, kDigitalSignature | kKeyEncipherment)) {
    return MakeError(Reason::kUsageNotAllowed,
                     "expected keyUsage digitalSignature or keyEncipherment for a server");
  }
  if (usage == Usage::kClient && !HasUsage(leaf, kDigitalSignature)) {
    return MakeError(Reason::kUsageNotAllowed, "expected keyUsage digitalSignature for a client");
  }
  return absl::OkStatus();
}

}  // namespace troth
