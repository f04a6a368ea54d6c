#include "troth/pki/description.h"

#include "troth/base/strings.h"

namespace troth {

std::string Quoted(const DistinguishedName& name) {
  return "'" + (name.empty() ? std::string("(empty)") : Printable(name.ToString())) + "'";
}

std::string Called(const Certificate& certificate) {
  if (!certificate.subject().empty()) return Quoted(certificate.subject());
  if (!certificate.alternative_names().empty()) {
    return "'" + Printable(certificate.alternative_names()[0].ToPlainString()) + "'";
  }
  return "with serial number " + certificate.serial_number().ToHex();
}

}  // namespace troth
