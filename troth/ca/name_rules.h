// Which names a profile or a token allows, and which none does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "troth/pki/name.h"

namespace troth {

// Which names a profile allows. A name is allowed when one entry of its kind matches; a kind
// without entries is not allowed at all. Directory names, other names and, without `any`, URIs that
// are no SPIFFE IDs are never allowed.
struct AllowedNames {
  bool any = false;  // every name but the reserved ones
  // "*.web.internal" (one label), "**.internal" (any depth, and itself not), "db.internal",
  // "node-*.internal" ("*" within a label). Case does not count. A wildcard that is asked for
  // ("*.web.internal") is allowed only by an entry that allows every name it stands for.
  std::vector<std::string> dns = {};
  std::vector<std::string> ip = {};  // "10.0.0.0/8", "::1"
  // "spiffe://example.org/db/*" (one segment), "spiffe://example.org/**" (one or more).
  std::vector<std::string> spiffe = {};
  std::vector<std::string> email = {};  // "*@example.org"
  // Pattern of the common name with '*' for anything, or "uuid". Empty: a common name is allowed
  // when it is an allowed DNS name or address.
  std::string common_name = {};
};

// The authority's own names, which no profile issues to others. Names of the machine itself
// ("localhost", 127.0.0.0/8, ::1) are nobody's own, and do not count. Empty: nothing is reserved.
struct ReservedNames {
  std::vector<AlternativeName> names = {};  // of its servers
  std::string trust_domain = {};  // "example.org": spiffe://example.org/troth/ is reserved
  // Of its root and issuers: a leaf with its issuer's name would be taken for self-signed.
  std::vector<std::string> common_names = {};
};

// OK when every pattern is well-formed. Errors: configuration_invalid.
absl::Status CheckPatterns(const AllowedNames& allowed);

// "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d", in either case.
bool IsUuid(std::string_view text);
// Whether `text`, such as a common name, matches a pattern of AllowedNames::common_name.
bool TextMatches(std::string_view pattern, std::string_view text);

// Whether a pattern of AllowedNames::dns, spiffe or email allows a name. Both are well-formed: the
// caller's duty (CheckPatterns, CheckWellFormed).
bool DnsPatternAllows(std::string_view pattern, std::string_view name);
bool SpiffePatternAllows(std::string_view pattern, std::string_view id);
bool EmailPatternAllows(std::string_view pattern, std::string_view address);

// OK when `name` is one that a certificate may hold: a DNS name of letters, digits, hyphens and
// underscores without a trailing dot, that is no address in digits, with nothing but "xn--" before
// a second hyphen in a row at its third place (RFC 5890 section 2.3.1); an address that is not an
// IPv4 one written as IPv6; a SPIFFE ID with a path; a URI; an email address. Errors:
// request_malformed.
absl::Status CheckWellFormed(const AlternativeName& name);
// 1 to 64 characters of UTF-8, none of which is a control or an invisible character, without white
// space at its ends; no DNS name with a trailing dot, no "*" but as the first label of a DNS name,
// and no address that CheckWellFormed refuses: some clients take a common name for a host name.
// Errors: request_malformed.
absl::Status CheckCommonName(std::string_view text);

bool IsAllowed(const AlternativeName& name, const AllowedNames& allowed);
bool IsAllowedCommonName(std::string_view text, const AllowedNames& allowed);

// Whether the name is the authority's own, or a wildcard that stands for one of them, or a SPIFFE
// ID at or below spiffe://TRUST-DOMAIN/troth.
bool IsReserved(const AlternativeName& name, const ReservedNames& reserved);
// Likewise for a common name, which old clients compare with host names. Neither case nor white
// space tells one apart from a reserved common name: they do not where issuers are looked for.
bool IsReservedCommonName(std::string_view text, const ReservedNames& reserved);
// Whether it is a SPIFFE ID below spiffe://TRUST-DOMAIN/troth/admin/.
bool IsAdminName(const AlternativeName& name, const ReservedNames& reserved);

// The DNS name or address that a common name is, if it is one that a certificate may hold. DNS
// names in lower case.
std::optional<AlternativeName> NameOfCommonName(std::string_view text);

// For messages: `dns "*.web.internal", ip "10.0.0.0/8"`.
std::string Describe(const AllowedNames& allowed);

}  // namespace troth
