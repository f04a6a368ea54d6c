// An authority's answer about its issuers and lists: whatever it is, what is made of it is what the
// root vouches for, and can be read again.
#include <cstdint>
#include <string_view>
#include <utility>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/enroll/trust_update.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const auto answer =
      troth::ReadTrustAnswer(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!answer.ok()) {
    Require(troth::ReasonOf(answer.status()).has_value());
    return 0;
  }
  if (answer->authorities.empty() || answer->lists.empty()) return 0;
  // None of them but the first is believed.
  const troth::Certificate& root = answer->authorities.front();
  const troth::Time now = answer->lists.back().this_update();
  const auto update = troth::UpdateTrust(root, {}, *answer, now);
  if (!update.ok()) {
    Require(troth::ReasonOf(update.status()).has_value());
    return 0;
  }
  Require(update->material.authorities.back() == root);
  Require(update->material.lists.size() == update->material.authorities.size());
  // The same again changes nothing.
  const auto again = troth::UpdateTrust(root, update->material, *answer, now);
  Require(again.ok() && again->material.AuthoritiesPem() == update->material.AuthoritiesPem() &&
          again->material.ListsPem() == update->material.ListsPem());
  return 0;
}
