// How commands print what an authority answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/time.h"
#include "troth/ca/operations.h"
#include "troth/cli/json.h"
#include "troth/pki/digest.h"

namespace troth {

// "SHA-256 of the request: 1a2b...": what `requests show` and `enroll` print alike, so that an
// operator and whoever asks can compare.
std::string RequestDigestLine(const Sha256Digest& request);

// "valid", "expired", "revoked".
std::string_view StateOf(const CertificateStatus& certificate, Time now);
// "usable", "used up", "expired", "revoked".
std::string_view StateOf(const TokenRecord& token, Time now);

// "3 h ago", "in 2 d".
std::string Ago(Time then, Time now);

// "1 entry", "5 entries".
std::string Counted(std::uint64_t count, std::string_view one, std::string_view many);

// "a.internal, 10.0.0.7, 3 more"; printable. At least one name.
std::string NamesInWords(const std::vector<std::string>& names);

JsonObject JsonOf(const RequestStatus& request);
JsonObject JsonOf(const CertificateStatus& certificate, Time now);
JsonObject JsonOf(const TokenRecord& token, Time now);  // without its hash
JsonObject JsonOf(const LedgerEntry& entry);
template <typename Record>
std::vector<JsonObject> JsonOfAll(const std::vector<Record>& records, Time now) {
  std::vector<JsonObject> objects;
  objects.reserve(records.size());
  for (const Record& record : records) objects.push_back(JsonOf(record, now));
  return objects;
}

}  // namespace troth
