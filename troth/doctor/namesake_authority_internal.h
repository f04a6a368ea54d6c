// Two authorities of one name: whoever reads only names takes the one for the other.
#pragma once

#include <string>
#include <vector>

#include "troth/pki/certificate.h"
#include "troth/pki/name.h"

namespace troth {

// What to say of a server that refuses the chain `ours`, though an authority of its issuer's name
// is among the `accepted`: that the one of this name in `known`, which the client trusts, has
// another key, or else what may be the cause. Begins with "; "; empty when that name is not
// accepted.
std::string ExplainNamesake(const std::vector<Certificate>& ours,
                            const std::vector<DistinguishedName>& accepted,
                            const std::vector<Certificate>& known);

}  // namespace troth
