#include "troth/ca/asked.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/ca/templates.h"

namespace troth {
namespace {

using Kind = AlternativeName::Kind;

constexpr size_t kMaxNames = 100;
constexpr size_t kMaxSubjectBytes = 4096;

absl::Status NotPermitted(const std::string& message) {
  return MakeError(Reason::kNameNotPermitted, message);
}

std::string Quoted(const Profile& profile) { return "profile \"" + profile.name + "\""; }

absl::Status CheckKey(const PublicKey& key, const Profile& profile) {
  if (absl::Status strength = key.CheckStrength(); !strength.ok()) return strength;
  const std::optional<KeyType> type = TypeOf(key);
  if (type.has_value() && std::ranges::count(profile.key_types, *type) > 0) {
    return absl::OkStatus();
  }
  std::vector<std::string> allowed;
  bool shorter = key.kind() == PublicKey::Kind::kRsa && !key.is_pss_only();
  bool any_rsa = false;
  for (const KeyType each : profile.key_types) {
    allowed.emplace_back(NameOf(each));
    const int bits = each == KeyType::kRsa2048   ? 2048
                     : each == KeyType::kRsa3072 ? 3072
                     : each == KeyType::kRsa4096 ? 4096
                                                 : 0;
    any_rsa |= bits != 0;
    shorter &= bits == 0 || key.bits() < bits;
  }
  return MakeError(
      shorter && any_rsa ? Reason::kKeyTooWeak : Reason::kAlgorithmNotAllowed,
      Quoted(profile) + " expects a key of " + Join(allowed, ", ") + ", got " + key.Describe());
}

absl::Status Reserved(const std::string& name) {
  return NotPermitted("the name " + name +
                      " is the authority's own, which no profile issues; ask for another");
}

absl::Status CheckName(const AlternativeName& name, const Profile& profile,
                       const ReservedNames& reserved) {
  if (absl::Status well_formed = CheckWellFormed(name); !well_formed.ok()) return well_formed;
  if (profile.admin) {
    if (IsAdminName(name, reserved)) return absl::OkStatus();
    return NotPermitted(Quoted(profile) + " expects spiffe://" + reserved.trust_domain +
                        "/troth/admin/NAME, got " + name.ToString());
  }
  if (IsReserved(name, reserved)) return Reserved(name.ToString());
  if (IsAllowed(name, profile.names)) return absl::OkStatus();
  return NotPermitted(Quoted(profile) + " allows " + Describe(profile.names) + ", got " +
                      name.ToString());
}

absl::Status CheckCommonNameOf(const Asked& asked, const Profile& profile,
                               const ReservedNames& reserved) {
  if (asked.common_name.empty()) return absl::OkStatus();
  const std::string quoted = "common name \"" + Printable(asked.common_name) + "\"";
  if (absl::Status well_formed = CheckCommonName(asked.common_name); !well_formed.ok()) {
    return well_formed;
  }
  if (IsReservedCommonName(asked.common_name, reserved)) return Reserved(quoted);
  if (IsAllowedCommonName(asked.common_name, profile.names)) return absl::OkStatus();
  return NotPermitted(Quoted(profile) + " allows " + Describe(profile.names) + ", got " + quoted);
}

// SPIFFE X509-SVID section 2: an identity has one URI name, its SPIFFE ID.
absl::Status CheckUris(const Asked& asked) {
  const auto is_uri = [](const AlternativeName& name) { return name.kind == Kind::kUri; };
  const auto is_spiffe = [&](const AlternativeName& name) {
    return is_uri(name) && name.value.starts_with("spiffe://");
  };
  if (std::ranges::any_of(asked.names, is_spiffe) &&
      std::ranges::count_if(asked.names, is_uri) > 1) {
    return NotPermitted("expected a SPIFFE ID to be the only URI, got several URIs");
  }
  return absl::OkStatus();
}

absl::Status CheckSubject(const Asked& asked) {
  if (asked.subject.der().size() > kMaxSubjectBytes) {
    return MakeError(Reason::kRequestMalformed,
                     "expected a subject of at most " + std::to_string(kMaxSubjectBytes) +
                         " bytes, got " + std::to_string(asked.subject.der().size()));
  }
  const std::vector<std::string> common_names = asked.subject.ValuesOf("CN");
  if (asked.subject.common_name().value_or("") != asked.common_name || common_names.size() > 1) {
    return NotPermitted("expected the common name \"" + Printable(asked.common_name) +
                        "\" in the subject, got " + asked.subject.ToString());
  }
  for (const NameAttribute& attribute : asked.subject.attributes()) {
    if (std::ranges::any_of(attribute.value, [](char c) {
          return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        })) {
      return MakeError(Reason::kRequestMalformed,
                       "expected no control character in the subject, got one in " + attribute.key);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CertificateRequest> ReadRequest(std::string_view body) {
  // A SEQUENCE begins with '0', PEM and the text before it do not in practice; those that do are
  // told apart by what follows.
  const bool der = body.starts_with('\x30') && body.find("-----BEGIN ") == std::string_view::npos;
  return der ? CertificateRequest::FromDer(body) : CertificateRequest::FromPem(body);
}

absl::StatusOr<Asked> AskedOf(const CertificateRequest& request) {
  const std::vector<std::string> common_names = request.subject().ValuesOf("CN");
  if (common_names.size() > 1) {
    return MakeError(Reason::kRequestMalformed, "expected one common name, got " +
                                                    std::to_string(common_names.size()) + " in " +
                                                    request.subject().ToString());
  }
  Asked asked{.key = request.public_key(), .subject = request.subject()};
  if (!common_names.empty()) asked.common_name = common_names.front();
  if (request.alternative_names().size() > kMaxNames) {
    return MakeError(Reason::kRequestMalformed,
                     "expected at most " + std::to_string(kMaxNames) + " names, got " +
                         std::to_string(request.alternative_names().size()));
  }
  for (AlternativeName name : request.alternative_names()) {
    if (name.kind == Kind::kDns) name.value = ToLowerAscii(name.value);
    if (std::ranges::find(asked.names, name) == asked.names.end()) {
      asked.names.push_back(std::move(name));
    }
  }
  return asked;
}

absl::StatusOr<Asked> AskedOf(const CertificateRequest& request, const Profile& profile) {
  absl::StatusOr<Asked> asked = AskedOf(request);
  if (asked.ok() && profile.common_name_only) asked->names.clear();
  return asked;
}

std::vector<std::string> PlainNamesOf(const Asked& asked) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  };
  if (!asked.common_name.empty()) {
    add(asked.common_name);
    if (const auto name = NameOfCommonName(asked.common_name)) add(name->ToPlainString());
  }
  for (const AlternativeName& name : asked.names) add(name.ToPlainString());
  return names;
}

absl::Status CheckAsked(const Asked& asked, const Profile& profile, const ReservedNames& reserved) {
  if (absl::Status key = CheckKey(asked.key, profile); !key.ok()) return key;
  if (asked.names.size() > kMaxNames) {
    return MakeError(Reason::kRequestMalformed, "expected at most " + std::to_string(kMaxNames) +
                                                    " names, got " +
                                                    std::to_string(asked.names.size()));
  }
  // An admin is known by a SPIFFE ID; a common name alone would name nobody.
  if (asked.names.empty() && (asked.common_name.empty() || profile.admin)) {
    return MakeError(Reason::kNamesMissing,
                     profile.admin ? Quoted(profile) + " expects spiffe://" +
                                         reserved.trust_domain + "/troth/admin/NAME, got no name"
                                   : "expected a common name or an alternative name, got none; " +
                                         Quoted(profile) + " allows " + Describe(profile.names));
  }
  for (const AlternativeName& name : asked.names) {
    if (absl::Status checked = CheckName(name, profile, reserved); !checked.ok()) return checked;
  }
  if (absl::Status checked = CheckCommonNameOf(asked, profile, reserved); !checked.ok()) {
    return checked;
  }
  if (absl::Status checked = CheckUris(asked); !checked.ok()) return checked;
  return profile.whole_subject ? CheckSubject(asked) : absl::OkStatus();
}

bool IsDecidedAtOnce(const Asked& asked, const Profile& profile) {
  if (profile.approval != Approval::kAutomatic ||
      !TextMatches(profile.automatic, asked.common_name)) {
    return false;
  }
  const std::optional<AlternativeName> same = NameOfCommonName(asked.common_name);
  return std::ranges::all_of(asked.names,
                             [&](const AlternativeName& name) { return name == same; });
}

}  // namespace troth
