// Names in certificates: distinguished names and the four kinds of alternative name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace troth {

// One attribute of a distinguished name, e.g. {"CN", "2.5.4.3", "localhost"}.
struct NameAttribute {
  // "C", "ST", "L", "O", "OU", "CN", ...; the dotted OID when there is no short name.
  std::string key;
  std::string oid;  // dotted
  // UTF-8; "#" and hexadecimal of its DER when the value is not of a string type.
  std::string value;
  bool operator==(const NameAttribute&) const = default;
};

// A distinguished name (RFC 5280 section 4.1.2.4). Immutable; holds its DER as read, so that what
// is copied into an issued certificate is the issuer's name byte for byte.
class DistinguishedName {
 public:
  // The empty name.
  DistinguishedName();
  // Errors: certificate_malformed.
  static absl::StatusOr<DistinguishedName> FromDer(std::string_view der);
  // Each attribute an RDN of its own, in order. PrintableString for C, UTF8String otherwise (what
  // OpenSSL writes). Errors (bad key, value empty or too long by RFC 5280 appendix A.1: CN 64, C 2,
  // O 64, ...): request_malformed.
  static absl::StatusOr<DistinguishedName> FromAttributes(
      const std::vector<NameAttribute>& attributes);
  // From "/C=US/O=Clementine/CN=localhost" as openssl's -subj takes it ('\' escapes '/', '=' and
  // '+'). Keys in either case or dotted OIDs; "/" is the empty name. A '+' that is not escaped is
  // an error: multi-valued RDNs are read and not written. Errors: request_malformed.
  static absl::StatusOr<DistinguishedName> FromSlashes(std::string_view text);
  static absl::StatusOr<DistinguishedName> FromCommonName(std::string_view common_name);

  const std::string& der() const { return der_; }
  const std::vector<NameAttribute>& attributes() const { return attributes_; }
  bool empty() const { return attributes_.empty(); }
  // The value of the last CN, nothing when there is none.
  std::optional<std::string> common_name() const;
  // The values of every attribute with this key, in order.
  std::vector<std::string> ValuesOf(std::string_view key) const;
  // RFC 4514 order and escapes reversed for reading: "C=US, O=Clementine, CN=localhost".
  std::string ToString() const;

  // RFC 5280 section 7.1: case and inner white space do not count, nor which string type holds the
  // text.
  bool Matches(const DistinguishedName& other) const;
  // Whether every RDN of `prefix` begins this name (directory name constraints).
  bool IsWithin(const DistinguishedName& prefix) const;
  bool operator==(const DistinguishedName& other) const { return der_ == other.der_; }

 private:
  std::string der_;
  std::vector<NameAttribute> attributes_;
  std::vector<std::string> normalized_rdns_;  // one canonical text an RDN, what Matches compares
};

// A GeneralName (RFC 5280 section 4.2.1.6) as a subject alternative name holds it.
struct AlternativeName {
  enum class Kind { kDns, kIp, kUri, kEmail, kDirectory, kOther };
  Kind kind = Kind::kDns;
  // DNS, URI, email: the ASCII text as written. IP: 4 or 16 bytes. Directory: DER. Other: DER of
  // the GeneralName.
  std::string value;

  // From what people type: "10.0.0.1" and "::1" are IP addresses, "spiffe://..." and other
  // "scheme://..." URIs, "a@b" email, everything else a DNS name ("*.example.com" too); "dns:",
  // "ip:", "uri:", "email:" before it decide. Errors: request_malformed, with what is wrong.
  static absl::StatusOr<AlternativeName> Parse(std::string_view text);
  // "DNS:localhost", "IP:127.0.0.1", "URI:spiffe://...", "email:a@b".
  std::string ToString() const;
  // The name without its kind: "localhost", "127.0.0.1".
  std::string ToPlainString() const;
  bool operator==(const AlternativeName&) const = default;
};

// Letters, digits, hyphens (underscores are read) in labels of 1 to 63, at most 253 in all; with
// `allow_wildcard` the first label may be "*". No trailing dot.
bool IsDnsName(std::string_view name, bool allow_wildcard);
// "127.0.0.1" or "::1" to 4 or 16 bytes.
std::optional<std::string> ParseIpAddress(std::string_view text);
std::string FormatIpAddress(std::string_view bytes);
// RFC 6125 section 6.4: `pattern` may have "*" as its whole first label, which stands for exactly
// one label. ASCII case does not count.
bool DnsNameMatches(std::string_view pattern, std::string_view name);

// A SPIFFE ID (SPIFFE-ID standard section 2): "spiffe://trust-domain/path". Immutable.
class SpiffeId {
 public:
  // Errors: request_malformed, with the rule that the text breaks.
  static absl::StatusOr<SpiffeId> Parse(std::string_view text);
  const std::string& ToString() const { return text_; }
  std::string_view trust_domain() const;
  std::string_view path() const;  // with its leading slash, or empty
  bool operator==(const SpiffeId&) const = default;

 private:
  explicit SpiffeId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace troth
