// What a certificate is meant for, as it says itself.
#pragma once

#include <functional>
#include <vector>

#include "troth/pki/certificate.h"

namespace troth {

// Whether a signature by this algorithm is never accepted: SHA-1, and what is not known.
bool IsRefused(SignatureAlgorithm algorithm);
// Whether subject and issuer are one and nothing shows that another key signed it: a signature that
// is refused counts as its own, since nobody has to check that of a root.
bool SignsItself(const Certificate& certificate);

enum class Role {
  kLeaf,          // no CA, or one of version 1 with its CA's name that it did not sign itself
  kIntermediate,  // any other CA
  kRoot,          // a CA that signs itself
};
// Checks a signature at most.
Role FindRole(const Certificate& certificate);

// The positions of `chain` from the one `at` which its leaf is upwards, each followed by its
// issuer, by their names; what belongs to no such place, and a root, is left out. At most ten.
std::vector<size_t> RightOrder(const std::vector<Certificate>& chain, size_t at,
                               const std::function<Role(const Certificate&)>& role = FindRole);

}  // namespace troth
