// Random bytes that nobody can guess.
#pragma once

#include <cstddef>

#include "troth/base/secret.h"

namespace troth {

// `count` bytes of the system's randomness. Never fails: a guessable secret would be worse than the
// end of the process.
Secret RandomSecret(size_t count);

}  // namespace troth
