// Revocation lists, as DER and as PEM. Entries are sorted, and each is found.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "troth/base/fuzz_testing.h"
#include "troth/pki/crl.h"

using troth::Require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<std::vector<troth::Crl>> lists = troth::Crl::ListFromBytes(bytes);
  if (!lists.ok()) return 0;
  Require(!lists->empty());
  for (const troth::Crl& list : *lists) {
    const absl::StatusOr<troth::Crl> again = troth::Crl::FromDer(list.der());
    Require(again.ok() && again->entries().size() == list.entries().size());
    Require(std::ranges::is_sorted(list.entries(), {}, &troth::RevokedEntry::serial));
    for (const troth::RevokedEntry& entry : list.entries()) {
      const troth::RevokedEntry* found = list.Find(entry.serial);
      Require(found != nullptr && found->serial == entry.serial);
    }
  }
  return 0;
}
