// Records as an authority writes them, to fill a store with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "troth/base/time.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"

namespace bench {

// "host-17.web.internal"
std::string NameOf(std::uint64_t number);
// A certificate for that name, issued at `at`, valid for about a month. Its DER is as long as a
// real one and nothing else.
troth::CertificateRecord MakeRecord(std::uint64_t number, troth::Time at);
troth::LedgerNote MakeNote(const troth::CertificateRecord& record);

std::vector<troth::CertificateRecord> MakeRecords(std::uint64_t first, size_t count,
                                                  troth::Time at);

// Adds certificates number `first` and on, issued yesterday, with their entries in the ledger, in
// large transactions.
absl::Status FillStore(troth::Store& store, std::uint64_t first, std::uint64_t count);

}  // namespace bench
