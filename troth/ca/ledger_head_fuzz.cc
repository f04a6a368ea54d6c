// A ledger's head that was kept elsewhere: refused, or the one text of what was read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/ca/ledger.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto head = troth::SignedHead::FromText(text);
  if (!head.ok()) {
    if (troth::ReasonOf(head.status()) != troth::Reason::kFileWrongFormat) std::abort();
    return 0;
  }
  if (head->ToText() != text) std::abort();
  (void)head->Verify();
  return 0;
}
