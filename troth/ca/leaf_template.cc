#include "troth/ca/leaf_template.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/templates.h"

namespace troth {
namespace {

std::vector<std::string> UsagesOf(LeafUsages usages) {
  std::vector<std::string> oids;
  if (usages != LeafUsages::kClient) oids.emplace_back(kServerAuthOid);
  if (usages != LeafUsages::kServer) oids.emplace_back(kClientAuthOid);
  return oids;
}

absl::Status CheckLifetime(const Profile& profile, Seconds lifetime) {
  if (lifetime > Seconds(0) && lifetime <= profile.max_lifetime) return absl::OkStatus();
  return MakeError(Reason::kUsageError, "profile \"" + profile.name + "\" allows lifetimes up to " +
                                            FormatDuration(profile.max_lifetime) + ", got " +
                                            FormatDuration(lifetime));
}

absl::StatusOr<DistinguishedName> SubjectOf(const Asked& asked, const Profile& profile) {
  if (profile.whole_subject) return asked.subject;
  if (asked.common_name.empty()) return DistinguishedName();
  return DistinguishedName::FromCommonName(asked.common_name);
}

std::vector<AlternativeName> AlternativeNamesOf(const Asked& asked, const Profile& profile) {
  if (!asked.names.empty()) return asked.names;
  std::vector<AlternativeName> names;
  std::optional<AlternativeName> name = NameOfCommonName(asked.common_name);
  if (name.has_value() && IsAllowed(*name, profile.names)) names.push_back(*std::move(name));
  return names;
}

// The second reader. Nothing below knows how a template is made.

// What a leaf may have, whether it must, and whether it is critical (RFC 5280 section 4.2.1).
enum class Presence { kRequired, kOptional };
enum class Criticality { kCritical, kNotCritical, kWithoutSubject, kOfProfile };
struct KnownExtension {
  std::string_view oid;
  Presence presence;
  Criticality criticality;
};
constexpr std::array kKnownExtensions = {
    KnownExtension{"2.5.29.19", Presence::kRequired, Criticality::kCritical},     // CA:FALSE
    KnownExtension{"2.5.29.15", Presence::kRequired, Criticality::kCritical},     // keyUsage
    KnownExtension{"2.5.29.37", Presence::kRequired, Criticality::kOfProfile},    // EKU
    KnownExtension{"2.5.29.14", Presence::kRequired, Criticality::kNotCritical},  // SKI
    KnownExtension{"2.5.29.35", Presence::kRequired, Criticality::kNotCritical},  // AKI
    KnownExtension{"2.5.29.17", Presence::kOptional, Criticality::kWithoutSubject},
    KnownExtension{"2.5.29.31", Presence::kOptional, Criticality::kNotCritical},  // CRL
    KnownExtension{"1.3.6.1.5.5.7.1.1", Presence::kOptional, Criticality::kNotCritical},
};

bool HasOnlyKnownExtensions(const Certificate& certificate, const Profile& profile) {
  for (const Extension& extension : certificate.extensions()) {
    const auto* const known =
        std::ranges::find(kKnownExtensions, extension.oid, &KnownExtension::oid);
    if (known == kKnownExtensions.end()) return false;
    const bool critical =
        known->criticality == Criticality::kCritical ||
        (known->criticality == Criticality::kWithoutSubject && certificate.subject().empty()) ||
        (known->criticality == Criticality::kOfProfile && profile.usages_critical);
    if (extension.critical != critical) return false;
  }
  return std::ranges::all_of(kKnownExtensions, [&](const KnownExtension& known) {
    return known.presence == Presence::kOptional ||
           std::ranges::count(certificate.extensions(), known.oid, &Extension::oid) == 1;
  });
}

// 20 bytes that begin with 01: positive, in their shortest form.
bool HasOurSerial(const Certificate& certificate) {
  const std::string& octets = certificate.serial_number().der_content();
  return octets.size() == 20 && (static_cast<unsigned char>(octets[0]) & 0xc0) == 0x40;
}

bool IsLeaf(const Certificate& certificate) {
  const std::optional<BasicConstraints> constraints = certificate.basic_constraints();
  return certificate.version() == 3 && !certificate.is_ca() && constraints.has_value() &&
         !constraints->is_ca && !constraints->path_length.has_value() &&
         !certificate.name_constraints().has_value();
}

bool HasKeyUsage(const Certificate& certificate) {
  const bool rsa = certificate.public_key().kind() == PublicKey::Kind::kRsa;
  return certificate.key_usage() ==
         static_cast<std::uint16_t>(kDigitalSignature | (rsa ? kKeyEncipherment : 0));
}

bool HasExtendedKeyUsage(const Certificate& certificate, const Profile& profile) {
  const auto& usages = certificate.extended_key_usage();
  if (!usages.has_value()) return false;
  const auto has = [&](std::string_view oid) { return std::ranges::count(*usages, oid) == 1; };
  switch (profile.usages) {
    case LeafUsages::kClient:
      return usages->size() == 1 && has(kClientAuthOid);
    case LeafUsages::kServer:
      return usages->size() == 1 && has(kServerAuthOid);
    case LeafUsages::kServerAndClient:
      return usages->size() == 2 && has(kClientAuthOid) && has(kServerAuthOid);
  }
  return false;
}

bool HasSubject(const Certificate& certificate, const Asked& asked, const Profile& profile) {
  if (profile.whole_subject) return certificate.subject() == asked.subject;
  const std::vector<NameAttribute>& attributes = certificate.subject().attributes();
  if (asked.common_name.empty()) return attributes.empty();
  return attributes.size() == 1 && attributes.front().key == "CN" &&
         attributes.front().value == asked.common_name;
}

// Exactly those asked for; or, where none was, at most the common name.
bool HasNames(const Certificate& certificate, const Asked& asked) {
  const std::vector<AlternativeName>& names = certificate.alternative_names();
  if (!asked.names.empty()) return std::ranges::is_permutation(names, asked.names);
  return names.empty() ||
         (names.size() == 1 &&
          EqualsIgnoreCaseAscii(names.front().ToPlainString(), asked.common_name) &&
          (names.front().kind == AlternativeName::Kind::kDns ||
           names.front().kind == AlternativeName::Kind::kIp));
}

bool HasOnlyAllowedNames(const Certificate& certificate, const Profile& profile,
                         const ReservedNames& reserved) {
  const std::optional<std::string> common_name = certificate.subject().common_name();
  if (common_name.has_value() && (IsReservedCommonName(*common_name, reserved) ||
                                  !IsAllowedCommonName(*common_name, profile.names))) {
    return false;
  }
  return std::ranges::all_of(certificate.alternative_names(), [&](const AlternativeName& name) {
    if (profile.admin) return IsAdminName(name, reserved);
    return !IsReserved(name, reserved) && IsAllowed(name, profile.names);
  });
}

bool HasLifetime(const Certificate& certificate, const Profile& profile) {
  const Validity& validity = certificate.validity();
  return validity.not_after > validity.not_before &&
         validity.not_after - validity.not_before <= profile.max_lifetime + kBackdate;
}

}  // namespace

absl::StatusOr<CertificateTemplate> BuildTemplate(const Asked& asked, const Profile& profile,
                                                  const ReservedNames& reserved,
                                                  std::optional<Seconds> lifetime, Time now) {
  if (absl::Status checked = CheckAsked(asked, profile, reserved); !checked.ok()) return checked;
  const Seconds chosen = lifetime.value_or(profile.default_lifetime);
  if (absl::Status checked = CheckLifetime(profile, chosen); !checked.ok()) return checked;
  const absl::StatusOr<DistinguishedName> subject = SubjectOf(asked, profile);
  if (!subject.ok()) return subject.status();
  CertificateTemplate what = LeafTemplate(*subject, AlternativeNamesOf(asked, profile), asked.key,
                                          LeafUsage::kServerAndClient, now, now + chosen);
  what.extended_key_usage = UsagesOf(profile.usages);
  what.extended_key_usage_critical = profile.usages_critical;
  return what;
}

absl::Status CheckAgainstProfile(const Certificate& certificate, const Asked& asked,
                                 const Profile& profile, const ReservedNames& reserved) {
  const std::array<std::pair<std::string_view, bool>, 10> checks = {{
      {"a leaf", IsLeaf(certificate)},
      {"the key that was asked for", certificate.public_key().der() == asked.key.der()},
      {"the key usage of a leaf", HasKeyUsage(certificate)},
      {"the profile's extended key usage", HasExtendedKeyUsage(certificate, profile)},
      {"the subject that was asked for", HasSubject(certificate, asked, profile)},
      {"the names that were asked for", HasNames(certificate, asked)},
      {"names that the profile allows", HasOnlyAllowedNames(certificate, profile, reserved)},
      {"a lifetime that the profile allows", HasLifetime(certificate, profile)},
      {"the extensions of a leaf", HasOnlyKnownExtensions(certificate, profile)},
      {"a serial number of 20 bytes that begins with the bits 01", HasOurSerial(certificate)},
  }};
  const auto* const wrong =
      std::ranges::find(checks, false, &std::pair<std::string_view, bool>::second);
  if (wrong == checks.end()) return absl::OkStatus();
  return MakeError(Reason::kInternal, "the finished certificate does not have what profile \"" +
                                          profile.name + "\" says: expected " +
                                          std::string(wrong->first) + ", got " +
                                          certificate.Describe() + "; it is not released");
}

}  // namespace troth
