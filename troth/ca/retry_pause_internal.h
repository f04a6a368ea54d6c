// How patiently what failed is tried again.
#pragma once

#include <algorithm>
#include <chrono>

namespace troth {

// The pause after so many failures in a row: none after the first, which may have been a moment's;
// then a second, two, four, up to half a minute.
inline std::chrono::seconds PauseAfter(unsigned failures) {
  constexpr std::chrono::seconds kLongest{30};
  if (failures < 2) return {};
  return std::min(kLongest, std::chrono::seconds(1) * (1 << std::min(failures - 2, 5U)));
}

}  // namespace troth
