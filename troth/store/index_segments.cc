#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include "troth/store/index_segments_internal.h"

namespace troth {
namespace {

enum Sql : size_t {
  kLoadState,
  kLoadSegments,
  kLastSegment,
  kAddSegment,
  kRemoveSegment,
  kReadBlock,
  kAddBlock,
  kRemoveBlocks,
  kSaveState,
  kCount,
};

constexpr std::array<std::string_view, kCount> kSql = {
    "SELECT index_version, indexed_until FROM state WHERE id = 1",
    "SELECT id, kind, level, first_sequence, last_sequence, entries, last_key, fences "
    "FROM index_segments ORDER BY first_sequence, id",
    "SELECT coalesce(max(id), 0) FROM index_segments",
    "INSERT INTO index_segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "DELETE FROM index_segments WHERE id = ?",
    "SELECT entries FROM index_blocks WHERE id = ?",
    "INSERT INTO index_blocks VALUES (?, ?)",
    "DELETE FROM index_blocks WHERE id >= ? AND id < ?",
    "UPDATE state SET index_version = ?, indexed_until = ?, certificates = certificates + ? "
    "WHERE id = 1",
};

constexpr int kBlockBits = 20;  // of a block's id: its number in the segment

std::int64_t BlockId(const IndexSegment& segment, size_t number) {
  return (segment.id << kBlockBits) + static_cast<std::int64_t>(number);
}

// SQLite's integers are signed; keys keep their bits.
std::int64_t Signed(std::uint64_t key) { return std::bit_cast<std::int64_t>(key); }
std::uint64_t Unsigned(std::int64_t key) { return std::bit_cast<std::uint64_t>(key); }

std::uint64_t ReadLittleEndian(const char* bytes, size_t size) {
  std::uint64_t value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, bytes, size);
  } else {
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return value;
}

void AppendLittleEndian(std::uint64_t value, size_t size, std::string& out) {
  if constexpr (std::endian::native == std::endian::little) {
    out.append(reinterpret_cast<const char*>(&value), size);
  } else {
    for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }
}

std::string EncodeFences(const std::vector<std::uint64_t>& fences) {
  std::string bytes;
  bytes.reserve(fences.size() * 8);
  for (const std::uint64_t fence : fences) AppendLittleEndian(fence, 8, bytes);
  return bytes;
}

absl::Status DamagedSegment(const SqliteConnection& connection, std::int64_t id) {
  return DamagedRow(connection, "segment " + std::to_string(id) + " of the index is not whole");
}

absl::StatusOr<IndexSegment> SegmentOf(const SqliteCursor& row) {
  const std::string_view fences = row.Bytes(7);
  const std::int64_t kind = row.Number(1);
  IndexSegment segment{.id = row.Number(0),
                       .kind = static_cast<IndexKind>(kind),
                       .level = row.Number(2),
                       .first_sequence = Unsigned(row.Number(3)),
                       .last_sequence = Unsigned(row.Number(4)),
                       .entries = Unsigned(row.Number(5)),
                       .last_key = Unsigned(row.Number(6))};
  if (kind < 0 || kind >= static_cast<std::int64_t>(kIndexKinds.size()) || fences.size() % 8 != 0 ||
      fences.size() / 8 !=
          (segment.entries + IndexBlock::kMaxEntries - 1) / IndexBlock::kMaxEntries) {
    return DamagedSegment(row.connection(), segment.id);
  }
  segment.fences.reserve(fences.size() / 8);
  for (size_t i = 0; i < fences.size(); i += 8) {
    segment.fences.push_back(ReadLittleEndian(fences.data() + i, 8));
  }
  return segment;
}

// The first block that can hold `key`: the one before the first fence that is not below it.
size_t FirstBlockFor(const IndexSegment& segment, std::uint64_t key) {
  const auto fence = std::lower_bound(segment.fences.begin(), segment.fences.end(), key);
  return fence == segment.fences.begin() ? 0
                                         : static_cast<size_t>(fence - segment.fences.begin()) - 1;
}

}  // namespace

IndexEntry IndexBlock::operator[](size_t i) const {
  const char* const bytes = bytes_.data() + i * kEntryBytes;
  return {ReadLittleEndian(bytes, 8), ReadLittleEndian(bytes + 8, kEntryBytes - 8)};
}

size_t IndexBlock::LowerBound(std::uint64_t key) const {
  size_t first = 0;
  for (size_t count = size(); count > 0;) {
    const size_t half = count / 2;
    if ((*this)[first + half].key < key) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}

void IndexBlock::Append(const IndexEntry& entry, std::string& bytes) {
  AppendLittleEndian(entry.key, 8, bytes);
  AppendLittleEndian(entry.sequence, kEntryBytes - 8, bytes);
}

// Writes a segment block by block.
class IndexSegments::Writer {
 public:
  Writer(SqliteStatements& statements, IndexSegment segment)
      : statements_(statements), segment_(std::move(segment)) {
    segment_.entries = 0;
    segment_.fences.clear();
    block_.reserve(IndexBlock::kMaxEntries * IndexBlock::kEntryBytes);
  }

  absl::Status Add(const IndexEntry& entry) {
    if (block_.empty()) segment_.fences.push_back(entry.key);
    IndexBlock::Append(entry, block_);
    segment_.last_key = entry.key;
    ++segment_.entries;
    return block_.size() == IndexBlock::kMaxEntries * IndexBlock::kEntryBytes ? Flush()
                                                                              : absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<const IndexSegment>> Finish() {
    if (absl::Status flushed = Flush(); !flushed.ok()) return flushed;
    absl::StatusOr<SqliteCursor> add = statements_.Use(kAddSegment);
    if (!add.ok()) return add.status();
    const std::string fences = EncodeFences(segment_.fences);
    add->BindNumber(segment_.id)
        .BindNumber(static_cast<std::int64_t>(segment_.kind))
        .BindNumber(segment_.level)
        .BindNumber(Signed(segment_.first_sequence))
        .BindNumber(Signed(segment_.last_sequence))
        .BindNumber(Signed(segment_.entries))
        .BindNumber(Signed(segment_.last_key))
        .BindBlob(fences);
    if (absl::Status added = add->Run(); !added.ok()) return added;
    return std::make_shared<const IndexSegment>(std::move(segment_));
  }

 private:
  absl::Status Flush() {
    if (block_.empty()) return absl::OkStatus();
    absl::StatusOr<SqliteCursor> add = statements_.Use(kAddBlock);
    if (!add.ok()) return add.status();
    add->BindNumber(BlockId(segment_, segment_.fences.size() - 1)).BindBlob(block_);
    if (absl::Status added = add->Run(); !added.ok()) return added;
    block_.clear();
    return absl::OkStatus();
  }

  SqliteStatements& statements_;
  IndexSegment segment_;
  std::string block_;
};

// Reads a segment entry by entry, with one block in memory.
class IndexSegments::Reader {
 public:
  Reader(IndexSegments& index, const IndexSegment& segment) : index_(index), segment_(segment) {}

  // Goes to the next entry. False: there is none.
  absl::StatusOr<bool> Next() {
    if (++at_ >= IndexBlock(bytes_).size()) {
      if (block_ == segment_.fences.size()) return false;
      const absl::StatusOr<SqliteCursor> row = index_.ReadBlock(segment_, block_);
      if (!row.ok()) return row.status();
      bytes_ = row->Bytes(0);
      ++block_;
      at_ = 0;
    }
    entry_ = IndexBlock(bytes_)[at_];
    return true;
  }
  const IndexEntry& entry() const { return entry_; }

 private:
  IndexSegments& index_;
  const IndexSegment& segment_;
  std::string bytes_;
  size_t block_ = 0, at_ = 0;
  IndexEntry entry_;
};

IndexSegments::IndexSegments(SqliteConnection& connection)
    : statements_(connection, kSql.data(), kSql.size()) {}

absl::StatusOr<IndexDirectory> IndexSegments::Load() {
  IndexDirectory directory;
  {
    absl::StatusOr<SqliteCursor> state = statements_.Use(kLoadState);
    if (!state.ok()) return state.status();
    const absl::StatusOr<bool> row = state->Step();
    if (!row.ok()) return row.status();
    if (!*row) return DamagedRow(statements_.connection(), "the row of its state is missing");
    directory.version = state->Number(0);
    directory.indexed_until = Unsigned(state->Number(1));
  }
  absl::StatusOr<SqliteCursor> rows = statements_.Use(kLoadSegments);
  if (!rows.ok()) return rows.status();
  for (;;) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) return directory;
    absl::StatusOr<IndexSegment> segment = SegmentOf(*rows);
    if (!segment.ok()) return segment.status();
    const IndexKind kind = segment->kind;
    directory.Of(kind).push_back(std::make_shared<const IndexSegment>(*std::move(segment)));
  }
}

absl::StatusOr<SqliteCursor> IndexSegments::ReadBlock(const IndexSegment& segment, size_t number) {
  absl::StatusOr<SqliteCursor> cursor = statements_.Use(kReadBlock);
  if (!cursor.ok()) return cursor;
  cursor->BindNumber(BlockId(segment, number));
  const absl::StatusOr<bool> row = cursor->Step();
  if (!row.ok()) return row.status();
  if (!*row || !IndexBlock(cursor->Bytes(0)).valid()) {
    return DamagedSegment(statements_.connection(), segment.id);
  }
  return cursor;
}

absl::Status IndexSegments::Find(const IndexSegment& segment, std::uint64_t key,
                                 std::vector<std::uint64_t>& found) {
  if (segment.fences.empty() || key < segment.fences.front() || key > segment.last_key) {
    return absl::OkStatus();
  }
  return Visit(segment, key, key, [&found](const IndexEntry& entry) {
    found.push_back(entry.sequence);
    return true;
  });
}

absl::StatusOr<std::uint64_t> IndexSegments::CountBelow(const IndexSegment& segment,
                                                        std::uint64_t key) {
  if (segment.fences.empty() || key <= segment.fences.front()) return std::uint64_t{0};
  if (key > segment.last_key) return segment.entries;
  const size_t block = FirstBlockFor(segment, key);
  const absl::StatusOr<SqliteCursor> row = ReadBlock(segment, block);
  if (!row.ok()) return row.status();
  return block * IndexBlock::kMaxEntries + IndexBlock(row->Bytes(0)).LowerBound(key);
}

absl::Status IndexSegments::Visit(const IndexSegment& segment, std::uint64_t first,
                                  std::uint64_t last,
                                  const std::function<bool(const IndexEntry&)>& visit) {
  for (size_t block = FirstBlockFor(segment, first);
       block < segment.fences.size() && segment.fences[block] <= last; ++block) {
    const absl::StatusOr<SqliteCursor> row = ReadBlock(segment, block);
    if (!row.ok()) return row.status();
    const IndexBlock entries(row->Bytes(0));
    for (size_t i = entries.LowerBound(first); i < entries.size(); ++i) {
      const IndexEntry entry = entries[i];
      if (entry.key > last || !visit(entry)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::int64_t> IndexSegments::NextId() {
  absl::StatusOr<SqliteCursor> last = statements_.Use(kLastSegment);
  if (!last.ok()) return last.status();
  const absl::StatusOr<bool> row = last->Step();
  if (!row.ok()) return row.status();
  return last->Number(0) + 1;
}

absl::StatusOr<std::shared_ptr<const IndexSegment>> IndexSegments::Write(
    const std::vector<IndexEntry>& entries, const IndexSegment& like) {
  const absl::StatusOr<std::int64_t> id = NextId();
  if (!id.ok()) return id.status();
  IndexSegment segment = like;
  segment.id = *id;
  Writer writer(statements_, std::move(segment));
  for (const IndexEntry& entry : entries) {
    if (absl::Status added = writer.Add(entry); !added.ok()) return added;
  }
  return writer.Finish();
}

absl::StatusOr<std::shared_ptr<const IndexSegment>> IndexSegments::Merge(
    const std::vector<std::shared_ptr<const IndexSegment>>& parts, std::int64_t level,
    const std::function<bool(const IndexEntry&)>& keep) {
  const absl::StatusOr<std::int64_t> id = NextId();
  if (!id.ok()) return id.status();
  IndexSegment like{.id = *id,
                    .kind = parts.front()->kind,
                    .level = level,
                    .first_sequence = parts.front()->first_sequence,
                    .last_sequence = parts.back()->last_sequence};
  std::vector<Reader> readers;
  readers.reserve(parts.size());
  std::vector<Reader*> left;
  for (const auto& part : parts) {
    Reader& reader = readers.emplace_back(*this, *part);
    const absl::StatusOr<bool> has = reader.Next();
    if (!has.ok()) return has.status();
    if (*has) left.push_back(&reader);
  }
  Writer writer(statements_, std::move(like));
  while (!left.empty()) {
    const auto least = std::min_element(
        left.begin(), left.end(), [](Reader* a, Reader* b) { return a->entry() < b->entry(); });
    if (!keep || keep((*least)->entry())) {
      if (absl::Status added = writer.Add((*least)->entry()); !added.ok()) return added;
    }
    const absl::StatusOr<bool> has = (*least)->Next();
    if (!has.ok()) return has.status();
    if (!*has) left.erase(least);
  }
  for (const auto& part : parts) {
    if (absl::Status removed = Remove(*part); !removed.ok()) return removed;
  }
  return writer.Finish();
}

absl::Status IndexSegments::Remove(const IndexSegment& segment) {
  absl::StatusOr<SqliteCursor> blocks = statements_.Use(kRemoveBlocks);
  if (!blocks.ok()) return blocks.status();
  blocks->BindNumber(BlockId(segment, 0)).BindNumber(BlockId(segment, segment.fences.size()));
  if (absl::Status removed = blocks->Run(); !removed.ok()) return removed;
  absl::StatusOr<SqliteCursor> row = statements_.Use(kRemoveSegment);
  if (!row.ok()) return row.status();
  row->BindNumber(segment.id);
  return row->Run();
}

absl::Status IndexSegments::SaveState(const IndexDirectory& directory,
                                      std::int64_t certificates_added) {
  absl::StatusOr<SqliteCursor> save = statements_.Use(kSaveState);
  if (!save.ok()) return save.status();
  save->BindNumber(directory.version)
      .BindNumber(Signed(directory.indexed_until))
      .BindNumber(certificates_added);
  return save->Run();
}

absl::Status MergeSmallSegments(IndexSegments& segments, IndexDirectory& directory) {
  for (const IndexKind kind : kIndexKinds) {
    auto& all = directory.Of(kind);
    for (;;) {
      if (all.size() < kMergeWidth) break;
      const std::span tail(all.end() - kMergeWidth, all.end());
      std::uint64_t entries = 0;
      for (const auto& segment : tail) entries += segment->entries;
      const bool alike = std::all_of(tail.begin(), tail.end(), [&tail](const auto& segment) {
        return segment->level == tail.front()->level;
      });
      if (!alike || entries > kMaxMergedEntries) break;
      auto merged = segments.Merge({tail.begin(), tail.end()}, tail.front()->level + 1, nullptr);
      if (!merged.ok()) return merged.status();
      all.resize(all.size() - kMergeWidth);
      all.push_back(*std::move(merged));
    }
  }
  return absl::OkStatus();
}

}  // namespace troth
