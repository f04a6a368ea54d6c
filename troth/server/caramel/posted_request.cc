#include "troth/server/caramel/posted_request.h"

#include <array>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/server/caramel/python_text.h"

namespace troth::caramel {
namespace {

constexpr std::array<std::string_view, 4> kPrefixKeys = {"C", "ST", "L", "O"};

absl::Status Unreadable() {
  return MakeError(Reason::kRequestMalformed, "crypto error: invalid PEM reqtext");
}

// ("O", "Example") as Python writes a tuple of such tuples.
std::string TuplesOf(const std::vector<NameAttribute>& attributes) {
  std::string text = "(";
  for (const NameAttribute& attribute : attributes) {
    if (text.size() > 1) text += ", ";
    text += "(" + PythonRepr(attribute.key) + ", " + PythonRepr(attribute.value) + ")";
  }
  return text + (attributes.size() == 1 ? ",)" : ")");
}

absl::Status CheckPrefix(const std::vector<NameAttribute>& given,
                         const std::vector<NameAttribute>& prefix) {
  if (given.size() < prefix.size()) {
    return MakeError(Reason::kNameMismatch, "Bad subject: Too few subject components");
  }
  std::vector<NameAttribute> other, required;
  for (size_t i = 0; i < prefix.size(); ++i) {
    if (given[i].key == prefix[i].key && given[i].value == prefix[i].value) continue;
    other.push_back(given[i]);
    required.push_back(prefix[i]);
  }
  if (other.empty()) return absl::OkStatus();
  return MakeError(Reason::kNameMismatch,
                   "Bad subject: " + TuplesOf(other) + " do not match " + TuplesOf(required));
}

}  // namespace

std::vector<NameAttribute> RequiredPrefix(const DistinguishedName& authority) {
  std::vector<NameAttribute> prefix;
  for (const std::string_view key : kPrefixKeys) {
    // Of several the original takes the last.
    for (auto attribute = authority.attributes().rbegin();
         attribute != authority.attributes().rend(); ++attribute) {
      if (attribute->key != key) continue;
      prefix.push_back(*attribute);
      break;
    }
  }
  return prefix;
}

absl::StatusOr<CertificateRequest> ReadPostedRequest(std::string_view body,
                                                     const std::vector<NameAttribute>& prefix) {
  absl::StatusOr<CertificateRequest> request = CertificateRequest::FromPem(body);
  if (!request.ok()) {
    switch (ReasonOf(request.status()).value_or(Reason::kRequestMalformed)) {
      case Reason::kSignatureInvalid:
        return MakeError(Reason::kSignatureInvalid, "crypto error: Invalid Request");
      case Reason::kKeyTooWeak:
      case Reason::kAlgorithmNotAllowed:
      case Reason::kKeyMalformed:
        return WithContext(request.status(), "crypto error");
      default:
        return Unreadable();
    }
  }
  if (request->ToPem() != body) return Unreadable();
  const DistinguishedName& subject = request->subject();
  if (absl::Status status = CheckPrefix(subject.attributes(), prefix); !status.ok()) return status;
  // Which of several it would be known by depends on who reads it.
  if (const size_t names = subject.ValuesOf("CN").size(); names != 1) {
    return MakeError(Reason::kNameNotPermitted,
                     "Bad subject: expected one common name (CN), got " + std::to_string(names));
  }
  return request;
}

}  // namespace troth::caramel
