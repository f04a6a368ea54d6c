// The index on disk: sorted runs of entries ("segments"), each written once and whole.
//
// A batch of certificates gives one segment of each kind; four neighbours of one size are merged
// into one. A segment is cut into blocks of a page each, so that a look-up reads one page; the
// first key of every block ("fence") is kept in memory, 8 bytes for 310 entries.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/store/index_keys_internal.h"
#include "troth/store/sqlite_internal.h"

namespace troth {

struct IndexSegment {
  std::int64_t id = 0;
  IndexKind kind = IndexKind::kTerms;
  std::int64_t level = 0;  // 0: one batch
  std::uint64_t first_sequence = 0, last_sequence = 0;
  std::uint64_t entries = 0;
  std::uint64_t last_key = 0;
  std::vector<std::uint64_t> fences = {};
};

// All segments at one moment. Immutable once shared.
struct IndexDirectory {
  std::int64_t version = 0;
  std::uint64_t indexed_until = 0;
  std::array<std::vector<std::shared_ptr<const IndexSegment>>, kIndexKinds.size()> segments = {};

  const auto& Of(IndexKind kind) const { return segments[static_cast<size_t>(kind)]; }
  auto& Of(IndexKind kind) { return segments[static_cast<size_t>(kind)]; }
};

// A block as it lies in the file: 13 bytes an entry, key and sequence, little-endian.
class IndexBlock {
 public:
  static constexpr size_t kEntryBytes = 13;
  // 310 entries and SQLite's own bytes fill a page of 4096.
  static constexpr size_t kMaxEntries = 310;

  explicit IndexBlock(std::string_view bytes) : bytes_(bytes) {}
  bool valid() const { return !bytes_.empty() && bytes_.size() % kEntryBytes == 0; }
  size_t size() const { return bytes_.size() / kEntryBytes; }
  IndexEntry operator[](size_t i) const;
  size_t LowerBound(std::uint64_t key) const;  // the first entry with this key or a greater one

  static void Append(const IndexEntry& entry, std::string& bytes);

 private:
  std::string_view bytes_;
};

// Reads and writes segments over one connection, which is in a transaction. Errors of all:
// store_failed.
class IndexSegments {
 public:
  explicit IndexSegments(SqliteConnection& connection);

  absl::StatusOr<IndexDirectory> Load();

  // The sequences under `key` go to the end of `found`.
  absl::Status Find(const IndexSegment& segment, std::uint64_t key,
                    std::vector<std::uint64_t>& found);
  // How many entries have a key below `key`.
  absl::StatusOr<std::uint64_t> CountBelow(const IndexSegment& segment, std::uint64_t key);
  // Every entry with first <= key <= last, in order, until `visit` says false.
  absl::Status Visit(const IndexSegment& segment, std::uint64_t first, std::uint64_t last,
                     const std::function<bool(const IndexEntry&)>& visit);
  absl::Status VisitAll(const IndexSegment& segment,
                        const std::function<bool(const IndexEntry&)>& visit) {
    return Visit(segment, 0, UINT64_MAX, visit);
  }

  // Writes `entries`, which are sorted, as a segment. `like` gives kind, level and sequences.
  absl::StatusOr<std::shared_ptr<const IndexSegment>> Write(const std::vector<IndexEntry>& entries,
                                                            const IndexSegment& like);
  // Writes one segment in place of `parts`, which lie side by side, oldest first, and removes
  // them. Entries that `keep` says false to are left out.
  absl::StatusOr<std::shared_ptr<const IndexSegment>> Merge(
      const std::vector<std::shared_ptr<const IndexSegment>>& parts, std::int64_t level,
      const std::function<bool(const IndexEntry&)>& keep);

  // Version, indexed_until, and how many certificates came to those that are indexed.
  absl::Status SaveState(const IndexDirectory& directory, std::int64_t certificates_added);

 private:
  class Writer;
  class Reader;
  absl::StatusOr<SqliteCursor> ReadBlock(const IndexSegment& segment, size_t number);
  absl::StatusOr<std::int64_t> NextId();
  absl::Status Remove(const IndexSegment& segment);

  SqliteStatements statements_;
};

// Merges neighbours of one size, as long as there are enough of them. Four: an entry is written
// again once for each factor of four, and a look-up meets at most three segments of each size.
inline constexpr size_t kMergeWidth = 4;
// What is larger is not merged while the store works: the writer would stand still for too long.
inline constexpr std::uint64_t kMaxMergedEntries = std::uint64_t{1} << 20;
absl::Status MergeSmallSegments(IndexSegments& segments, IndexDirectory& directory);

}  // namespace troth
