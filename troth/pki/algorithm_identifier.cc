#include <optional>
#include <string>

#include "troth/pki/algorithm_identifier_internal.h"
#include "troth/pki/der.h"

namespace troth {

absl::Status CheckUnknownAlgorithm(std::string_view algorithm_identifier) {
  der::Reader outer(algorithm_identifier, "algorithm");
  der::Reader reader = outer.Enter(der::kSequence, "algorithm");
  std::string oid;
  if (!reader.ReadOid("algorithm", oid)) return reader.status();
  if (!outer.End("algorithm")) return outer.status();
  if (reader.AtEnd()) return absl::OkStatus();
  der::Element parameters;
  if (reader.PeekTag() == der::kOid) {
    reader.ReadOid("parameters", oid);
  } else if (reader.PeekTag() == der::kSequence) {
    reader.ReadAny(parameters);
  } else if (reader.Read(der::kNull, "parameters", parameters) && !parameters.content.empty()) {
    reader.Fail("parameters", "a NULL has no content");
  }
  reader.End("parameters");
  return reader.status();
}

}  // namespace troth
