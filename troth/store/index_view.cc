#include "troth/store/index_view_internal.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace troth {
namespace {

// Readers begin with the newest or, when the writer was quick, with the one before.
constexpr size_t kKeptDirectories = 4;

enum Sql : size_t { kState, kLast, kKeys, kCount };
constexpr std::array<std::string_view, kCount> kSql = {
    "SELECT index_version, indexed_until FROM state WHERE id = 1",
    "SELECT coalesce(max(sequence), 0) FROM certificates",
    kVisitKeysSql,
};

absl::StatusOr<std::uint64_t> LastSequence(SqliteStatements& statements) {
  absl::StatusOr<SqliteCursor> cursor = statements.Use(kLast);
  if (!cursor.ok()) return cursor.status();
  const absl::StatusOr<bool> row = cursor->Step();
  if (!row.ok()) return row.status();
  return static_cast<std::uint64_t>(cursor->Number(0));
}

absl::StatusOr<std::int64_t> DirectoryVersion(SqliteStatements& statements) {
  absl::StatusOr<SqliteCursor> cursor = statements.Use(kState);
  if (!cursor.ok()) return cursor.status();
  const absl::StatusOr<bool> row = cursor->Step();
  if (!row.ok()) return row.status();
  if (!*row) return DamagedRow(statements.connection(), "the row of its state is missing");
  return cursor->Number(0);
}

// Loads the directory unless `state` has this version.
absl::Status LoadDirectory(IndexSegments& segments, std::int64_t version, IndexState& state) {
  if (state.directory != nullptr && state.directory->version == version) return absl::OkStatus();
  absl::StatusOr<IndexDirectory> loaded = segments.Load();
  if (!loaded.ok()) return loaded.status();
  state.directory = std::make_shared<const IndexDirectory>(*std::move(loaded));
  return absl::OkStatus();
}

// Calls `look` with every batch of the snapshot, oldest first.
void VisitTails(const IndexState& state, const std::function<void(const IndexTail&)>& look) {
  std::shared_ptr<const IndexTail> next;
  for (const IndexTail* tail = state.tail.get(); tail != nullptr; tail = next.get()) {
    look(*tail);
    next = tail->next();
  }
}

// Each once: after another process has changed the file, two batches can hold the same.
void NewestFirst(std::vector<std::uint64_t>& sequences) {
  std::sort(sequences.begin(), sequences.end(), std::greater<>());
  sequences.erase(std::unique(sequences.begin(), sequences.end()), sequences.end());
}

}  // namespace

std::shared_ptr<const IndexTail> SharedIndex::oldest_tail() const {
  const std::lock_guard lock(mutex_);
  return oldest_tail_;
}

void SharedIndex::set_oldest_tail(std::shared_ptr<const IndexTail> tail) {
  const std::lock_guard lock(mutex_);
  oldest_tail_.swap(tail);
}

std::shared_ptr<const TermFilter> SharedIndex::filter() const {
  const std::lock_guard lock(mutex_);
  return filter_;
}

void SharedIndex::set_filter(std::shared_ptr<const TermFilter> filter) {
  const std::lock_guard lock(mutex_);
  filter_.swap(filter);
}

std::shared_ptr<const IndexDirectory> SharedIndex::directory(std::int64_t version) const {
  const std::lock_guard lock(mutex_);
  for (const auto& directory : directories_) {
    if (directory->version == version) return directory;
  }
  return nullptr;
}

void SharedIndex::add_directory(std::shared_ptr<const IndexDirectory> directory) {
  const std::lock_guard lock(mutex_);
  directories_.push_front(std::move(directory));
  if (directories_.size() > kKeptDirectories) directories_.pop_back();
}

absl::StatusOr<const std::vector<std::uint64_t>*> IndexView::Find(IndexKind kind,
                                                                  std::uint64_t key) {
  const absl::StatusOr<const IndexState*> state = source_.Current();
  if (!state.ok()) return state.status();
  const IndexState& now = **state;
  found_.clear();
  VisitTails(now, [&](const IndexTail& tail) {
    tail.Find(kind, key, now.directory->indexed_until, now.last, found_);
  });
  if (kind != IndexKind::kTerms || now.filter == nullptr || now.filter->MayHold(key)) {
    for (const auto& segment : now.directory->Of(kind)) {
      if (absl::Status searched = segments_.Find(*segment, key, found_); !searched.ok()) {
        return searched;
      }
    }
  }
  NewestFirst(found_);
  return &found_;
}

absl::StatusOr<std::uint64_t> IndexView::CountExpiring(std::uint64_t first, std::uint64_t last) {
  const absl::StatusOr<const IndexState*> state = source_.Current();
  if (!state.ok()) return state.status();
  const IndexState& now = **state;
  found_.clear();
  VisitTails(now, [&](const IndexTail& tail) {
    tail.FindExpiring(first, last, now.directory->indexed_until, now.last, found_);
  });
  NewestFirst(found_);
  std::uint64_t count = found_.size();
  if (first > last) return count;
  for (const auto& segment : now.directory->Of(IndexKind::kExpiry)) {
    absl::StatusOr<std::uint64_t> below = segments_.CountBelow(*segment, first);
    if (!below.ok()) return below;
    absl::StatusOr<std::uint64_t> upto =
        last == UINT64_MAX ? segment->entries : segments_.CountBelow(*segment, last + 1);
    if (!upto.ok()) return upto;
    count += *upto - *below;
  }
  return count;
}

absl::StatusOr<const std::vector<std::uint64_t>*> IndexView::FindExpiring(std::uint64_t first,
                                                                          std::uint64_t last) {
  const absl::StatusOr<const IndexState*> state = source_.Current();
  if (!state.ok()) return state.status();
  const IndexState& now = **state;
  found_.clear();
  VisitTails(now, [&](const IndexTail& tail) {
    tail.FindExpiring(first, last, now.directory->indexed_until, now.last, found_);
  });
  for (const auto& segment : now.directory->Of(IndexKind::kExpiry)) {
    absl::Status visited = segments_.Visit(*segment, first, last, [this](const IndexEntry& entry) {
      found_.push_back(entry.sequence);
      return true;
    });
    if (!visited.ok()) return visited;
  }
  NewestFirst(found_);
  return &found_;
}

absl::StatusOr<std::uint64_t> IndexView::Last() {
  const absl::StatusOr<const IndexState*> state = source_.Current();
  if (!state.ok()) return state.status();
  return (*state)->last;
}

absl::Status VisitKeys(SqliteStatements& statements, size_t sql, const IndexKeys& keys,
                       std::uint64_t after,
                       const std::function<void(std::uint64_t, const CertificateKeys&)>& visit) {
  absl::StatusOr<SqliteCursor> rows = statements.Use(sql);
  if (!rows.ok()) return rows.status();
  rows->BindNumber(static_cast<std::int64_t>(after));
  CertificateKeys of_row;
  for (;;) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    keys.Of({.serial = rows->Bytes(1),
             .request = rows->Bytes(2),
             .names = rows->Bytes(5),
             .issued_at = rows->Number(3),
             .not_after = rows->Number(4)},
            of_row);
    visit(static_cast<std::uint64_t>(rows->Number(0)), of_row);
  }
}

absl::StatusOr<IndexKeys> ReadIndexKeys(SqliteConnection& connection) {
  const absl::StatusOr<std::string> bytes =
      connection.QueryText("SELECT hash_key FROM state WHERE id = 1");
  if (!bytes.ok()) return bytes.status();
  std::array<std::uint64_t, 2> key = {};
  if (bytes->size() != sizeof(key)) {
    return DamagedRow(connection, "its hash key has " + std::to_string(bytes->size()) + " bytes");
  }
  for (size_t i = 0; i < bytes->size(); ++i) {
    key[i / 8] |= std::uint64_t{static_cast<std::uint8_t>((*bytes)[i])} << (i % 8 * 8);
  }
  return IndexKeys(key);
}

SharedStateSource::SharedStateSource(SqliteConnection& connection, const SharedIndex& shared)
    : statements_(connection, kSql.data(), kSql.size()), segments_(connection), shared_(shared) {}

void SharedStateSource::Begin() {
  valid_ = false;
  state_.tail = shared_.oldest_tail();
}

void SharedStateSource::End() {
  valid_ = false;
  state_.tail.reset();
  state_.filter.reset();
}

absl::StatusOr<const IndexState*> SharedStateSource::Current() {
  if (valid_) return &state_;
  const absl::StatusOr<std::int64_t> version = DirectoryVersion(statements_);
  if (!version.ok()) return version.status();
  if (state_.directory == nullptr || state_.directory->version != *version) {
    state_.directory = shared_.directory(*version);
    if (absl::Status loaded = LoadDirectory(segments_, *version, state_); !loaded.ok()) {
      return loaded;
    }
  }
  const absl::StatusOr<std::uint64_t> last = LastSequence(statements_);
  if (!last.ok()) return last.status();
  state_.last = *last;
  state_.filter = shared_.filter();
  valid_ = true;
  return &state_;
}

OwnStateSource::OwnStateSource(SqliteConnection& connection, const IndexKeys& keys)
    : statements_(connection, kSql.data(), kSql.size()), segments_(connection), keys_(keys) {}

absl::StatusOr<const IndexState*> OwnStateSource::Current() {
  if (valid_) return &state_;
  const absl::StatusOr<std::int64_t> version = DirectoryVersion(statements_);
  if (!version.ok()) return version.status();
  if (absl::Status loaded = LoadDirectory(segments_, *version, state_); !loaded.ok()) {
    return loaded;
  }
  if (tail_ == nullptr || tail_version_ != *version) {
    tail_ = std::make_shared<IndexTail>(state_.directory->indexed_until);
    tail_version_ = *version;
    state_.tail = tail_;
    state_.last = state_.directory->indexed_until;
  }
  std::uint64_t last = state_.last;
  absl::Status read = VisitKeys(statements_, kKeys, keys_, state_.last,
                                [&](std::uint64_t sequence, const CertificateKeys& keys) {
                                  tail_->Add(sequence, keys);
                                  last = sequence;
                                });
  if (!read.ok()) {
    tail_.reset();
    return read;
  }
  state_.last = last;
  valid_ = true;
  return &state_;
}

}  // namespace troth
