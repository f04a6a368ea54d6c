#include "troth/enroll/enroll_request.h"

#include <algorithm>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr size_t kMaxCommonName = 64;  // RFC 5280 appendix A.1
constexpr size_t kMaxUri = 2048;       // the SPIFFE-ID standard, section 2.3

bool IsUri(std::string_view text) { return text.find("://") != std::string_view::npos; }

}  // namespace

absl::Status CheckClientId(std::string_view client_id) {
  const auto problem = [&](const std::string& what) {
    return MakeError(Reason::kUsageError, "expected a client id of 1 to 64 characters, got \"" +
                                              Printable(client_id) + "\": " + what);
  };
  if (client_id.empty()) return problem("it is empty");
  if (client_id.size() > (IsUri(client_id) ? kMaxUri : kMaxCommonName)) {
    return problem("it has " + std::to_string(client_id.size()) + " characters");
  }
  if (std::ranges::any_of(client_id, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return problem("it holds a control character");
  }
  if (client_id != TrimWhitespace(client_id)) return problem("it begins or ends with a space");
  return absl::OkStatus();
}

absl::StatusOr<CertificateRequest> MakeCaramelRequest(const PrivateKey& key,
                                                      std::string_view client_id,
                                                      const Certificate& authority) {
  std::vector<NameAttribute> attributes;
  for (const NameAttribute& attribute : authority.subject().attributes()) {
    if (attribute.key == "C" || attribute.key == "ST" || attribute.key == "L" ||
        attribute.key == "O") {
      attributes.push_back(attribute);
    }
  }
  attributes.push_back({.key = "CN", .oid = "2.5.4.3", .value = std::string(client_id)});
  absl::StatusOr<DistinguishedName> subject = DistinguishedName::FromAttributes(attributes);
  if (!subject.ok()) return subject.status();
  return CertificateRequest::Create(key, *subject, {});
}

absl::StatusOr<CertificateRequest> MakeNamedRequest(const PrivateKey& key,
                                                    std::string_view client_id,
                                                    const std::vector<AlternativeName>& more) {
  DistinguishedName subject;
  if (client_id.size() <= kMaxCommonName && !IsUri(client_id)) {
    absl::StatusOr<DistinguishedName> name = DistinguishedName::FromCommonName(client_id);
    if (!name.ok()) return name.status();
    subject = *std::move(name);
  }
  std::vector<AlternativeName> names;
  // What is none of them (a serial number with spaces) is a common name only.
  if (absl::StatusOr<AlternativeName> own = AlternativeName::Parse(client_id); own.ok()) {
    names.push_back(*std::move(own));
  }
  for (const AlternativeName& name : more) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return CertificateRequest::Create(key, subject, names);
}

absl::Status CheckClientName(const Certificate& certificate, std::string_view client_id) {
  std::vector<std::string> has;
  if (const auto common_name = certificate.subject().common_name(); common_name.has_value()) {
    if (*common_name == client_id) return absl::OkStatus();
    has.push_back("CN=" + *common_name);
  }
  for (const AlternativeName& name : certificate.alternative_names()) {
    // Case does not count in DNS names.
    if (name.kind == AlternativeName::Kind::kDns ? EqualsIgnoreCaseAscii(name.value, client_id)
                                                 : name.ToPlainString() == client_id) {
      return absl::OkStatus();
    }
    has.push_back(name.ToString());
  }
  return MakeError(Reason::kNameMismatch,
                   "expected a certificate for " + Printable(client_id) + ", got one for " +
                       (has.empty() ? "nobody" : Printable(Join(has, ", "))));
}

}  // namespace troth
