// The signed head of the ledger, beside the store and to be copied elsewhere.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "troth/ca/authority_context_internal.h"

namespace troth {

// OK when the store's ledger goes on from the head that was written last. A folder without one says
// nothing. Errors: ledger_broken (the ledger is shorter or another, the head is not signed by an
// issuer of the store), store_failed.
absl::Status CheckLedgerHead(AuthorityContext& context);

// Signs the head and writes it, unless it is the one of sequence `written`; which then follows.
absl::Status WriteLedgerHead(AuthorityContext& context, std::uint64_t& written);

}  // namespace troth
