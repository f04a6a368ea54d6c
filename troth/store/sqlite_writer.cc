#include "troth/store/sqlite_writer_internal.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/store/schema_internal.h"
#include "troth/store/sqlite_transaction_internal.h"

namespace troth {
namespace {

// At which readers are asked to let the log begin anew: 128 MiB.
constexpr int kLongLogPages = 32768;
constexpr int kWaitForReadersMilliseconds = 200;
constexpr int kBusyMilliseconds = 10'000;

enum Sql : size_t {
  kBegin,
  kCommit,
  kRollBack,
  kSavepoint,
  kRollBackToSavepoint,
  kRelease,
  kKeys,
  kAddRevocations,
  kOverwrite,
  kCount,
};

constexpr std::array<std::string_view, kCount> kSql = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT piece",
    "ROLLBACK TO piece",
    "RELEASE piece",
    kVisitKeysSql,
    "UPDATE state SET revocations = revocations + ? WHERE id = 1",
    "UPDATE state SET overwritten = overwritten + 1 WHERE id = 1",
};

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteWriter>> SqliteWriter::Open(const SqliteWriterOptions& options,
                                                                 SharedIndex& shared, Time now) {
  auto connection = OpenForWriting(options.path, options.vfs, options.cache_bytes, now);
  if (!connection.ok()) return connection.status();
  const absl::StatusOr<IndexKeys> keys = ReadIndexKeys(**connection);
  if (!keys.ok()) return keys.status();
  std::unique_ptr<SqliteWriter> writer(
      new SqliteWriter(options, *std::move(connection), *keys, shared));
  if (absl::Status begun = writer->Step(kBegin); !begun.ok()) return begun;
  absl::Status loaded = writer->Load();
  if (loaded.ok()) loaded = writer->Step(kCommit);
  if (!loaded.ok()) return loaded;
  writer->data_version_ = writer->connection_->DataVersion();
  writer->KeepHouse();
  return writer;
}

SqliteWriter::SqliteWriter(const SqliteWriterOptions& options,
                           std::unique_ptr<SqliteConnection> connection, const IndexKeys& keys,
                           SharedIndex& shared)
    : options_(options),
      connection_(std::move(connection)),
      shared_(shared),
      statements_(*connection_, kSql.data(), kSql.size()),
      keys_(keys),
      segments_(*connection_),
      queries_(*connection_, *this, keys_),
      transaction_(std::make_unique<Transaction>(*this)),
      filter_(options.path, options.vfs, shared),
      check_point_at_(options.check_point_pages) {
  sqlite3_wal_hook(
      connection_->handle(),
      [](void* pages, sqlite3* /*handle*/, const char* /*schema*/, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &log_pages_);
}

SqliteWriter::~SqliteWriter() = default;

StoreTransaction& SqliteWriter::transaction() { return *transaction_; }

absl::Status SqliteWriter::Step(size_t statement) {
  absl::StatusOr<SqliteCursor> cursor = statements_.Use(statement);
  if (!cursor.ok()) return cursor.status();
  return cursor->Run();
}

absl::Status SqliteWriter::Load() {
  absl::StatusOr<IndexDirectory> directory = segments_.Load();
  if (!directory.ok()) return directory.status();
  const absl::StatusOr<SqliteQueries::Counts> counts = queries_.CountStored();
  if (!counts.ok()) return counts.status();
  Live live{.counts = *counts};
  const absl::StatusOr<LedgerHead> head = queries_.Head();
  if (!head.ok()) return head.status();
  live.head = *head;

  // A sequence that the index knows is never given again, even when its certificate was pruned.
  live.last = directory->indexed_until;
  auto tail = std::make_shared<IndexTail>(directory->indexed_until);
  absl::Status read = VisitKeys(statements_, kKeys, keys_, directory->indexed_until,
                                [&](std::uint64_t sequence, const CertificateKeys& keys) {
                                  tail->Add(sequence, keys);
                                  live.last = sequence;
                                });
  if (!read.ok()) return read;
  if (state_.directory != nullptr && state_.directory->indexed_until != directory->indexed_until) {
    filter_.Forget();
  }
  // A reader that began with an older batch finds the way to this one.
  if (current_tail_ != nullptr) current_tail_->set_next(tail);
  shared_.set_oldest_tail(tail);
  current_tail_ = tail;
  state_.tail = std::move(tail);
  state_.directory = std::make_shared<const IndexDirectory>(*std::move(directory));
  state_.last = INT64_MAX;  // the writer sees all that it has added
  shared_.add_directory(state_.directory);
  now_ = live;
  at_begin_ = live;
  flush_at_ = options_.index_batch;
  return absl::OkStatus();
}

absl::Status SqliteWriter::LoadIfChangedByOthers() {
  if (connection_->DataVersion() == data_version_) return absl::OkStatus();
  absl::Status loaded = Load();
  if (loaded.ok()) data_version_ = connection_->DataVersion();
  return loaded;
}

absl::Status SqliteWriter::Begin() {
  connection_->ClearFailure();
  if (absl::Status begun = Step(kBegin); !begun.ok()) return begun;
  if (absl::Status loaded = LoadIfChangedByOthers(); !loaded.ok()) {
    RollBack();
    return loaded;
  }
  at_begin_ = now_;
  state_.filter = shared_.filter();
  return absl::OkStatus();
}

absl::Status SqliteWriter::Commit() {
  absl::Status done;
  if (now_.counts.revocations != at_begin_.counts.revocations) {
    absl::StatusOr<SqliteCursor> update = statements_.Use(kAddRevocations);
    done = update.status();
    if (done.ok()) {
      update->BindNumber(
          static_cast<std::int64_t>(now_.counts.revocations - at_begin_.counts.revocations));
      done = update->Run();
    }
  }
  if (done.ok()) done = Step(kCommit);
  if (!done.ok()) {
    RollBack();
    OverwriteFailed();
    return done;
  }
  data_version_ = connection_->DataVersion();
  return absl::OkStatus();
}

void SqliteWriter::RollBack() {
  // SQLite may have rolled back by itself, and then has nothing to do here.
  if (sqlite3_get_autocommit(connection_->handle()) == 0) Step(kRollBack).IgnoreError();
  TakeBackTo(at_begin_);
  connection_->ClearFailure();
}

// When the disk fails at the end of a commit, the log can hold the whole of a group that everybody
// was told is not kept. Were the machine to stop now, the next start would find it there. Any
// transaction that is written over it ends that; so do one at once, and where that fails as well,
// the next group will be it.
void SqliteWriter::OverwriteFailed() {
  if (!Step(kBegin).ok()) return;
  if (!Step(kOverwrite).ok() || !Step(kCommit).ok()) {
    if (sqlite3_get_autocommit(connection_->handle()) == 0) Step(kRollBack).IgnoreError();
  }
  connection_->ClearFailure();
}

void SqliteWriter::TakeBackTo(const Live& live) {
  if (now_.last != live.last) current_tail_->TruncateTo(live.last);
  now_ = live;
}

absl::Status SqliteWriter::BeginPiece(Undo undo) {
  piece_changed_ = false;
  at_piece_ = now_;
  return undo == Undo::kSavepoint ? Step(kSavepoint) : absl::OkStatus();
}

absl::Status SqliteWriter::RollBackPiece() {
  TakeBackTo(at_piece_);
  return Step(kRollBackToSavepoint);
}

absl::Status SqliteWriter::EndPiece(Undo undo) {
  return undo == Undo::kSavepoint ? Step(kRelease) : absl::OkStatus();
}

void SqliteWriter::KeepHouse() {
  const std::uint64_t unindexed = current_tail_->certificates();
  if (unindexed >= flush_at_) {
    if (absl::Status flushed = Flush(); !flushed.ok()) {
      if (sqlite3_get_autocommit(connection_->handle()) == 0) Step(kRollBack).IgnoreError();
      connection_->ClearFailure();
      // Not with every group: a disk that is full is full for a while.
      flush_at_ = unindexed + std::max<std::uint64_t>(1, options_.index_batch / 8);
      Log(LogLevel::kWarning, "the index of certificates was not written, will try again",
          {{"error", ToStd(flushed.message())}});
    }
  }
  std::uint64_t terms = 0;
  for (const auto& segment : state_.directory->Of(IndexKind::kTerms)) terms += segment->entries;
  filter_.Provide(terms);
  // Shorter than it was: it has begun anew.
  if (log_pages_ + options_.check_point_pages < check_point_at_)
    check_point_at_ = options_.check_point_pages;
  if (log_pages_ >= check_point_at_) CheckPoint();
}

absl::Status SqliteWriter::Flush() {
  if (absl::Status begun = Begin(); !begun.ok()) return begun;
  absl::StatusOr<IndexDirectory> directory = WriteBatch();
  if (!directory.ok()) return directory.status();
  if (absl::Status committed = Step(kCommit); !committed.ok()) return committed;
  data_version_ = connection_->DataVersion();

  auto next = std::make_shared<IndexTail>(directory->indexed_until);
  current_tail_->set_next(next);
  // Who takes it from now on gets a snapshot that has the segments; who has the old one has both.
  shared_.set_oldest_tail(next);
  current_tail_ = next;
  state_.tail = std::move(next);
  state_.directory = std::make_shared<const IndexDirectory>(*std::move(directory));
  shared_.add_directory(state_.directory);
  flush_at_ = options_.index_batch;
  return absl::OkStatus();
}

absl::StatusOr<IndexDirectory> SqliteWriter::WriteBatch() {
  IndexDirectory directory = *state_.directory;
  for (const IndexKind kind : kIndexKinds) {
    const std::vector<IndexEntry> entries = current_tail_->Sorted(kind);
    if (kind == IndexKind::kTerms) {
      for (const IndexEntry& entry : entries) filter_.Add(entry.key);
    }
    auto segment = segments_.Write(
        entries,
        {.kind = kind, .first_sequence = directory.indexed_until + 1, .last_sequence = now_.last});
    if (!segment.ok()) return segment.status();
    directory.Of(kind).push_back(*std::move(segment));
  }
  if (absl::Status merged = MergeSmallSegments(segments_, directory); !merged.ok()) return merged;
  ++directory.version;
  directory.indexed_until = now_.last;
  absl::Status saved =
      segments_.SaveState(directory, static_cast<std::int64_t>(current_tail_->certificates()));
  if (!saved.ok()) return saved;
  return directory;
}

// Readers hold the log where it is. As long as they only hold it up for moments, it begins anew by
// itself once all of it has been moved; when it has grown long, the writer waits a little for that.
void SqliteWriter::CheckPoint() {
  const bool is_long = log_pages_ >= kLongLogPages;
  if (is_long) sqlite3_busy_timeout(connection_->handle(), kWaitForReadersMilliseconds);
  const int code = sqlite3_wal_checkpoint_v2(
      connection_->handle(), nullptr,
      is_long ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (is_long) sqlite3_busy_timeout(connection_->handle(), kBusyMilliseconds);
  const bool failed = code != SQLITE_OK && code != SQLITE_BUSY;
  if (failed && !check_point_failed_) {
    Log(LogLevel::kWarning, "the store's log cannot be moved to its file, will try again",
        {{"error", sqlite3_errmsg(connection_->handle())}});
  }
  check_point_failed_ = failed;
  check_point_at_ = log_pages_ + options_.check_point_pages;
}

}  // namespace troth
