// A ledger's head that was kept elsewhere: refused, or the one text of what was read.
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/ca/ledger.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto head = troth::SignedHead::FromText(text);
  if (!head.ok()) {
    Require(troth::ReasonOf(head.status()) == troth::Reason::kFileWrongFormat);
    return 0;
  }
  Require(head->ToText() == text);
  (void)head->Verify();
  return 0;
}
