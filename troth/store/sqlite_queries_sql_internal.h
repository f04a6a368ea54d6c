// The statements of SqliteQueries.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace troth::queries_sql {

enum Sql : size_t {
  kCertificateBySequence,
  kCertificatesFrom,
  kCertificatesBelow,
  kRevokedCertificatesBelow,
  kIsNameKnown,
  kRevocation,
  kRevocations,
  kIsRevoked,
  kRevokedExpiring,
  kRequest,
  kRequestSequence,
  kToken,
  kTokens,
  kIssuers,
  kHead,
  kLedger,
  kCounts,
  kCount,
};

#define TROTH_CERTIFICATE_COLUMNS                                                           \
  "c.sequence, c.serial, c.names, c.profile, c.not_after, c.issuer, c.lineage, c.request, " \
  "c.token, c.issued_at, c.der FROM "
#define TROTH_REVOCATION_COLUMNS \
  "serial, issuer, lineage, key, revoked_at, reason, not_after FROM revocations "
#define TROTH_REQUEST_COLUMNS                                                                 \
  "id, state, profile, name, names, key, body, address, created_at, decided_at, decided_by, " \
  "decision_note, certificate, certificate_not_after FROM requests "
#define TROTH_TOKEN_COLUMNS                                                             \
  "id, secret_hash, profile, names, any_name, max_uses, uses, created_at, expires_at, " \
  "created_by, revoked_at FROM tokens "

inline constexpr std::array<std::string_view, kCount> kTexts = {
    "SELECT " TROTH_CERTIFICATE_COLUMNS "certificates c WHERE c.sequence = ?",
    "SELECT " TROTH_CERTIFICATE_COLUMNS "certificates c WHERE c.sequence >= ? ORDER BY c.sequence",
    "SELECT " TROTH_CERTIFICATE_COLUMNS
    "certificates c WHERE c.sequence < ? ORDER BY c.sequence DESC",
    "SELECT " TROTH_CERTIFICATE_COLUMNS
    "revocations r INDEXED BY revocations_by_certificate CROSS JOIN certificates c "
    "ON c.sequence = r.certificate WHERE r.certificate < ? ORDER BY r.certificate DESC",
    "SELECT 1 FROM request_names WHERE name = ? LIMIT 1",
    "SELECT " TROTH_REVOCATION_COLUMNS "WHERE serial = ?",
    "SELECT " TROTH_REVOCATION_COLUMNS "WHERE not_after >= ? ORDER BY serial",
    "SELECT 1 FROM revocations WHERE serial = ?",
    "SELECT count(*) FROM revocations "
    "WHERE not_after >= ? AND not_after <= ? AND certificate IS NOT NULL",
    "SELECT " TROTH_REQUEST_COLUMNS "WHERE id = ?",
    "SELECT sequence FROM requests WHERE id = ?",
    "SELECT " TROTH_TOKEN_COLUMNS "WHERE id = ?",
    "SELECT " TROTH_TOKEN_COLUMNS "ORDER BY sequence DESC",
    "SELECT number, der, added_at, crl_number FROM issuers ORDER BY number",
    "SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1",
    "SELECT sequence, at, actor, action, subject, detail, hash FROM ledger "
    "WHERE sequence >= ? ORDER BY sequence",
    "SELECT certificates, revocations, "
    "(SELECT count(*) FROM requests INDEXED BY requests_pending WHERE state = 0), "
    "(SELECT count(*) FROM certificates WHERE sequence > indexed_until) FROM state WHERE id = 1",
};

}  // namespace troth::queries_sql
