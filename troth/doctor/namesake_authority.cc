#include "troth/doctor/namesake_authority_internal.h"

#include <algorithm>
#include <optional>

#include "troth/base/encoding.h"
#include "troth/pki/description.h"

namespace troth {
namespace {

std::string KeyIdInWords(const std::optional<std::string>& id) {
  return id.has_value() ? "key identifier " + ToHex(*id) : "no key identifier";
}

bool Signed(const Certificate& ca, const Certificate& certificate) {
  return ca.public_key()
      .Verify(certificate.signature_algorithm(), certificate.tbs_der(), certificate.signature())
      .ok();
}

}  // namespace

std::string ExplainNamesake(const std::vector<Certificate>& ours,
                            const std::vector<DistinguishedName>& accepted,
                            const std::vector<Certificate>& known) {
  const auto found = std::ranges::find_if(ours, [&](const Certificate& certificate) {
    return std::ranges::any_of(accepted, [&](const DistinguishedName& name) {
      return name.Matches(certificate.issuer());
    });
  });
  if (found == ours.end()) return "";
  const std::string name = Quoted(found->issuer());
  const Certificate* namesake = nullptr;
  for (const Certificate& ca : known) {
    if (!ca.is_ca() || !ca.subject().Matches(found->issuer())) continue;
    if (Signed(ca, *found)) {
      namesake = nullptr;
      break;
    }
    namesake = &ca;
  }
  if (namesake != nullptr) {
    return "; the authority " + name + " that issued " + Called(*found) + " (" +
           KeyIdInWords(found->authority_key_id()) +
           ") is another one than that of this name in our trust bundle (" +
           KeyIdInWords(namesake->subject_key_id()) + "), which the server may mean";
  }
  return "; it accepts an authority called " + name +
         ", so that one may have another key, or our certificate is expired or revoked there";
}

}  // namespace troth
