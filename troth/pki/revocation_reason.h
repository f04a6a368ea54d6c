// Why a certificate was revoked: the reason codes of RFC 5280 section 5.3.1 by their names there.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace troth {

// "keyCompromise"; "unknown" for a number that is none.
std::string_view NameOfRevocationReason(int reason);
// Nothing for a name that is none. Case does not count.
std::optional<int> RevocationReasonFromName(std::string_view name);
// Those that an authority may give: without removeFromCRL, which only takes entries off delta
// lists.
std::vector<std::string_view> RevocationReasonNames();

}  // namespace troth
