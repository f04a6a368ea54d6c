#include "troth/store/sqlite_store.h"

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/store/reader_pool_internal.h"
#include "troth/store/reads_through_internal.h"
#include "troth/store/sqlite_writer_internal.h"

namespace troth {
namespace {

constexpr size_t kMaxGroup = 256;
// Of the cache's bytes, those of one reader. The writer needs most: the ends of its tables and
// whatever a token or a request lies in.
constexpr size_t kReadersShare = 8;
constexpr Seconds kExpiringKept = std::chrono::minutes(1);

std::uint64_t SizeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

struct Piece {
  Store::Work work;
  Store::Done done;
  absl::Status status = {};
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(SqliteStoreOptions options)
      : options_(std::move(options)),
        readers_(options_.path, options_.vfs, options_.cache_bytes / kReadersShare,
                 options_.read_only ? nullptr : &shared_) {}

  ~SqliteStore() override {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  absl::Status Start() {
    if (options_.read_only) {
      return readers_.Read([](SqliteQueries& queries) { return queries.Head().status(); });
    }
    absl::StatusOr<std::unique_ptr<SqliteWriter>> writer =
        SqliteWriter::Open({.path = options_.path,
                            .vfs = options_.vfs,
                            .cache_bytes = options_.cache_bytes,
                            .index_batch = options_.index_batch,
                            .check_point_pages = options_.check_point_pages},
                           shared_, options_.clock->Now());
    if (!writer.ok()) return writer.status();
    writer_ = *std::move(writer);
    CountWritten(0);
    thread_ = std::thread([this] { RunWriter(); });
    return absl::OkStatus();
  }

  void Write(Work work, Done done) override {
    if (options_.read_only) {
      done(MakeError(Reason::kStoreFailed, "the store " + options_.path +
                                               " was opened for reading, expected to write: "
                                               "open it for writing"));
      return;
    }
    bool wake = false;
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({.work = std::move(work), .done = std::move(done)});
      wake = idle_;
      idle_ = false;
    }
    if (wake) wake_.notify_one();
  }

  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    return readers_.Read([&read](SqliteQueries& queries) {
      ReadsThrough<StoreReader> reader(queries);
      return read(reader);
    });
  }

  StoreStatistics Statistics() const override {
    StoreStatistics statistics;
    {
      const std::lock_guard lock(statistics_mutex_);
      statistics = statistics_;
    }
    if (options_.read_only) CountStored(statistics);
    statistics.bytes = SizeOf(options_.path) + SizeOf(options_.path + "-wal");
    CountExpiring(statistics);
    return statistics;
  }

 private:
  void RunWriter() {
    // Woken by each piece, the thread would interrupt whoever makes the next one, and commit every
    // piece alone. Batch scheduling lets them go on for their slice of time, or until they have
    // nothing to do, and so the group gathers; on an idle core the thread still begins at once.
    // Where this is not allowed nothing but speed is lost.
    const sched_param no_priority{};
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &no_priority);
    std::vector<Piece> group;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        while (waiting_.empty() && !closing_) {
          idle_ = true;
          wake_.wait(lock);
        }
        idle_ = false;
        if (waiting_.empty()) return;
        const auto end =
            waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kMaxGroup));
        group.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
        waiting_.erase(waiting_.begin(), end);
      }
      RunGroup(group);
      group.clear();
      const std::uint64_t unindexed = writer_->unindexed();
      writer_->KeepHouse();
      if (writer_->unindexed() != unindexed) CountWritten(0);
    }
  }

  void RunGroup(std::vector<Piece>& group) {
    // Savepoints cost each piece something, and failures after a change are rare: only a group
    // that has one is run again with them.
    std::optional<absl::Status> done = TryGroup(group, SqliteWriter::Undo::kWithGroup);
    if (!done) done = TryGroup(group, SqliteWriter::Undo::kSavepoint);
    if (done->ok()) {
      size_t kept = 0;
      for (const Piece& piece : group) kept += piece.status.ok() ? 1 : 0;
      CountWritten(kept);
    } else {
      // Also for those that ended with an error of their own: it may have come from what another
      // piece did, and that is gone now.
      for (Piece& piece : group) piece.status = *done;
    }
    for (Piece& piece : group) piece.done(std::move(piece.status));
  }

  // OK: committed. Nothing: it must be run again with savepoints.
  std::optional<absl::Status> TryGroup(std::vector<Piece>& group, SqliteWriter::Undo undo) {
    if (absl::Status begun = writer_->Begin(); !begun.ok()) return begun;
    for (Piece& piece : group) {
      absl::Status engine = writer_->BeginPiece(undo);
      if (engine.ok()) {
        piece.status = piece.work(writer_->transaction());
        const bool take_back = !piece.status.ok() && writer_->piece_changed();
        if (writer_->failed()) {
          engine = piece.status.ok() ? FailedInside() : piece.status;
        } else if (take_back && undo == SqliteWriter::Undo::kWithGroup) {
          writer_->RollBack();
          return std::nullopt;
        } else if (take_back) {
          engine = writer_->RollBackPiece();
        }
      }
      if (engine.ok()) engine = writer_->EndPiece(undo);
      if (!engine.ok()) {
        writer_->RollBack();
        return ReasonOf(engine) == Reason::kStoreFailed ? engine : FailedInside();
      }
    }
    return writer_->Commit();
  }

  absl::Status FailedInside() const {
    return MakeError(Reason::kStoreFailed,
                     "the store " + options_.path +
                         ": a statement failed, expected all to be done: see the log, try again");
  }

  void CountWritten(size_t pieces) {
    const SqliteQueries::Counts& counts = writer_->counts();
    const std::uint64_t unindexed = writer_->unindexed();
    const std::lock_guard lock(statistics_mutex_);
    statistics_.certificates = counts.certificates;
    statistics_.revocations = counts.revocations;
    statistics_.pending_requests = counts.pending_requests;
    statistics_.unindexed = unindexed;
    statistics_.groups += pieces > 0 ? 1 : 0;
    statistics_.writes += pieces;
  }

  // What the process that writes has in memory.
  void CountStored(StoreStatistics& statistics) const {
    const absl::Status read = readers_.Read([&](SqliteQueries& queries) -> absl::Status {
      const absl::StatusOr<SqliteQueries::Counts> counts = queries.CountStored();
      if (!counts.ok()) return counts.status();
      statistics.certificates = counts->certificates;
      statistics.revocations = counts->revocations;
      statistics.pending_requests = counts->pending_requests;
      statistics.unindexed = counts->unindexed;
      return absl::OkStatus();
    });
    if (!read.ok()) {
      Log(LogLevel::kWarning, "the store cannot be counted", {{"error", ToStd(read.message())}});
    }
  }

  // Takes the numbers from the index when those that are kept are old, and none other does so now.
  void CountExpiring(StoreStatistics& statistics) const {
    const std::unique_lock counting(counting_mutex_, std::try_to_lock);
    const Time now = options_.clock->Now();
    if (counting.owns_lock() &&
        (!counted_at_ || now < *counted_at_ || now - *counted_at_ >= kExpiringKept)) {
      std::uint64_t day = 0, week = 0;
      const absl::Status read = readers_.Read([&](SqliteQueries& queries) -> absl::Status {
        const absl::StatusOr<std::uint64_t> of_day =
            queries.CountExpiring(now, now + std::chrono::days(1));
        if (!of_day.ok()) return of_day.status();
        const absl::StatusOr<std::uint64_t> of_week =
            queries.CountExpiring(now, now + std::chrono::days(7));
        if (!of_week.ok()) return of_week.status();
        day = *of_day;
        week = *of_week;
        return absl::OkStatus();
      });
      if (read.ok()) {
        counted_at_ = now;
        const std::lock_guard lock(statistics_mutex_);
        statistics_.expiring_day = day;
        statistics_.expiring_week = week;
      }
    }
    const std::lock_guard lock(statistics_mutex_);
    statistics.expiring_day = statistics_.expiring_day;
    statistics.expiring_week = statistics_.expiring_week;
  }

  const SqliteStoreOptions options_;
  SharedIndex shared_;
  std::unique_ptr<SqliteWriter> writer_;  // the thread's, once that runs
  // Closed before the writer: the last to close a file empties its log, and has to be able to.
  mutable ReaderPool readers_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Piece> waiting_;  // guarded by mutex_, as the next two
  bool idle_ = false;          // the thread waits, and nobody has woken it
  bool closing_ = false;

  mutable std::mutex statistics_mutex_;
  mutable StoreStatistics statistics_;
  mutable std::mutex counting_mutex_;
  mutable std::optional<Time> counted_at_;  // guarded by counting_mutex_

  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(SqliteStoreOptions options) {
  auto store = std::make_unique<SqliteStore>(std::move(options));
  if (absl::Status started = store->Start(); !started.ok()) return started;
  return store;
}

}  // namespace troth
