// Where the authority keeps its state. One interface, several engines with the same semantics; the
// suite in store_testing.h is what an engine must pass.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/records.h"

namespace troth {

// Which certificates, newest first: in the reverse of the order in which they were added.
// Conditions that are set must all hold.
struct CertificateFilter {
  std::string name = {};  // exact, or a pattern with '*'
  std::string profile = {};
  std::optional<Time> expires_before = {}, expires_after = {};
  bool only_revoked = false;
  // Where the last page ended: only certificates older than this one. certificate_unknown when it
  // is not, or no longer, in the store.
  std::optional<SerialNumber> before = {};
  size_t limit = 100;
};

struct RequestFilter {
  std::optional<RequestState> state = {};
  std::string profile = {};
  std::string name = {};  // exact
  std::optional<Sha256Digest> key = {};
  std::string address = {};
  // Page on: those that come after this one. request_unknown when it is not in the store.
  std::optional<Sha256Digest> after = {};
  size_t limit = 100;  // oldest first, in the order in which they first came
};

// Numbers for the metrics page, kept so that asking costs nothing.
struct StoreStatistics {
  std::uint64_t certificates = 0, revocations = 0, pending_requests = 0;
  std::uint64_t bytes = 0;   // on disk
  std::uint64_t groups = 0;  // transactions that were committed
  std::uint64_t writes = 0;  // pieces of work in them
  // Certificates that expire within a day, within a week, and are not revoked; as of at most a
  // minute ago.
  std::uint64_t expiring_day = 0, expiring_week = 0;
  std::uint64_t unindexed = 0;  // certificates that the batch indexes do not hold yet
};

// One consistent view. Belongs to the thread that got it, and to the function it was given to.
// Errors of every method: store_failed, with the engine's reason.
class StoreReader {
 public:
  virtual ~StoreReader() = default;

  virtual absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(
      const SerialNumber& serial) = 0;
  // The newest one that was issued for this request (SHA-256 as it was sent) with this token, or
  // without one when that is empty: how a request that is sent again gets the same certificate.
  virtual absl::StatusOr<std::optional<CertificateRecord>> FindCertificateOfRequest(
      const Sha256Digest& request, std::string_view token) = 0;
  virtual absl::StatusOr<std::vector<CertificateRecord>> FindCertificates(
      const CertificateFilter& filter) = 0;
  // `from` and every certificate that was added after it, oldest first, to `visit` until that says
  // false; nothing: from the first on. Errors: certificate_unknown (`from` is not in the store).
  virtual absl::Status VisitCertificates(
      const std::optional<SerialNumber>& from,
      const std::function<bool(const CertificateRecord&)>& visit) = 0;
  // Whether any certificate or request, in whatever state, ever had this name; those that were
  // pruned too.
  virtual absl::StatusOr<bool> IsNameKnown(std::string_view name) = 0;

  virtual absl::StatusOr<std::optional<RevocationRecord>> FindRevocation(
      const SerialNumber& serial) = 0;
  // Those not yet expired at `now`, of one issuer or of all.
  virtual absl::StatusOr<std::vector<RevocationRecord>> Revocations(
      std::optional<std::uint32_t> issuer, Time now) = 0;

  virtual absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Sha256Digest& id) = 0;
  virtual absl::StatusOr<std::vector<RequestRecord>> FindRequests(const RequestFilter& filter) = 0;
  virtual absl::StatusOr<std::uint64_t> CountRequests(const RequestFilter& filter) = 0;

  virtual absl::StatusOr<std::optional<TokenRecord>> FindToken(std::string_view id) = 0;
  virtual absl::StatusOr<std::vector<TokenRecord>> Tokens() = 0;  // newest first

  virtual absl::StatusOr<std::vector<IssuerRecord>> Issuers() = 0;  // by number

  virtual absl::StatusOr<LedgerHead> Head() = 0;
  // `from` and the ones after it, oldest first, to `visit` until that says false.
  virtual absl::Status VisitLedger(std::uint64_t from,
                                   const std::function<bool(const LedgerEntry&)>& visit) = 0;
};

// A view that can be changed. What one piece of work has changed, it and the later ones of its
// group see; nobody else does before the group is on disk.
class StoreTransaction : public StoreReader {
 public:
  // Errors: serial_exists.
  virtual absl::Status AddCertificate(const CertificateRecord& certificate) = 0;
  // A serial that is revoked already keeps its first record.
  virtual absl::Status AddRevocation(const RevocationRecord& revocation) = 0;
  virtual absl::Status PutRequest(const RequestRecord& request) = 0;  // new, or replaces by id
  virtual absl::Status PutToken(const TokenRecord& token) = 0;        // new, or replaces by id
  virtual absl::Status PutIssuer(const IssuerRecord& issuer) = 0;     // new, or replaces by number
  // Chains the note to the ledger's head.
  virtual absl::Status AppendLedger(const LedgerNote& note) = 0;
};

class Store {
 public:
  // Either all of a piece of work is kept or, when it returns an error, nothing of it. May be run
  // again when the engine must retry: it has no effects but those on the transaction and on what
  // it captured. Runs on the engine's thread: short, no waiting.
  using Work = std::function<absl::Status(StoreTransaction&)>;
  // OK: the work is on disk, and survives whatever is killed now. Otherwise the work's own error,
  // or store_failed (disk full ...), and then nothing of it is kept. Called once, from the engine's
  // thread, in the order of Write; must not wait.
  using Done = std::function<void(absl::Status)>;

  // Closing waits for what was written.
  virtual ~Store() = default;

  // Work of callers that wait at the same time shares one transaction and one sync of the disk.
  // Thread-safe, never blocks.
  virtual void Write(Work work, Done done) = 0;
  // The same, and waits. Not from inside Work or Done.
  absl::Status WriteAndWait(Work work);

  // Runs `read` on the caller's thread with what is committed now. Thread-safe; does not wait for
  // writers.
  virtual absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) = 0;

  virtual StoreStatistics Statistics() const = 0;
};

}  // namespace troth
