// What a store is asked, over one connection: the reading half of readers and transactions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"
#include "troth/store/index_keys_internal.h"
#include "troth/store/index_view_internal.h"
#include "troth/store/sqlite_internal.h"

namespace troth {

// A row of `certificates`, and where it is.
struct StoredCertificate {
  std::uint64_t sequence = 0;
  CertificateRecord record;
};

// Methods as StoreReader has them. The connection is in a transaction while one is called.
class SqliteQueries {
 public:
  SqliteQueries(SqliteConnection& connection, IndexStateSource& source, const IndexKeys& keys);

  absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(const SerialNumber& serial);
  absl::StatusOr<std::optional<CertificateRecord>> FindCertificateOfRequest(
      const Sha256Digest& request, std::string_view token);
  absl::StatusOr<std::vector<CertificateRecord>> FindCertificates(const CertificateFilter& filter);
  absl::Status VisitCertificates(const std::optional<SerialNumber>& from,
                                 const std::function<bool(const CertificateRecord&)>& visit);
  absl::StatusOr<bool> IsNameKnown(std::string_view name);

  absl::StatusOr<std::optional<RevocationRecord>> FindRevocation(const SerialNumber& serial);
  absl::StatusOr<std::vector<RevocationRecord>> Revocations(std::optional<std::uint32_t> issuer,
                                                            Time now);

  absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Sha256Digest& id);
  absl::StatusOr<std::vector<RequestRecord>> FindRequests(const RequestFilter& filter);
  absl::StatusOr<std::uint64_t> CountRequests(const RequestFilter& filter);

  absl::StatusOr<std::optional<TokenRecord>> FindToken(std::string_view id);
  absl::StatusOr<std::vector<TokenRecord>> Tokens();

  absl::StatusOr<std::vector<IssuerRecord>> Issuers();

  absl::StatusOr<LedgerHead> Head();
  absl::Status VisitLedger(std::uint64_t from,
                           const std::function<bool(const LedgerEntry&)>& visit);

  // How many there are, from what is kept and what lies behind it.
  struct Counts {
    std::uint64_t certificates = 0, revocations = 0, pending_requests = 0;
    std::uint64_t unindexed = 0;  // certificates that the segments do not hold
  };
  absl::StatusOr<Counts> CountStored();

  // The sequence of the certificate with this serial.
  absl::StatusOr<std::optional<std::uint64_t>> FindSequence(std::string_view serial);
  // Certificates that are not revoked and have first <= notAfter <= last.
  absl::StatusOr<std::uint64_t> CountExpiring(Time first, Time last);

 private:
  class Search;  // one call of FindCertificates

  // The newest of the certificates under `key` that `fits`, whose row the cursor is on.
  absl::StatusOr<std::optional<SqliteCursor>> FindRow(
      IndexKind kind, std::uint64_t key, const std::function<bool(const SqliteCursor&)>& fits);
  absl::StatusOr<std::optional<SqliteCursor>> FindRowBySerial(std::string_view serial);
  absl::StatusOr<bool> IsRevoked(std::string_view serial);

  SqliteStatements statements_;
  IndexKeys keys_;
  IndexView index_;
};

}  // namespace troth
