// Who a client is, as header fields for the service behind nginx.
#pragma once

#include <string>
#include <string_view>

#include "troth/http/message.h"
#include "troth/pki/certificate.h"

namespace troth {

// Subject is nginx's own $ssl_client_s_dn (RFC 2253: what is special in a value is escaped).
inline constexpr std::string_view kSubjectField = "Troth-Client-Subject";
// The others come from the certificate's own bytes.
inline constexpr std::string_view kCommonNameField = "Troth-Client-Common-Name";
inline constexpr std::string_view kNamesField = "Troth-Client-Names";
inline constexpr std::string_view kSpiffeIdField = "Troth-Client-Spiffe-Id";
inline constexpr std::string_view kSha256Field = "Troth-Client-Sha256";

// What IdentityFields says of a certificate together. No more fits into what nginx reads.
inline constexpr size_t kMaxIdentityBytes = size_t{24} << 10;

// Common name (when there is one), names ("DNS:a.example,IP:10.0.0.1", when there are any), SPIFFE
// ID (when there is one) and SHA-256 (64 hexadecimal digits) of `leaf`. Directory and other names,
// which have no text, are left out. Bytes that would end a name or a field (controls, bytes outside
// ASCII, '%', in names also ',' and spaces) are escaped as %XX, so that two different names never
// look alike and PercentDecode gives each back.
HttpFields IdentityFields(const Certificate& leaf);

}  // namespace troth
