#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/der.h"
#include "troth/pki/extension_reader_internal.h"
#include "troth/pki/extension_writer_internal.h"
#include "troth/pki/issue_internal.h"
#include "troth/pki/name_constraints_internal.h"
#include "troth/pki/openssl_internal.h"

namespace troth {
namespace {

constexpr size_t kMaxSerialBytes = 20;  // RFC 5280 section 4.1.2.2
constexpr std::uint16_t kAllUsages = 0x1ff;

absl::Status Malformed(std::string_view message) {
  return MakeError(Reason::kRequestMalformed, message);
}

bool IsCa(const CertificateTemplate& what) {
  return what.basic_constraints.has_value() && what.basic_constraints->is_ca;
}

absl::Status CheckSerial(const SerialNumber& serial) {
  const std::string& octets = serial.der_content();
  const bool negative = (static_cast<std::uint8_t>(octets[0]) & 0x80) != 0;
  const bool zero = octets.size() == 1 && octets[0] == 0;
  if (negative || zero || octets.size() > kMaxSerialBytes) {
    return Malformed("expected a positive serial number of at most 20 octets, got " +
                     serial.ToHex());
  }
  return absl::OkStatus();
}

absl::Status CheckUrls(const CertificateTemplate& what) {
  std::vector<AlternativeName> urls;
  for (const auto* list : {&what.crl_urls, &what.ca_issuer_urls, &what.ocsp_urls}) {
    for (const std::string& url : *list) urls.push_back({AlternativeName::Kind::kUri, url});
  }
  return CheckAlternativeNames(urls);
}

absl::Status CheckUsages(const CertificateTemplate& what) {
  std::set<std::string_view> seen;
  for (const std::string& oid : what.extended_key_usage) {
    if (!der::EncodeOid(oid).has_value() || !seen.insert(oid).second) {
      return Malformed("expected each extended key usage once, as a dotted OID, got \"" +
                       Printable(oid) + "\"");
    }
  }
  const std::uint16_t usage = KeyUsageFor(what);
  if ((usage & ~kAllUsages) != 0) return Malformed("expected key usages of RFC 5280, got others");
  if (IsCa(what) != ((usage & kKeyCertSign) != 0)) {
    return Malformed(IsCa(what) ? "expected keyCertSign in the key usage of a CA, got none"
                                : "expected no keyCertSign in the key usage of a leaf, got it");
  }
  // RFC 5280 section 4.2.1.3: they say something about keyAgreement only.
  if ((usage & (kEncipherOnly | kDecipherOnly)) != 0 && (usage & kKeyAgreement) == 0) {
    return Malformed("expected keyAgreement beside encipherOnly or decipherOnly, got none");
  }
  return absl::OkStatus();
}

absl::Status CheckAuthorityFields(const CertificateTemplate& what) {
  if (IsCa(what) && what.subject.empty()) {
    return Malformed("expected a subject in a CA certificate, got an empty one");
  }
  if (what.basic_constraints.has_value() && what.basic_constraints->path_length.has_value() &&
      (!IsCa(what) || *what.basic_constraints->path_length < 0)) {
    return Malformed("expected a path length, not negative, in a CA certificate only");
  }
  if (!what.name_constraints.has_value()) return absl::OkStatus();
  if (!IsCa(what)) return Malformed("expected name constraints in a CA certificate only");
  if (what.name_constraints->permitted.empty() && what.name_constraints->excluded.empty()) {
    return Malformed("expected a name constraint, got an empty list");
  }
  const absl::StatusOr<NameRules> rules = NameRules::Create(*what.name_constraints);
  return rules.ok() ? absl::OkStatus() : Malformed(ToStd(rules.status().message()));
}

bool SameSubtrees(const std::vector<NameConstraints::Subtree>& a,
                  const std::vector<NameConstraints::Subtree>& b) {
  return std::ranges::equal(
      a, b, [](const auto& x, const auto& y) { return x.kind == y.kind && x.base == y.base; });
}

bool SameNameConstraints(const std::optional<NameConstraints>& a,
                         const std::optional<NameConstraints>& b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() == b.has_value();
  return SameSubtrees(a->permitted, b->permitted) && SameSubtrees(a->excluded, b->excluded);
}

bool SameBasicConstraints(const std::optional<BasicConstraints>& a,
                          const std::optional<BasicConstraints>& b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() == b.has_value();
  return a->is_ca == b->is_ca && a->path_length == b->path_length;
}

// Which extensions `what` asks for, and which of them are critical (RFC 5280 section 4.2.1).
std::vector<std::pair<std::string_view, bool>> ExpectedExtensions(const CertificateTemplate& what) {
  std::vector<std::pair<std::string_view, bool>> expected;
  const auto expect = [&](bool present, std::string_view oid, bool critical) {
    if (present) expected.emplace_back(oid, critical);
  };
  expect(what.basic_constraints.has_value(), kBasicConstraintsOid, true);
  expect(true, kKeyUsageOid, true);
  expect(!what.extended_key_usage.empty(), kExtendedKeyUsageOid, what.extended_key_usage_critical);
  expect(true, kSubjectKeyIdOid, false);
  expect(true, kAuthorityKeyIdOid, false);
  expect(!what.alternative_names.empty(), kSubjectAltNameOid, what.subject.empty());
  expect(what.name_constraints.has_value(), kNameConstraintsOid, true);
  expect(!what.crl_urls.empty(), kCrlDistributionPointsOid, false);
  expect(!what.ca_issuer_urls.empty() || !what.ocsp_urls.empty(), kAuthorityInfoAccessOid, false);
  return expected;
}

std::vector<std::string> ExpectedInfoAccess(const CertificateTemplate& what) {
  std::vector<std::string> expected;
  for (const std::string& url : what.ocsp_urls) expected.push_back("ocsp " + url);
  for (const std::string& url : what.ca_issuer_urls) expected.push_back("caIssuers " + url);
  return expected;
}

}  // namespace

std::string KeyIdOf(const PublicKey& key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  const std::string_view bits = key.key_bits();
  if (EVP_Digest(bits.data(), bits.size(), digest.data(), &length, openssl::Sha1Method(),
                 nullptr) != 1) {
    std::abort();  // only when memory is out
  }
  return {reinterpret_cast<const char*>(digest.data()), length};
}

std::uint16_t KeyUsageFor(const CertificateTemplate& what) {
  if (what.key_usage != 0) return what.key_usage;
  if (IsCa(what)) return kKeyCertSign | kCrlSign;
  // RSA key transport is what TLS 1.2 clients without ECDHE do; other keys cannot.
  if (what.public_key.kind() == PublicKey::Kind::kRsa) return kDigitalSignature | kKeyEncipherment;
  return kDigitalSignature;
}

bool IsWritable(Time time) {
  using std::chrono::January;
  using std::chrono::sys_days;
  using std::chrono::year;
  return time >= sys_days(year(1950) / January / 1) && time < sys_days(year(10000) / January / 1);
}

absl::Status CheckTemplate(const CertificateTemplate& what) {
  if (absl::Status serial = CheckSerial(what.serial); !serial.ok()) return serial;
  if (!IsWritable(what.validity.not_before) || !IsWritable(what.validity.not_after)) {
    return Malformed("expected a validity within the years 1950 to 9999, got another");
  }
  if (what.validity.not_after < what.validity.not_before) {
    return Malformed("expected notAfter not before notBefore (" +
                     FormatTime(what.validity.not_before) + "), got " +
                     FormatTime(what.validity.not_after));
  }
  if (absl::Status names = CheckAlternativeNames(what.alternative_names); !names.ok()) return names;
  if (absl::Status urls = CheckUrls(what); !urls.ok()) return urls;
  if (absl::Status usages = CheckUsages(what); !usages.ok()) return usages;
  if (absl::Status fields = CheckAuthorityFields(what); !fields.ok()) return fields;
  if (what.subject.empty() && what.alternative_names.empty()) {
    return MakeError(Reason::kNamesMissing,
                     "expected a subject or an alternative name, got neither; name what the "
                     "certificate is for");
  }
  return what.public_key.CheckStrength();
}

absl::Status CheckIssued(const Certificate& issued, const CertificateTemplate& what,
                         const IssuerFields& issuer) {
  std::vector<std::pair<std::string_view, bool>> extensions;
  for (const Extension& extension : issued.extensions()) {
    extensions.emplace_back(extension.oid, extension.critical);
  }
  const std::optional<std::vector<std::string>> usages =
      what.extended_key_usage.empty() ? std::nullopt : std::optional(what.extended_key_usage);
  const std::array<std::pair<std::string_view, bool>, 18> checks = {{
      {"version", issued.version() == 3},
      {"serial number", issued.serial_number() == what.serial},
      {"signature algorithm", issued.signature_algorithm() == issuer.algorithm},
      {"issuer", issued.issuer().der() == issuer.name_der},
      {"validity", issued.validity() == what.validity},
      {"subject", issued.subject() == what.subject},
      {"public key", issued.public_key() == what.public_key},
      {"extensions", extensions == ExpectedExtensions(what)},
      {"basic constraints",
       SameBasicConstraints(issued.basic_constraints(), what.basic_constraints)},
      {"key usage", issued.key_usage() == KeyUsageFor(what)},
      {"extended key usage", issued.extended_key_usage() == usages},
      {"subject key id", issued.subject_key_id() == KeyIdOf(what.public_key)},
      {"authority key id", issued.authority_key_id() == issuer.key_id},
      {"alternative names", issued.alternative_names() == what.alternative_names},
      {"name constraints", SameNameConstraints(issued.name_constraints(), what.name_constraints)},
      {"CRL distribution points", issued.crl_distribution_points() == what.crl_urls},
      {"authority information access", issued.authority_info_access() == ExpectedInfoAccess(what)},
      {"CA flag", issued.is_ca() == IsCa(what)},
  }};
  const auto wrong = std::ranges::find(checks, false, &std::pair<std::string_view, bool>::second);
  if (wrong == checks.end()) return absl::OkStatus();
  return MakeError(Reason::kInternal, "the finished certificate is not what was asked for: its " +
                                          std::string(wrong->first) +
                                          " differs; it was not released");
}

}  // namespace troth
