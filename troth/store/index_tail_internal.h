// What the segments do not hold yet: the keys of the newest certificates, in memory.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "troth/store/index_keys_internal.h"

namespace troth {

// One batch of certificates, from when the first is added until no reader needs it. The writer adds
// (before it commits) and takes back (when the commit fails); readers look, and disregard what is
// not in their snapshot. Thread-safe.
class IndexTail {
 public:
  // `after`: the last sequence that older batches hold.
  explicit IndexTail(std::uint64_t after) : after_(after) {}

  // Sequences grow from call to call.
  void Add(std::uint64_t sequence, const CertificateKeys& keys);
  // Takes back every certificate above `last`.
  void TruncateTo(std::uint64_t last);

  // Those under `key` with after < sequence <= last, to the end of `found`.
  void Find(IndexKind kind, std::uint64_t key, std::uint64_t after, std::uint64_t last,
            std::vector<std::uint64_t>& found) const;
  // Those that expire within [first, last_time].
  void FindExpiring(std::uint64_t first, std::uint64_t last_time, std::uint64_t after,
                    std::uint64_t last, std::vector<std::uint64_t>& found) const;
  // All entries of a kind, sorted.
  std::vector<IndexEntry> Sorted(IndexKind kind) const;

  std::uint64_t certificates() const;
  std::uint64_t after() const { return after_; }

  // The batch that follows, once there is one. Holding an old one keeps the later ones.
  std::shared_ptr<IndexTail> next() const;
  void set_next(std::shared_ptr<IndexTail> next);

 private:
  // Entries in the order in which they came, and a table of their numbers by key. Entries leave in
  // the reverse of that order, so that a slot can simply be emptied: whatever was put further on
  // because of it has left before.
  struct Entries {
    std::vector<IndexEntry> all;
    std::vector<std::uint32_t> slots;  // number + 1; 0: empty

    void Push(const IndexEntry& entry);
    void Pop();
    void Place(std::uint32_t number);
    size_t SlotOf(std::uint64_t key) const;
  };
  const Entries& Of(IndexKind kind) const { return entries_[static_cast<size_t>(kind)]; }
  Entries& Of(IndexKind kind) { return entries_[static_cast<size_t>(kind)]; }

  const std::uint64_t after_;
  mutable std::mutex mutex_;
  std::array<Entries, kIndexKinds.size()> entries_;
  std::shared_ptr<IndexTail> next_;
};

}  // namespace troth
