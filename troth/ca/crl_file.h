// The CRL of an authority kept in files: its whole memory of what was revoked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/pki/crl.h"
#include "troth/pki/issue.h"

namespace troth {

// Whether the CA's keyUsage lets it sign lists (RFC 5280 section 4.2.1.3). Caramel's own tool makes
// CAs that may not; what they issue can be revoked only where the authority itself is asked.
bool CanSignLists(const Certificate& authority);

// The CRL in `path`, which must be this CA's. Errors: those of reading, crl_malformed (also one of
// another CA), signature_invalid.
absl::StatusOr<Crl> ReadCrl(const std::string& path, const Certificate& authority);

// Replaces the CRL in `path`, readable by everyone.
absl::Status WriteCrl(const std::string& path, const Crl& crl);

// A list number that rises with the clock, with room for 65,536 lists a second: numbers of one
// authority never fall, not even when its state is restored from a backup.
std::uint64_t CrlNumberAt(Time now);

// A CRL that follows `present` with these entries, dated kBackdate before now. `expires` is the
// time to nextUpdate as TimeAfter reads it; empty: as long as the CA lives. The number follows the
// clock and is above the present one's: so it never falls (RFC 5280 section 5.2.3), not even after
// certstrap, whose lists have none. Errors: usage_error, crl_malformed (a number too large to count
// on from).
absl::StatusOr<Crl> NextCrl(const std::optional<Crl>& present, std::vector<RevokedEntry> entries,
                            const std::string& expires, const Signer& signer, Time now);
// Likewise, with its nextUpdate.
absl::StatusOr<Crl> NextCrl(const std::optional<Crl>& present, std::vector<RevokedEntry> entries,
                            Time next_update, const Signer& signer, Time now);

}  // namespace troth
