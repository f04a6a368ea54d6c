#include "troth/store/sqlite_transaction_internal.h"

#include <sqlite3.h>

#include <array>
#include <utility>

#include "troth/base/reason.h"
#include "troth/ca/ledger.h"
#include "troth/store/record_rows_internal.h"
#include "troth/store/text_list_internal.h"

namespace troth {
namespace {

enum Sql : size_t {
  kAddCertificate,
  kAddRevocation,
  kFindRequest,
  kAddRequest,
  kReplaceRequest,
  kAddName,
  kAddToken,
  kReplaceToken,
  kPutIssuer,
  kAppendLedger,
  kCount,
};

constexpr std::array<std::string_view, kCount> kSql = {
    "INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "INSERT INTO revocations(certificate, serial, issuer, lineage, key, revoked_at, reason, "
    "not_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(serial) DO NOTHING",
    "SELECT sequence, state FROM requests WHERE id = ?",
    "INSERT INTO requests(state, profile, name, names, key, body, address, created_at, "
    "decided_at, decided_by, decision_note, certificate, certificate_not_after, id) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "UPDATE requests SET state = ?, profile = ?, name = ?, names = ?, key = ?, body = ?, "
    "address = ?, created_at = ?, decided_at = ?, decided_by = ?, decision_note = ?, "
    "certificate = ?, certificate_not_after = ? WHERE id = ?",
    "INSERT OR IGNORE INTO request_names VALUES (?, ?)",
    "INSERT INTO tokens(secret_hash, profile, names, any_name, max_uses, uses, created_at, "
    "expires_at, created_by, revoked_at, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "UPDATE tokens SET secret_hash = ?, profile = ?, names = ?, any_name = ?, max_uses = ?, "
    "uses = ?, created_at = ?, expires_at = ?, created_by = ?, revoked_at = ? WHERE id = ?",
    "INSERT OR REPLACE INTO issuers VALUES (?, ?, ?, ?)",
    "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)",
};

void BindTime(std::optional<Time> time, SqliteCursor& cursor) {
  if (time) {
    cursor.BindNumber(SecondsOf(*time));
  } else {
    cursor.BindNull();
  }
}

}  // namespace

SqliteWriter::Transaction::Transaction(SqliteWriter& writer)
    : ReadsThrough(writer.queries_),
      writer_(writer),
      statements_(*writer.connection_, kSql.data(), kSql.size()) {}

absl::Status SqliteWriter::Transaction::AddCertificate(const CertificateRecord& certificate) {
  const std::string& serial = certificate.serial.der_content();
  const absl::StatusOr<std::optional<std::uint64_t>> there = writer_.queries_.FindSequence(serial);
  if (!there.ok()) return there.status();
  if (there->has_value()) {
    return MakeError(Reason::kSerialExists, "expected a serial that no certificate has, got " +
                                                certificate.serial.ToHex() + ": make another one");
  }
  absl::StatusOr<SqliteCursor> add = statements_.Use(kAddCertificate);
  if (!add.ok()) return add.status();
  EncodeTexts(certificate.names, names_);
  const std::string_view request = BytesOf(certificate.request);
  const std::int64_t issued_at = SecondsOf(certificate.issued_at);
  const std::int64_t not_after = SecondsOf(certificate.not_after);
  const std::uint64_t sequence = writer_.now_.last + 1;
  add->BindNumber(static_cast<std::int64_t>(sequence))
      .BindBlob(serial)
      .BindNumber(certificate.issuer)
      .BindText(certificate.profile);
  if (certificate.lineage == certificate.serial) {
    add->BindNull();
  } else {
    add->BindBlob(certificate.lineage.der_content());
  }
  add->BindBlob(request)
      .BindText(certificate.token)
      .BindNumber(issued_at)
      .BindNumber(not_after)
      .BindBlob(names_)
      .BindBlob(certificate.der);
  writer_.piece_changed_ = true;
  if (absl::Status added = add->Run(); !added.ok()) return added;
  writer_.keys_.Of({.serial = serial,
                    .request = request,
                    .names = names_,
                    .issued_at = issued_at,
                    .not_after = not_after},
                   keys_);
  writer_.current_tail_->Add(sequence, keys_);
  writer_.now_.last = sequence;
  ++writer_.now_.counts.certificates;
  return absl::OkStatus();
}

absl::Status SqliteWriter::Transaction::AddRevocation(const RevocationRecord& revocation) {
  const std::string& serial = revocation.serial.der_content();
  const absl::StatusOr<std::optional<std::uint64_t>> certificate =
      writer_.queries_.FindSequence(serial);
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<SqliteCursor> add = statements_.Use(kAddRevocation);
  if (!add.ok()) return add.status();
  if (certificate->has_value()) {
    add->BindNumber(static_cast<std::int64_t>(**certificate));
  } else {
    add->BindNull();
  }
  add->BindBlob(serial)
      .BindNumber(revocation.issuer)
      .BindBlob(revocation.lineage.der_content())
      .BindBlob(BytesOf(revocation.key))
      .BindNumber(SecondsOf(revocation.revoked_at))
      .BindNumber(revocation.reason)
      .BindNumber(SecondsOf(revocation.not_after));
  writer_.piece_changed_ = true;
  if (absl::Status added = add->Run(); !added.ok()) return added;
  if (sqlite3_changes(writer_.connection_->handle()) > 0) ++writer_.now_.counts.revocations;
  return absl::OkStatus();
}

absl::Status SqliteWriter::Transaction::PutRequest(const RequestRecord& request) {
  const std::string_view id = BytesOf(request.id);
  std::int64_t sequence = 0;
  bool was_pending = false;
  {
    absl::StatusOr<SqliteCursor> find = statements_.Use(kFindRequest);
    if (!find.ok()) return find.status();
    find->BindBlob(id);
    const absl::StatusOr<bool> there = find->Step();
    if (!there.ok()) return there.status();
    if (*there) {
      sequence = find->Number(0);
      was_pending = find->Number(1) == static_cast<std::int64_t>(RequestState::kPending);
    }
  }
  {
    absl::StatusOr<SqliteCursor> put =
        statements_.Use(sequence == 0 ? kAddRequest : kReplaceRequest);
    if (!put.ok()) return put.status();
    EncodeTexts(request.names, names_);
    put->BindNumber(static_cast<std::int64_t>(request.state))
        .BindText(request.profile)
        .BindText(request.name)
        .BindBlob(names_)
        .BindBlob(BytesOf(request.key))
        .BindBlob(request.body)
        .BindText(request.address)
        .BindNumber(SecondsOf(request.created_at));
    BindTime(request.decided_at, *put);
    put->BindText(request.decided_by).BindText(request.decision_note);
    if (request.certificate) {
      put->BindBlob(request.certificate->der_content());
    } else {
      put->BindNull();
    }
    BindTime(request.certificate_not_after, *put);
    put->BindBlob(id);
    writer_.piece_changed_ = true;
    if (absl::Status done = put->Run(); !done.ok()) return done;
  }
  if (sequence == 0) sequence = sqlite3_last_insert_rowid(writer_.connection_->handle());
  const bool is_pending = request.state == RequestState::kPending;
  if (is_pending && !was_pending) ++writer_.now_.counts.pending_requests;
  if (!is_pending && was_pending) --writer_.now_.counts.pending_requests;

  if (absl::Status added = AddName(request.name, sequence); !added.ok()) return added;
  for (const std::string& name : request.names) {
    if (absl::Status added = AddName(name, sequence); !added.ok()) return added;
  }
  return absl::OkStatus();
}

absl::Status SqliteWriter::Transaction::AddName(std::string_view name, std::int64_t request) {
  if (name.empty()) return absl::OkStatus();
  absl::StatusOr<SqliteCursor> add = statements_.Use(kAddName);
  if (!add.ok()) return add.status();
  add->BindText(name).BindNumber(request);
  return add->Run();
}

absl::Status SqliteWriter::Transaction::PutToken(const TokenRecord& token) {
  EncodeTexts(token.names, names_);
  writer_.piece_changed_ = true;
  // Nearly always it is there: it was found before, and is used now.
  for (const Sql statement : {kReplaceToken, kAddToken}) {
    absl::StatusOr<SqliteCursor> put = statements_.Use(statement);
    if (!put.ok()) return put.status();
    put->BindBlob(BytesOf(token.secret_hash))
        .BindText(token.profile)
        .BindBlob(names_)
        .BindNumber(token.any_name ? 1 : 0)
        .BindNumber(static_cast<std::int64_t>(token.max_uses))
        .BindNumber(static_cast<std::int64_t>(token.uses))
        .BindNumber(SecondsOf(token.created_at))
        .BindNumber(SecondsOf(token.expires_at))
        .BindText(token.created_by);
    BindTime(token.revoked_at, *put);
    put->BindText(token.id);
    if (absl::Status done = put->Run(); !done.ok()) return done;
    if (sqlite3_changes(writer_.connection_->handle()) > 0) return absl::OkStatus();
  }
  return MakeError(Reason::kInternal, "expected the token to be written, got no change");
}

absl::Status SqliteWriter::Transaction::PutIssuer(const IssuerRecord& issuer) {
  absl::StatusOr<SqliteCursor> put = statements_.Use(kPutIssuer);
  if (!put.ok()) return put.status();
  put->BindNumber(issuer.number)
      .BindBlob(issuer.der)
      .BindNumber(SecondsOf(issuer.added_at))
      .BindNumber(static_cast<std::int64_t>(issuer.crl_number));
  writer_.piece_changed_ = true;
  return put->Run();
}

absl::Status SqliteWriter::Transaction::AppendLedger(const LedgerNote& note) {
  const LedgerEntry entry = NextEntry(writer_.now_.head, note);
  absl::StatusOr<SqliteCursor> append = statements_.Use(kAppendLedger);
  if (!append.ok()) return append.status();
  append->BindNumber(static_cast<std::int64_t>(entry.sequence))
      .BindNumber(SecondsOf(entry.note.at))
      .BindText(entry.note.actor)
      .BindText(entry.note.action)
      .BindText(entry.note.subject)
      .BindText(entry.note.detail)
      .BindBlob(BytesOf(entry.hash));
  writer_.piece_changed_ = true;
  if (absl::Status appended = append->Run(); !appended.ok()) return appended;
  writer_.now_.head = {.sequence = entry.sequence, .hash = entry.hash};
  return absl::OkStatus();
}

absl::StatusOr<LedgerHead> SqliteWriter::Transaction::Head() { return writer_.now_.head; }

}  // namespace troth
