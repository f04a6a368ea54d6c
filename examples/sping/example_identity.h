// The identity of the two example programs, as their first arguments say.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "troth/identity/identity_source.h"

namespace troth::sping {

// Three arguments: CERTIFICATE PRIVATE_KEY TRUST_BUNDLE, which are files that are watched; or
// --ca HOST:PORT NAME: enrols with that authority, in memory, with the token in TROTH_TOKEN.
absl::StatusOr<std::shared_ptr<IdentitySource>> ExampleIdentity(const char* const* arguments);

}  // namespace troth::sping
