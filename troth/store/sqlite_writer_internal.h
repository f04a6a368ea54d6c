// The one connection that writes, and what it keeps in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/store.h"
#include "troth/store/index_view_internal.h"
#include "troth/store/reads_through_internal.h"
#include "troth/store/sqlite_internal.h"
#include "troth/store/sqlite_queries_internal.h"
#include "troth/store/term_filter_builder_internal.h"

namespace troth {

struct SqliteWriterOptions {
  std::string path = {}, vfs = {};
  size_t cache_bytes = 0;
  size_t index_batch = 0;
  int check_point_pages = 0;
};

// Runs pieces of work in groups:
//
//   Begin, then for each piece BeginPiece, the work, and RollBackPiece when it failed; Commit or
//   RollBack.
//
// One thread at a time.
class SqliteWriter final : private IndexStateSource {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteWriter>> Open(const SqliteWriterOptions& options,
                                                            SharedIndex& shared, Time now);
  ~SqliteWriter() override;

  StoreTransaction& transaction();

  // Errors: store_failed.
  absl::Status Begin();
  // On error the transaction is rolled back.
  absl::Status Commit();
  void RollBack();

  // How a piece's changes can be taken back alone.
  enum class Undo {
    kWithGroup,  // they cannot: who must, rolls the group back and runs it again
    kSavepoint,
  };
  absl::Status BeginPiece(Undo undo);
  // Whether the piece has changed anything.
  bool piece_changed() const { return piece_changed_; }
  // With Undo::kSavepoint only.
  absl::Status RollBackPiece();
  absl::Status EndPiece(Undo undo);

  // Whether a statement of this transaction failed, whatever a piece made of it: nothing of the
  // transaction may be kept.
  bool failed() const { return connection_->failed(); }

  // Between groups: writes the index of the newest certificates when a batch is full, and moves
  // what lies in the log to the file when that is long. Nothing is lost when that fails.
  void KeepHouse();

  // As the current transaction sees them; but for `unindexed`.
  const SqliteQueries::Counts& counts() const { return now_.counts; }
  std::uint64_t unindexed() const { return current_tail_->certificates(); }

 private:
  class Transaction;
  friend class Transaction;

  // What changes with a transaction, and goes back with it.
  struct Live {
    std::uint64_t last = 0;  // sequence of the newest certificate
    LedgerHead head = {};
    SqliteQueries::Counts counts = {};
  };

  SqliteWriter(const SqliteWriterOptions& options, std::unique_ptr<SqliteConnection> connection,
               const IndexKeys& keys, SharedIndex& shared);

  absl::StatusOr<const IndexState*> Current() override { return &state_; }
  absl::Status Step(size_t statement);
  // Reads into memory what the file says.
  absl::Status Load();
  absl::Status LoadIfChangedByOthers();
  void TakeBackTo(const Live& live);
  void OverwriteFailed();
  absl::Status Flush();
  absl::StatusOr<IndexDirectory> WriteBatch();
  void CheckPoint();

  const SqliteWriterOptions options_;
  std::unique_ptr<SqliteConnection> connection_;
  SharedIndex& shared_;
  SqliteStatements statements_;
  IndexKeys keys_;
  IndexSegments segments_;
  SqliteQueries queries_;
  std::unique_ptr<Transaction> transaction_;
  TermFilterBuilder filter_;

  IndexState state_;
  std::shared_ptr<IndexTail> current_tail_;
  Live now_, at_begin_, at_piece_;
  bool piece_changed_ = false;
  std::uint32_t data_version_ = 0;
  std::uint64_t flush_at_ = 0;  // unindexed certificates at which the next batch is written
  int log_pages_ = 0;           // of the write-ahead log, after the last commit
  int check_point_at_ = 0;
  bool check_point_failed_ = false;
};

}  // namespace troth
