// Rows as records.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/ca/records.h"
#include "troth/store/sqlite_internal.h"

namespace troth {

// Each reads the current row of a cursor whose statement selects the columns named beside it, in
// that order. Errors: store_failed (what lies there cannot be such a record).
inline constexpr std::string_view kCertificateColumns =
    "sequence, serial, names, profile, not_after, issuer, lineage, request, token, issued_at, der";
// Columns that a search looks at before it reads a record.
inline constexpr int kCertificateSequence = 0, kCertificateSerial = 1, kCertificateNames = 2,
                     kCertificateProfile = 3, kCertificateNotAfter = 4, kCertificateRequest = 7,
                     kCertificateToken = 8;
absl::StatusOr<CertificateRecord> CertificateOf(const SqliteCursor& row);

// serial, issuer, lineage, key, revoked_at, reason, not_after
absl::StatusOr<RevocationRecord> RevocationOf(const SqliteCursor& row);
// id, state, profile, name, names, key, body, address, created_at, decided_at, decided_by,
// decision_note, certificate, certificate_not_after
absl::StatusOr<RequestRecord> RequestOf(const SqliteCursor& row);
// id, secret_hash, profile, names, any_name, max_uses, uses, created_at, expires_at, created_by,
// revoked_at
absl::StatusOr<TokenRecord> TokenOf(const SqliteCursor& row);
// number, der, added_at, crl_number
absl::StatusOr<IssuerRecord> IssuerOf(const SqliteCursor& row);
// sequence, at, actor, action, subject, detail, hash
absl::StatusOr<LedgerEntry> LedgerEntryOf(const SqliteCursor& row);

inline std::int64_t SecondsOf(Time time) { return time.time_since_epoch().count(); }
inline Time TimeOf(std::int64_t seconds) { return Time(Seconds(seconds)); }
inline std::string_view BytesOf(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace troth
