// What a piece of work gets: SqliteWriter as a StoreTransaction.
#pragma once

#include <string>

#include "troth/store/sqlite_writer_internal.h"

namespace troth {

class SqliteWriter::Transaction final : public ReadsThrough<StoreTransaction> {
 public:
  explicit Transaction(SqliteWriter& writer);

  absl::Status AddCertificate(const CertificateRecord& certificate) override;
  absl::Status AddRevocation(const RevocationRecord& revocation) override;
  absl::Status PutRequest(const RequestRecord& request) override;
  absl::Status PutToken(const TokenRecord& token) override;
  absl::Status PutIssuer(const IssuerRecord& issuer) override;
  absl::Status AppendLedger(const LedgerNote& note) override;
  // Known without a look at the file.
  absl::StatusOr<LedgerHead> Head() override;

 private:
  absl::Status AddName(std::string_view name, std::int64_t request);

  SqliteWriter& writer_;
  SqliteStatements statements_;
  CertificateKeys keys_;  // their memory is used again, as is that of the names
  std::string names_;
};

}  // namespace troth
