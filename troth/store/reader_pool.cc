#include "troth/store/reader_pool_internal.h"

#include <array>
#include <optional>
#include <utility>

#include "troth/store/schema_internal.h"

namespace troth {
namespace {

// Connections that are kept while nobody reads: each holds its cache.
constexpr size_t kMaxIdle = 4;

enum Sql : size_t { kBegin, kEnd, kCount };
constexpr std::array<std::string_view, kCount> kSql = {"BEGIN", "COMMIT"};

}  // namespace

class ReaderPool::Connection {
 public:
  Connection(std::unique_ptr<SqliteConnection> connection, const IndexKeys& keys,
             const SharedIndex* shared)
      : connection_(std::move(connection)), statements_(*connection_, kSql.data(), kSql.size()) {
    if (shared != nullptr) {
      shared_.emplace(*connection_, *shared);
    } else {
      own_.emplace(*connection_, keys);
    }
    IndexStateSource& source = shared != nullptr ? static_cast<IndexStateSource&>(*shared_) : *own_;
    queries_.emplace(*connection_, source, keys);
  }

  absl::Status Read(const std::function<absl::Status(SqliteQueries&)>& read) {
    if (shared_) shared_->Begin();
    absl::Status status = Step(kBegin);
    if (status.ok()) {
      status = read(*queries_);
      absl::Status ended = Step(kEnd);
      if (status.ok()) status = std::move(ended);
    }
    if (shared_) shared_->End();
    if (own_) own_->End();
    return status;
  }
  bool failed() const { return connection_->failed(); }

 private:
  absl::Status Step(size_t statement) {
    absl::StatusOr<SqliteCursor> cursor = statements_.Use(statement);
    if (!cursor.ok()) return cursor.status();
    return cursor->Run();
  }

  std::unique_ptr<SqliteConnection> connection_;
  SqliteStatements statements_;
  std::optional<SharedStateSource> shared_;
  std::optional<OwnStateSource> own_;
  std::optional<SqliteQueries> queries_;
};

ReaderPool::ReaderPool(std::string path, std::string vfs, size_t cache_bytes,
                       const SharedIndex* shared)
    : path_(std::move(path)), vfs_(std::move(vfs)), cache_bytes_(cache_bytes), shared_(shared) {}

ReaderPool::~ReaderPool() = default;

absl::Status ReaderPool::Read(const std::function<absl::Status(SqliteQueries&)>& read) {
  absl::StatusOr<std::unique_ptr<Connection>> connection = Take();
  if (!connection.ok()) return connection.status();
  absl::Status status = (*connection)->Read(read);
  // After a failure a new connection is surer than finding out what this one is still good for.
  if (!(*connection)->failed()) GiveBack(*std::move(connection));
  return status;
}

absl::StatusOr<std::unique_ptr<ReaderPool::Connection>> ReaderPool::Take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  auto connection = OpenForReading(path_, vfs_, cache_bytes_);
  if (!connection.ok()) return connection.status();
  const absl::StatusOr<IndexKeys> keys = ReadIndexKeys(**connection);
  if (!keys.ok()) return keys.status();
  return std::make_unique<Connection>(*std::move(connection), *keys, shared_);
}

void ReaderPool::GiveBack(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
}

}  // namespace troth
