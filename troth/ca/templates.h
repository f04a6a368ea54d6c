// What certificates of an authority kept in files hold.
#pragma once

#include <optional>
#include <vector>

#include "troth/base/time.h"
#include "troth/pki/issue.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"

namespace troth {

// How long before now a certificate begins to be valid: clocks of other machines may be behind.
inline constexpr Seconds kBackdate = std::chrono::minutes(5);

// Extended key usages of a leaf. A server calls other services too, and has both.
enum class LeafUsage { kServerAndClient, kClient };

// A leaf from `now` (less kBackdate) to `not_after`, with a fresh serial number.
CertificateTemplate LeafTemplate(const DistinguishedName& subject,
                                 std::vector<AlternativeName> names, const PublicKey& key,
                                 LeafUsage usage, Time now, Time not_after);

// A CA likewise. `path_length` is the number of intermediates allowed below it; nothing: any.
CertificateTemplate AuthorityTemplate(const DistinguishedName& subject, const PublicKey& key,
                                      std::optional<int> path_length, Time now, Time not_after);

// Whether `key` is of `type`.
bool IsOfType(const PublicKey& key, KeyType type);
// The type of `key`, nothing when Troth makes no such keys.
std::optional<KeyType> TypeOf(const PublicKey& key);

}  // namespace troth
