#include "troth/store/index_tail_internal.h"

#include <algorithm>
#include <utility>

namespace troth {

size_t IndexTail::Entries::SlotOf(std::uint64_t key) const {
  // Serials and times are not spread over all bits: multiplication spreads them, the top bits
  // decide.
  return (key * 0x9e3779b97f4a7c15) >> 32 & (slots.size() - 1);
}

void IndexTail::Entries::Place(std::uint32_t number) {
  size_t slot = SlotOf(all[number].key);
  while (slots[slot] != 0) slot = (slot + 1) & (slots.size() - 1);
  slots[slot] = number + 1;
}

void IndexTail::Entries::Push(const IndexEntry& entry) {
  all.push_back(entry);
  if (all.size() * 2 > slots.size()) {
    slots.assign(std::max<size_t>(64, slots.size() * 2), 0);
    for (std::uint32_t i = 0; i < all.size(); ++i) Place(i);
  } else {
    Place(static_cast<std::uint32_t>(all.size() - 1));
  }
}

void IndexTail::Entries::Pop() {
  size_t slot = SlotOf(all.back().key);
  while (slots[slot] != all.size()) slot = (slot + 1) & (slots.size() - 1);
  slots[slot] = 0;
  all.pop_back();
}

void IndexTail::Add(std::uint64_t sequence, const CertificateKeys& keys) {
  const std::lock_guard lock(mutex_);
  if (keys.serial) Of(IndexKind::kSerials).Push({*keys.serial, sequence});
  // Looked through from end to end, so it needs no table.
  Of(IndexKind::kExpiry).all.push_back({keys.expiry, sequence});
  for (const std::uint64_t term : keys.terms) Of(IndexKind::kTerms).Push({term, sequence});
}

void IndexTail::TruncateTo(std::uint64_t last) {
  const std::lock_guard lock(mutex_);
  for (const IndexKind kind : {IndexKind::kSerials, IndexKind::kTerms}) {
    Entries& entries = Of(kind);
    while (!entries.all.empty() && entries.all.back().sequence > last) entries.Pop();
  }
  std::vector<IndexEntry>& expiry = Of(IndexKind::kExpiry).all;
  while (!expiry.empty() && expiry.back().sequence > last) expiry.pop_back();
}

void IndexTail::Find(IndexKind kind, std::uint64_t key, std::uint64_t after, std::uint64_t last,
                     std::vector<std::uint64_t>& found) const {
  const std::lock_guard lock(mutex_);
  const Entries& entries = Of(kind);
  if (entries.slots.empty()) return;
  for (size_t slot = entries.SlotOf(key); entries.slots[slot] != 0;
       slot = (slot + 1) & (entries.slots.size() - 1)) {
    const IndexEntry& entry = entries.all[entries.slots[slot] - 1];
    if (entry.key == key && entry.sequence > after && entry.sequence <= last) {
      found.push_back(entry.sequence);
    }
  }
}

void IndexTail::FindExpiring(std::uint64_t first, std::uint64_t last_time, std::uint64_t after,
                             std::uint64_t last, std::vector<std::uint64_t>& found) const {
  const std::lock_guard lock(mutex_);
  for (const IndexEntry& entry : Of(IndexKind::kExpiry).all) {
    if (entry.key >= first && entry.key <= last_time && entry.sequence > after &&
        entry.sequence <= last) {
      found.push_back(entry.sequence);
    }
  }
}

std::vector<IndexEntry> IndexTail::Sorted(IndexKind kind) const {
  std::vector<IndexEntry> entries;
  {
    const std::lock_guard lock(mutex_);
    entries = Of(kind).all;
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::uint64_t IndexTail::certificates() const {
  const std::lock_guard lock(mutex_);
  return Of(IndexKind::kExpiry).all.size();
}

std::shared_ptr<IndexTail> IndexTail::next() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

void IndexTail::set_next(std::shared_ptr<IndexTail> next) {
  const std::lock_guard lock(mutex_);
  next_ = std::move(next);
}

}  // namespace troth
