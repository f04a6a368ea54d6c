// The index as one snapshot of the file sees it: segments on disk, and the newest in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/store/index_keys_internal.h"
#include "troth/store/index_segments_internal.h"
#include "troth/store/index_tail_internal.h"
#include "troth/store/sqlite_internal.h"
#include "troth/store/term_filter_internal.h"

namespace troth {

// What a snapshot consists of.
struct IndexState {
  std::shared_ptr<const IndexDirectory> directory;
  std::shared_ptr<const IndexTail> tail;     // the oldest batch that is needed; the others follow
  std::uint64_t last = 0;                    // the newest certificate that is visible
  std::shared_ptr<const TermFilter> filter;  // of the terms in segments; null: none yet
};

// Where a connection gets the state of its snapshot from.
class IndexStateSource {
 public:
  virtual ~IndexStateSource() = default;
  // The same state until the snapshot ends. Errors: store_failed.
  virtual absl::StatusOr<const IndexState*> Current() = 0;
};

// What the writer shares with the readers of its process. Thread-safe.
class SharedIndex {
 public:
  // Take it before the snapshot begins: then it holds all that the snapshot has and the segments
  // of that snapshot lack.
  std::shared_ptr<const IndexTail> oldest_tail() const;
  void set_oldest_tail(std::shared_ptr<const IndexTail> tail);
  // Take it after the snapshot has begun: then it holds every term in that snapshot's segments.
  std::shared_ptr<const TermFilter> filter() const;
  void set_filter(std::shared_ptr<const TermFilter> filter);
  // A recent directory, or null.
  std::shared_ptr<const IndexDirectory> directory(std::int64_t version) const;
  void add_directory(std::shared_ptr<const IndexDirectory> directory);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const IndexTail> oldest_tail_;
  std::shared_ptr<const TermFilter> filter_;
  std::deque<std::shared_ptr<const IndexDirectory>> directories_;
};

// Reads the index over one connection. Errors of all: store_failed.
class IndexView {
 public:
  IndexView(SqliteConnection& connection, IndexStateSource& source)
      : segments_(connection), source_(source) {}

  // Every certificate that can be the one, newest first. Valid until the next call.
  absl::StatusOr<const std::vector<std::uint64_t>*> Find(IndexKind kind, std::uint64_t key);
  // How many have first <= notAfter <= last: those that are gone since count too.
  absl::StatusOr<std::uint64_t> CountExpiring(std::uint64_t first, std::uint64_t last);
  absl::StatusOr<const std::vector<std::uint64_t>*> FindExpiring(std::uint64_t first,
                                                                 std::uint64_t last);
  // The newest certificate's sequence, or a greater number.
  absl::StatusOr<std::uint64_t> Last();

 private:
  IndexSegments segments_;
  IndexStateSource& source_;
  std::vector<std::uint64_t> found_;
};

// The keys of every certificate after `after`, oldest first.
absl::Status VisitKeys(SqliteStatements& statements, size_t sql, const IndexKeys& keys,
                       std::uint64_t after,
                       const std::function<void(std::uint64_t, const CertificateKeys&)>& visit);
inline constexpr std::string_view kVisitKeysSql =
    "SELECT sequence, serial, request, issued_at, not_after, names FROM certificates "
    "WHERE sequence > ? ORDER BY sequence";
// The hash key of a store.
absl::StatusOr<IndexKeys> ReadIndexKeys(SqliteConnection& connection);

// For a reader in the writer's process.
class SharedStateSource final : public IndexStateSource {
 public:
  SharedStateSource(SqliteConnection& connection, const SharedIndex& shared);
  // Before the connection's transaction begins, and after it has ended.
  void Begin();
  void End();
  absl::StatusOr<const IndexState*> Current() override;

 private:
  SqliteStatements statements_;
  IndexSegments segments_;
  const SharedIndex& shared_;
  IndexState state_;
  bool valid_ = false;
};

// For a process that does not write: reads from the file what the writer's has in memory.
class OwnStateSource final : public IndexStateSource {
 public:
  OwnStateSource(SqliteConnection& connection, const IndexKeys& keys);
  void End() { valid_ = false; }
  absl::StatusOr<const IndexState*> Current() override;

 private:
  SqliteStatements statements_;
  IndexSegments segments_;
  IndexKeys keys_;
  IndexState state_;
  std::shared_ptr<IndexTail> tail_;
  std::int64_t tail_version_ = 0;  // of the directory that it goes with
  bool valid_ = false;
};

}  // namespace troth
