// What this process holds of the machine.
#pragma once

#include <cstdint>
#include <string>

namespace rotation {

struct Footprint {
  int descriptors = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t allocated_bytes = 0;  // on the heap and not freed; 0 under a sanitizer

  static Footprint Now();
  std::string ToString() const;
};

}  // namespace rotation
