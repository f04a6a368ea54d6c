#include "troth/store/record_rows_internal.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

// Reads columns, and remembers the first that cannot be what it should be.
class Row {
 public:
  Row(const SqliteCursor& cursor, std::string_view table) : cursor_(cursor), table_(table) {}

  std::int64_t Number(int column) const { return cursor_.Number(column); }
  std::uint64_t Count(int column) const { return static_cast<std::uint64_t>(Number(column)); }
  std::uint32_t Small(int column) const { return static_cast<std::uint32_t>(Number(column)); }
  RequestState State(int column) {
    const std::int64_t number = Number(column);
    if (number >= 0 && number <= static_cast<std::int64_t>(RequestState::kExpired)) {
      return static_cast<RequestState>(number);
    }
    wrong_ = column;
    return RequestState::kExpired;
  }
  Time At(int column) const { return TimeOf(Number(column)); }
  std::optional<Time> MaybeAt(int column) const {
    return cursor_.IsNull(column) ? std::nullopt : std::optional<Time>(At(column));
  }
  std::string Text(int column) const { return std::string(cursor_.Bytes(column)); }
  Sha256Digest Digest(int column) {
    const std::string_view bytes = cursor_.Bytes(column);
    Sha256Digest digest = {};
    if (bytes.size() == digest.size()) {
      std::copy(bytes.begin(), bytes.end(), digest.begin());
    } else {
      wrong_ = column;
    }
    return digest;
  }
  std::vector<std::string> Texts(int column) {
    std::optional<std::vector<std::string>> texts = DecodeTexts(cursor_.Bytes(column));
    if (!texts) wrong_ = column;
    return texts ? *std::move(texts) : std::vector<std::string>();
  }
  SerialNumber Serial(int column) {
    absl::StatusOr<SerialNumber> serial = SerialNumber::FromDerContent(cursor_.Bytes(column));
    if (serial.ok()) return *std::move(serial);
    wrong_ = column;
    return *SerialNumber::FromDerContent(std::string_view("\0", 1));
  }

  template <typename Record>
  absl::StatusOr<Record> Give(Record record) const {
    if (!wrong_) return record;
    return DamagedRow(cursor_.connection(), "column " + std::to_string(*wrong_ + 1) +
                                                " of a row that was read from " +
                                                std::string(table_));
  }

 private:
  const SqliteCursor& cursor_;
  std::string_view table_;
  std::optional<int> wrong_;
};

}  // namespace

absl::StatusOr<CertificateRecord> CertificateOf(const SqliteCursor& cursor) {
  Row row(cursor, "certificates");
  SerialNumber serial = row.Serial(1);
  SerialNumber lineage = cursor.IsNull(6) ? serial : row.Serial(6);
  CertificateRecord record{.serial = std::move(serial),
                           .issuer = row.Small(5),
                           .profile = row.Text(3),
                           .lineage = std::move(lineage),
                           .request = row.Digest(7),
                           .token = row.Text(8),
                           .issued_at = row.At(9),
                           .not_after = row.At(4),
                           .names = row.Texts(2),
                           .der = row.Text(10)};
  return row.Give(std::move(record));
}

absl::StatusOr<RevocationRecord> RevocationOf(const SqliteCursor& cursor) {
  Row row(cursor, "revocations");
  RevocationRecord record{.serial = row.Serial(0),
                          .issuer = row.Small(1),
                          .lineage = row.Serial(2),
                          .key = row.Digest(3),
                          .revoked_at = row.At(4),
                          .reason = static_cast<int>(row.Number(5)),
                          .not_after = row.At(6)};
  return row.Give(std::move(record));
}

absl::StatusOr<RequestRecord> RequestOf(const SqliteCursor& cursor) {
  Row row(cursor, "requests");
  RequestRecord record{.id = row.Digest(0),
                       .state = row.State(1),
                       .profile = row.Text(2),
                       .name = row.Text(3),
                       .names = row.Texts(4),
                       .key = row.Digest(5),
                       .body = row.Text(6),
                       .address = row.Text(7),
                       .created_at = row.At(8),
                       .decided_at = row.MaybeAt(9),
                       .decided_by = row.Text(10),
                       .decision_note = row.Text(11),
                       .certificate_not_after = row.MaybeAt(13)};
  if (!cursor.IsNull(12)) record.certificate = row.Serial(12);
  return row.Give(std::move(record));
}

absl::StatusOr<TokenRecord> TokenOf(const SqliteCursor& cursor) {
  Row row(cursor, "tokens");
  TokenRecord record{.id = row.Text(0),
                     .secret_hash = row.Digest(1),
                     .profile = row.Text(2),
                     .names = row.Texts(3),
                     .any_name = row.Number(4) != 0,
                     .max_uses = row.Count(5),
                     .uses = row.Count(6),
                     .created_at = row.At(7),
                     .expires_at = row.At(8),
                     .created_by = row.Text(9),
                     .revoked_at = row.MaybeAt(10)};
  return row.Give(std::move(record));
}

absl::StatusOr<IssuerRecord> IssuerOf(const SqliteCursor& cursor) {
  Row row(cursor, "issuers");
  IssuerRecord record{.number = row.Small(0),
                      .der = row.Text(1),
                      .added_at = row.At(2),
                      .crl_number = row.Count(3)};
  return row.Give(std::move(record));
}

absl::StatusOr<LedgerEntry> LedgerEntryOf(const SqliteCursor& cursor) {
  Row row(cursor, "ledger");
  LedgerEntry entry{.sequence = row.Count(0),
                    .note = {.at = row.At(1),
                             .actor = row.Text(2),
                             .action = row.Text(3),
                             .subject = row.Text(4),
                             .detail = row.Text(5)},
                    .hash = row.Digest(6)};
  return row.Give(std::move(entry));
}

}  // namespace troth
