#include "troth/pki/revocation_reason.h"

#include <algorithm>
#include <array>
#include <utility>

#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr int kRemoveFromCrl = 8;
constexpr std::array<std::pair<std::string_view, int>, 10> kReasons = {
    {{"unspecified", 0},
     {"keyCompromise", 1},
     {"cACompromise", 2},
     {"affiliationChanged", 3},
     {"superseded", 4},
     {"cessationOfOperation", 5},
     {"certificateHold", 6},
     {"removeFromCRL", kRemoveFromCrl},
     {"privilegeWithdrawn", 9},
     {"aACompromise", 10}}};

}  // namespace

std::string_view NameOfRevocationReason(int reason) {
  const auto row = std::ranges::find(kReasons, reason, &std::pair<std::string_view, int>::second);
  return row == kReasons.end() ? "unknown" : row->first;
}

std::optional<int> RevocationReasonFromName(std::string_view name) {
  const auto row = std::ranges::find_if(
      kReasons, [&](const auto& reason) { return EqualsIgnoreCaseAscii(reason.first, name); });
  if (row == kReasons.end()) return std::nullopt;
  return row->second;
}

std::vector<std::string_view> RevocationReasonNames() {
  std::vector<std::string_view> names;
  for (const auto& [name, number] : kReasons) {
    if (number != kRemoveFromCrl) names.push_back(name);
  }
  return names;
}

}  // namespace troth
