// For fuzzers: what must hold whatever the input is.
#pragma once

#include <cstdlib>

namespace troth {

// Not assert: a fuzzer finds what is wrong in every build.
inline void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace troth
