// What is not certified again, in memory: looked at for every certificate.
#pragma once

#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include "troth/ca/records.h"
#include "troth/pki/key.h"
#include "troth/pki/serial_number.h"

namespace troth {

// Serials, lineages and keys of revoked certificates. A revocation is added before it is written to
// the store, so that whatever the store commits after it sees it; and removed again when it could
// not be written. Thread-safe.
class RevokedSet {
 public:
  void Add(const RevocationRecord& revocation);
  void Remove(const RevocationRecord& revocation);

  // A certificate that is revoked itself, or whose lineage is.
  bool Holds(const SerialNumber& serial, const SerialNumber& lineage) const;
  bool HoldsLineage(const SerialNumber& lineage) const;
  // Hashes the key only when there is any to compare with.
  bool HoldsKey(const PublicKey& key) const;
  bool HoldsKey(const Sha256Digest& key) const;

 private:
  // How many revocations name it: two certificates of a lineage may be revoked one by one.
  using Counts = std::unordered_map<std::string, std::uint32_t>;

  mutable std::shared_mutex mutex_;
  Counts serials_, lineages_, keys_;
  std::atomic<size_t> size_ = 0;
};

}  // namespace troth
