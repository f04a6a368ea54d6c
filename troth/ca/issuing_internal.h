// The straight line: template, signature, second reader, store.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "troth/ca/asked.h"
#include "troth/ca/authority_context_internal.h"
#include "troth/ca/profile.h"
#include "troth/ca/records.h"
#include "troth/pki/certificate.h"

namespace troth {

// What became of the certificate in its transaction.
enum class Outcome {
  kIssue,    // it is stored, and leaves
  kInstead,  // it is not; whoever asked has something else, which `beside` found or wrote
};

// One certificate on its way.
struct Issuance {
  // Given: the profile and, unless it is the authority's own, the names that nobody else may have.
  const Profile* profile = nullptr;
  const ReservedNames* reserved = nullptr;
  Asked asked;
  std::optional<Seconds> lifetime = {};
  Time now = {};
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  Sha256Digest request = {};
  std::string token = {};
  // Of the certificate that this one follows; nothing: a new identity.
  std::optional<SerialNumber> lineage = {};

  // Who asks for what, for ledger and log.
  std::string_view action = "issue";
  std::string actor = {};
  Caller caller = {};
  Standing standing = Standing::kKnown;

  // Conditions that may have changed meanwhile, and what is written beside the certificate. The
  // store's rules for work hold. May be empty.
  std::function<absl::StatusOr<Outcome>(StoreTransaction&, Issuance&, Change&)> beside = {};
  // Called once: when all is on disk, or with the refusal (ledgered already).
  std::function<void(const absl::Status&, Issuance&)> done = {};

  // Made on the way.
  Outcome outcome = Outcome::kIssue;
  std::optional<Certificate> certificate = {};
  std::optional<CertificateRecord> record = {};
  const IssuerSet* issuers = nullptr;
  int attempts = 0;
};

// Signs on the caller's thread, and writes. No lock is held meanwhile.
void IssueAndStore(AuthorityContext& context, std::shared_ptr<Issuance> issuance);

// The same, and waits. Sets `done` itself. Not from inside a callback of the store.
absl::StatusOr<IssuedCertificate> IssueAndWait(AuthorityContext& context,
                                               std::shared_ptr<Issuance> issuance);

// As it leaves, for a certificate that was just issued ...
IssuedCertificate IssuedOf(const Issuance& issuance);
// ... and for one that the store had. Errors: certificate_malformed, internal.
absl::StatusOr<IssuedCertificate> IssuedFrom(const AuthorityContext& context,
                                             const CertificateRecord& record);

// Whether a stored certificate can be given out again now: valid, and its identity not revoked.
bool IsGood(const AuthorityContext& context, const CertificateRecord& record, Time now);

// Errors: certificate_revoked.
absl::Status CheckNotRevoked(const AuthorityContext& context, const PublicKey& key,
                             const std::optional<SerialNumber>& lineage);

}  // namespace troth
