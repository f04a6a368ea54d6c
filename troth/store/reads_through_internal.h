// The reading half of an interface of store.h, done by SqliteQueries.
#pragma once

#include "troth/store/sqlite_queries_internal.h"

namespace troth {

// `Base`: StoreReader or StoreTransaction.
template <typename Base>
class ReadsThrough : public Base {
 public:
  explicit ReadsThrough(SqliteQueries& queries) : queries_(queries) {}

  absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(
      const SerialNumber& serial) final {
    return queries_.FindCertificate(serial);
  }
  absl::StatusOr<std::optional<CertificateRecord>> FindCertificateOfRequest(
      const Sha256Digest& request, std::string_view token) final {
    return queries_.FindCertificateOfRequest(request, token);
  }
  absl::StatusOr<std::vector<CertificateRecord>> FindCertificates(
      const CertificateFilter& filter) final {
    return queries_.FindCertificates(filter);
  }
  absl::Status VisitCertificates(const std::optional<SerialNumber>& from,
                                 const std::function<bool(const CertificateRecord&)>& visit) final {
    return queries_.VisitCertificates(from, visit);
  }
  absl::StatusOr<bool> IsNameKnown(std::string_view name) final {
    return queries_.IsNameKnown(name);
  }
  absl::StatusOr<std::optional<RevocationRecord>> FindRevocation(const SerialNumber& serial) final {
    return queries_.FindRevocation(serial);
  }
  absl::StatusOr<std::vector<RevocationRecord>> Revocations(std::optional<std::uint32_t> issuer,
                                                            Time now) final {
    return queries_.Revocations(issuer, now);
  }
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Sha256Digest& id) final {
    return queries_.FindRequest(id);
  }
  absl::StatusOr<std::vector<RequestRecord>> FindRequests(const RequestFilter& filter) final {
    return queries_.FindRequests(filter);
  }
  absl::StatusOr<std::uint64_t> CountRequests(const RequestFilter& filter) final {
    return queries_.CountRequests(filter);
  }
  absl::StatusOr<std::optional<TokenRecord>> FindToken(std::string_view id) final {
    return queries_.FindToken(id);
  }
  absl::StatusOr<std::vector<TokenRecord>> Tokens() final { return queries_.Tokens(); }
  absl::StatusOr<std::vector<IssuerRecord>> Issuers() final { return queries_.Issuers(); }
  absl::StatusOr<LedgerHead> Head() override { return queries_.Head(); }
  absl::Status VisitLedger(std::uint64_t from,
                           const std::function<bool(const LedgerEntry&)>& visit) final {
    return queries_.VisitLedger(from, visit);
  }

 private:
  SqliteQueries& queries_;
};

}  // namespace troth
