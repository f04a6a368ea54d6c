// What lies in a depot: who has a certificate, until when, and whether it still counts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/time.h"
#include "troth/ca/depot.h"
#include "troth/pki/certificate.h"

namespace troth {

enum class DepotState { kRequested, kValid, kNotYetValid, kExpired, kRevoked };
// "requested", "valid", "not yet valid", "expired", "revoked".
std::string_view NameOf(DepotState state);

struct DepotEntry {
  std::string name;  // stem of its files
  DepotState state = DepotState::kRequested;
  std::optional<Certificate> certificate = {};  // none while only requested
  std::string authority = {};  // the depot's name of its issuer, empty when that is not here
  bool has_key = false;
  std::optional<Time> revoked_at = {};
};

struct DepotListing {
  std::vector<DepotEntry> entries;    // sorted by name
  std::vector<std::string> problems;  // files that could not be read, CRLs that do not count
};

// Reads every certificate, request and CRL of the depot; an unreadable one is a problem in the
// answer.
DepotListing ListDepot(const Depot& depot, Time now);

}  // namespace troth
