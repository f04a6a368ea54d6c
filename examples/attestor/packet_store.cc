#include "examples/attestor/packet_store.h"

#include <array>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/store/sqlite_internal.h"

namespace attestor {
namespace {

using troth::SqliteConnection;
using troth::SqliteCursor;
using troth::SqliteStatements;

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS packets(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL,
  destination TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  message TEXT NOT NULL,
  confirmed INTEGER NOT NULL DEFAULT 0,
  UNIQUE (source, destination, sequence));
CREATE INDEX IF NOT EXISTS packets_by_state ON packets(confirmed, number);
CREATE TABLE IF NOT EXISTS signatures(
  packet INTEGER NOT NULL REFERENCES packets(number),
  attestor TEXT NOT NULL,
  signature BLOB NOT NULL,
  UNIQUE (packet, attestor));
)sql";

enum Statement {
  kInsertPacket,
  kInsertSignature,
  kConfirm,
  kConfirmAll,
  kFind,
  kSignatures,
  kSignaturesThatWait,
  kDropSignature,
  kList,
};
constexpr std::array<std::string_view, kList + 1> kStatements = {
    "INSERT OR IGNORE INTO packets(id, source, destination, sequence, message) "
    "VALUES (?, ?, ?, ?, ?) RETURNING number",
    "INSERT OR IGNORE INTO signatures(packet, attestor, signature) "
    "SELECT number, ?, ? FROM packets WHERE id = ? RETURNING packet",
    "UPDATE packets SET confirmed = 1 WHERE number = ? AND confirmed = 0 AND "
    "(SELECT count(*) FROM signatures WHERE packet = number) >= ?",
    "UPDATE packets SET confirmed = 1 WHERE confirmed = 0 AND "
    "(SELECT count(*) FROM signatures WHERE packet = number) >= ?",
    "SELECT number, source, destination, sequence, message, confirmed FROM packets WHERE id = ?",
    "SELECT attestor, signature FROM signatures WHERE packet = ? ORDER BY rowid",
    "SELECT signatures.rowid, attestor, signature, source, destination, sequence, message "
    "FROM packets JOIN signatures ON packet = number WHERE confirmed = 0",
    "DELETE FROM signatures WHERE rowid = ?",
    "SELECT source, destination, sequence, message FROM packets WHERE confirmed = ? AND NOT EXISTS "
    "(SELECT 1 FROM signatures WHERE packet = number AND attestor = ?) AND "
    "(? = '' OR number > (SELECT number FROM packets WHERE id = ?)) ORDER BY number LIMIT ?"};

// Columns `first` and the three after it.
Packet ReadPacket(const SqliteCursor& row, int first) {
  return {.source = std::string(row.Bytes(first)),
          .destination = std::string(row.Bytes(first + 1)),
          .sequence = static_cast<std::uint64_t>(row.Number(first + 2)),
          .message = std::string(row.Bytes(first + 3))};
}

class SqlitePacketStore final : public PacketStore {
 public:
  SqlitePacketStore(std::unique_ptr<SqliteConnection> connection, int threshold)
      : threshold_(threshold),
        connection_(std::move(connection)),
        statements_(*connection_, kStatements.data(), kStatements.size()) {}

  absl::Status Prepare(const SignatureCounts& counts) {
    // FULL: what an attestor was told is stored survives a power cut.
    if (absl::Status status = connection_->Execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
        !status.ok()) {
      return status;
    }
    if (absl::Status status = connection_->Execute(kSchema); !status.ok()) return status;
    return Atomically([&] { return CountAgain(counts); });
  }

  absl::StatusOr<Added> AddPacket(const Packet& packet) override {
    const std::string id = PacketId(packet);
    const absl::StatusOr<std::optional<std::int64_t>> number = InsertPacket(id, packet);
    if (!number.ok()) return number.status();
    if (number->has_value()) return Added::kNew;
    const absl::StatusOr<std::optional<StoredPacket>> there = Find(id);
    if (!there.ok()) return there.status();
    if (there->has_value()) return Added::kThereAlready;
    return troth::MakeError(troth::Reason::kRequestState,
                            "another packet is number " + std::to_string(packet.sequence) +
                                " from " + packet.source + " to " + packet.destination +
                                ": expected the next number, or the same message");
  }

  absl::StatusOr<Added> AddSignature(const std::string& id,
                                     const PacketSignature& signature) override {
    Added added = Added::kNew;
    absl::Status status = Atomically([&] { return InsertSignature(id, signature, added); });
    if (!status.ok()) return status;
    return added;
  }

  absl::StatusOr<std::optional<StoredPacket>> Find(const std::string& id) override {
    auto find = statements_.Use(kFind);
    if (!find.ok()) return find.status();
    const absl::StatusOr<bool> there = find->BindText(id).Step();
    if (!there.ok()) return there.status();
    if (!*there) return std::nullopt;
    StoredPacket out{
        .packet = ReadPacket(*find, 1), .confirmed = find->Number(5) != 0, .signatures = {}};
    auto signatures = statements_.Use(kSignatures);
    if (!signatures.ok()) return signatures.status();
    signatures->BindNumber(find->Number(0));
    while (true) {
      const absl::StatusOr<bool> row = signatures->Step();
      if (!row.ok()) return row.status();
      if (!*row) return out;
      out.signatures.push_back({.attestor = std::string(signatures->Bytes(0)),
                                .signature = std::string(signatures->Bytes(1))});
    }
  }

  absl::StatusOr<std::vector<Packet>> List(const PacketQuery& query) override {
    auto list = statements_.Use(kList);
    if (!list.ok()) return list.status();
    list->BindNumber(query.confirmed ? 1 : 0)
        .BindText(query.not_signed_by)
        .BindText(query.after)
        .BindText(query.after)
        .BindNumber(query.limit);
    std::vector<Packet> out;
    while (true) {
      const absl::StatusOr<bool> row = list->Step();
      if (!row.ok()) return row.status();
      if (!*row) return out;
      out.push_back(ReadPacket(*list, 0));
    }
  }

 private:
  // What `change` does is done whole or not at all.
  template <typename Change>
  absl::Status Atomically(Change change) {
    if (absl::Status status = connection_->Execute("BEGIN IMMEDIATE"); !status.ok()) return status;
    absl::Status status = change();
    if (status.ok()) status = connection_->Execute("COMMIT");
    if (!status.ok()) static_cast<void>(connection_->Execute("ROLLBACK"));
    return status;
  }

  absl::Status CountAgain(const SignatureCounts& counts) {
    const absl::StatusOr<std::vector<std::int64_t>> rows = ThoseThatDoNotCount(counts);
    if (!rows.ok()) return rows.status();
    for (const std::int64_t row : *rows) {
      auto drop = statements_.Use(kDropSignature);
      if (!drop.ok()) return drop.status();
      if (absl::Status status = drop->BindNumber(row).Run(); !status.ok()) return status;
    }
    if (!rows->empty()) {
      troth::Log(troth::LogLevel::kWarning, "signatures on packets that wait count no more",
                 {{"dropped", std::to_string(rows->size())}});
    }
    auto confirm = statements_.Use(kConfirmAll);
    if (!confirm.ok()) return confirm.status();
    return confirm->BindNumber(threshold_).Run();
  }

  absl::StatusOr<std::vector<std::int64_t>> ThoseThatDoNotCount(const SignatureCounts& counts) {
    auto waiting = statements_.Use(kSignaturesThatWait);
    if (!waiting.ok()) return waiting.status();
    std::vector<std::int64_t> out;
    while (true) {
      const absl::StatusOr<bool> row = waiting->Step();
      if (!row.ok()) return row.status();
      if (!*row) return out;
      const PacketSignature signature{.attestor = std::string(waiting->Bytes(1)),
                                      .signature = std::string(waiting->Bytes(2))};
      if (!counts(ReadPacket(*waiting, 3), signature)) out.push_back(waiting->Number(0));
    }
  }

  // The number that an INSERT ... RETURNING gave its row; nothing when there was one already.
  static absl::StatusOr<std::optional<std::int64_t>> Insert(SqliteCursor& insert) {
    const absl::StatusOr<bool> inserted = insert.Step();
    if (!inserted.ok()) return inserted.status();
    if (!*inserted) return std::nullopt;
    const std::int64_t number = insert.Number(0);
    // To its end, where it is committed and may still fail.
    const absl::StatusOr<bool> more = insert.Step();
    if (!more.ok()) return more.status();
    return number;
  }

  absl::StatusOr<std::optional<std::int64_t>> InsertPacket(const std::string& id,
                                                           const Packet& packet) {
    auto insert = statements_.Use(kInsertPacket);
    if (!insert.ok()) return insert.status();
    insert->BindText(id)
        .BindText(packet.source)
        .BindText(packet.destination)
        .BindNumber(static_cast<std::int64_t>(packet.sequence))
        .BindText(packet.message);
    return Insert(*insert);
  }

  absl::Status InsertSignature(const std::string& id, const PacketSignature& signature,
                               Added& added) {
    auto insert = statements_.Use(kInsertSignature);
    if (!insert.ok()) return insert.status();
    insert->BindText(signature.attestor).BindBlob(signature.signature).BindText(id);
    const absl::StatusOr<std::optional<std::int64_t>> packet = Insert(*insert);
    if (!packet.ok()) return packet.status();
    added = packet->has_value() ? Added::kNew : Added::kThereAlready;
    if (!packet->has_value()) return absl::OkStatus();
    auto confirm = statements_.Use(kConfirm);
    if (!confirm.ok()) return confirm.status();
    return confirm->BindNumber(**packet).BindNumber(threshold_).Run();
  }

  const int threshold_;
  const std::unique_ptr<SqliteConnection> connection_;
  SqliteStatements statements_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PacketStore>> PacketStore::Open(const std::string& path,
                                                               int threshold,
                                                               const SignatureCounts& counts) {
  auto connection = SqliteConnection::Open(path, SqliteConnection::Access::kWrite, "");
  if (!connection.ok()) return connection.status();
  auto store = std::make_unique<SqlitePacketStore>(*std::move(connection), threshold);
  if (absl::Status status = store->Prepare(counts); !status.ok()) return status;
  return store;
}

}  // namespace attestor
