#include <mutex>

#include "troth/ca/revoked_set_internal.h"

namespace troth {
namespace {

std::string TextOf(const Sha256Digest& digest) { return {digest.begin(), digest.end()}; }

}  // namespace

void RevokedSet::Add(const RevocationRecord& revocation) {
  const std::unique_lock lock(mutex_);
  ++serials_[revocation.serial.der_content()];
  ++lineages_[revocation.lineage.der_content()];
  ++keys_[TextOf(revocation.key)];
  ++size_;
}

void RevokedSet::Remove(const RevocationRecord& revocation) {
  const std::unique_lock lock(mutex_);
  const auto remove = [](Counts& counts, const std::string& key) {
    const auto entry = counts.find(key);
    if (entry != counts.end() && --entry->second == 0) counts.erase(entry);
  };
  remove(serials_, revocation.serial.der_content());
  remove(lineages_, revocation.lineage.der_content());
  remove(keys_, TextOf(revocation.key));
  --size_;
}

bool RevokedSet::Holds(const SerialNumber& serial, const SerialNumber& lineage) const {
  if (size_ == 0) return false;
  const std::shared_lock lock(mutex_);
  return serials_.contains(serial.der_content()) || lineages_.contains(lineage.der_content());
}

bool RevokedSet::HoldsLineage(const SerialNumber& lineage) const {
  if (size_ == 0) return false;
  const std::shared_lock lock(mutex_);
  return lineages_.contains(lineage.der_content());
}

bool RevokedSet::HoldsKey(const PublicKey& key) const {
  return size_ != 0 && HoldsKey(Sha256(key.der()));
}

bool RevokedSet::HoldsKey(const Sha256Digest& key) const {
  if (size_ == 0) return false;
  const std::shared_lock lock(mutex_);
  return keys_.contains(TextOf(key));
}

}  // namespace troth
