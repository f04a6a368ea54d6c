// What an operator can ask of an authority, wherever the operator sits: the authority itself
// answers (authority.h), and so does its client over gRPC (troth/server/native).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"
#include "troth/ca/token.h"

namespace troth {

// A certificate with what happened to it.
struct CertificateStatus {
  CertificateRecord record;
  std::optional<RevocationRecord> revocation = {};
  // Of Revoke: why no revocation list says it yet, and what to do; else empty.
  std::string warning = {};
};

struct RequestStatus {
  RequestRecord record;
  // Other requests for the same name with another key, in whatever state: somebody may be trying
  // to take a name.
  std::vector<Sha256Digest> same_name_other_key = {};
};

struct RevokeSpec {
  std::string which =
      {};            // serial in hexadecimal, or a name that has exactly one valid certificate
  int reason = 0;    // RFC 5280 section 5.3.1
  bool all = false;  // every valid certificate of that name
};

struct RefreshSpec {
  std::optional<Seconds> lifetime = {};
  std::string profile = {};  // only requests of this one
};
// Of `total` requests, how many have a new certificate and how many were left alone: in the end
// all.
struct RefreshProgress {
  std::uint64_t done = 0, total = 0, refused = 0;
};

struct AuthoritySummary {
  std::string root_fingerprint = {};  // SHA-256, hexadecimal
  std::string root_pem = {}, issuer_pem = {};
  std::string trust_domain = {};
  std::vector<std::string> profiles = {};
  StoreStatistics store = {};
};

// Errors of all: those named; store_failed; connection_failed, peer_not_authenticated and
// role_not_allowed from a remote one. Thread-safe. Every change is in the ledger with who asked
// for it before the call returns.
class Operations {
 public:
  virtual ~Operations() = default;

  virtual absl::StatusOr<AuthoritySummary> Summary() = 0;

  virtual absl::StatusOr<std::vector<RequestStatus>> ListRequests(const RequestFilter& filter) = 0;
  // `which`: the id, its first 8 or more digits, or a name. Errors: request_unknown,
  // request_ambiguous (lists the candidates).
  virtual absl::StatusOr<RequestStatus> ShowRequest(std::string_view which) = 0;
  // Issues and answers the certificate. Errors: request_state, and those of issuing.
  virtual absl::StatusOr<CertificateStatus> Approve(std::string_view which,
                                                    std::optional<Seconds> lifetime) = 0;
  virtual absl::StatusOr<RequestStatus> Reject(std::string_view which, std::string_view why) = 0;

  virtual absl::StatusOr<NewToken> CreateToken(const TokenSpec& spec) = 0;
  virtual absl::StatusOr<std::vector<TokenRecord>> ListTokens() = 0;
  virtual absl::StatusOr<TokenRecord> RevokeToken(std::string_view id) = 0;

  virtual absl::StatusOr<std::vector<CertificateStatus>> ListCertificates(
      const CertificateFilter& filter) = 0;
  // Errors: certificate_unknown.
  virtual absl::StatusOr<CertificateStatus> ShowCertificate(std::string_view which) = 0;
  // With its lineage: renewals of it are refused, and so is its key. Errors: certificate_unknown,
  // request_ambiguous, usage_error.
  virtual absl::StatusOr<std::vector<CertificateStatus>> Revoke(const RevokeSpec& spec) = 0;

  // Signs anew every request that has a certificate and was neither rejected nor revoked; one
  // whose valid certificate lives longer than the new one would is left alone and counted as
  // refused.
  virtual absl::StatusOr<RefreshProgress> Refresh(
      const RefreshSpec& spec, const std::function<void(const RefreshProgress&)>& progress) = 0;

  // PEM. Number 0 is the root's list.
  virtual absl::StatusOr<std::string> CurrentCrl(std::uint32_t issuer) = 0;

  // The ledger's entries from `from` (1 is the first) on, oldest first, to `visit` until that says
  // false. Answers the head that the ledger had when reading began. Not noted in the ledger.
  virtual absl::StatusOr<LedgerHead> ReadLedger(
      std::uint64_t from, const std::function<bool(const LedgerEntry&)>& visit) = 0;
};

}  // namespace troth
