// The extensions of a certificate (RFC 5280 section 4.2), parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/pki/certificate.h"
#include "troth/pki/der.h"

namespace troth {

inline constexpr std::string_view kSubjectKeyIdOid = "2.5.29.14";
inline constexpr std::string_view kKeyUsageOid = "2.5.29.15";
inline constexpr std::string_view kSubjectAltNameOid = "2.5.29.17";
inline constexpr std::string_view kIssuerAltNameOid = "2.5.29.18";
inline constexpr std::string_view kBasicConstraintsOid = "2.5.29.19";
inline constexpr std::string_view kCrlNumberOid = "2.5.29.20";
inline constexpr std::string_view kReasonCodeOid = "2.5.29.21";
inline constexpr std::string_view kInvalidityDateOid = "2.5.29.24";
inline constexpr std::string_view kDeltaCrlIndicatorOid = "2.5.29.27";
inline constexpr std::string_view kIssuingDistributionPointOid = "2.5.29.28";
inline constexpr std::string_view kCertificateIssuerOid = "2.5.29.29";
inline constexpr std::string_view kNameConstraintsOid = "2.5.29.30";
inline constexpr std::string_view kCrlDistributionPointsOid = "2.5.29.31";
inline constexpr std::string_view kCertificatePoliciesOid = "2.5.29.32";
inline constexpr std::string_view kAuthorityKeyIdOid = "2.5.29.35";
inline constexpr std::string_view kExtendedKeyUsageOid = "2.5.29.37";
inline constexpr std::string_view kAuthorityInfoAccessOid = "1.3.6.1.5.5.7.1.1";

// What the extensions that Troth knows say, and all of them as they stand.
struct CertificateExtensions {
  std::vector<AlternativeName> alternative_names;
  bool alternative_names_critical = false;
  std::optional<BasicConstraints> basic_constraints;
  std::optional<std::uint16_t> key_usage;
  std::optional<std::vector<std::string>> extended_key_usage;
  std::optional<NameConstraints> name_constraints;
  std::optional<std::string> subject_key_id;
  std::optional<std::string> authority_key_id;
  std::vector<std::string> crl_distribution_points;
  std::vector<std::string> authority_info_access;
  std::vector<Extension> all;
};

// The functions below take a reader of the content of the structure that they are named for.
// Errors: InvalidArgument without a reason, for the caller to add.

// SEQUENCE OF Extension, at least one, none twice; values are not looked at. `critical` FALSE
// written out is refused.
absl::Status ReadExtensionList(der::Reader extensions, std::vector<Extension>& out);

// The extensions of a certificate, with the known ones parsed strictly. Two leniencies, for what
// tools in wide use write: cA FALSE written out (rcgen), trailing zero bits in keyUsage.
absl::Status ReadCertificateExtensions(der::Reader extensions, CertificateExtensions& out);

// The keyIdentifier of an AuthorityKeyIdentifier's value, when it has one.
absl::Status ReadAuthorityKeyId(std::string_view value, std::optional<std::string>& key_id);

}  // namespace troth
