// The online authority: the straight line from a request to a certificate, and everything that is
// decided on the way.
//
//   read request -> profile builds the template -> sign -> a second reader checks the finished
//   bytes -> the store commits -> only then the certificate leaves
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/reason.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/ca/authority_folder.h"
#include "troth/ca/operations.h"
#include "troth/ca/profile.h"
#include "troth/ca/records.h"
#include "troth/ca/store.h"
#include "troth/pki/certificate.h"
#include "troth/pki/crl.h"

namespace troth {

struct AuthorityOptions {
  AuthorityFolder folder{""};
  AuthoritySettings settings = {};
  Profiles profiles = Profiles::BuiltIn();
  AskPassphrase ask = {};
  Seconds crl_lifetime = std::chrono::hours(24);  // nextUpdate; a new list at half of it
  const Clock* clock = &Clock::System();          // not owned
};

// Who asks, for the ledger and the log.
struct Caller {
  std::string actor = {};    // empty: worked out by the authority (token id, peer's subject)
  std::string address = {};  // "192.0.2.1:4711"
  std::string client = {};   // User-Agent, printable
};

// What leaves. The PEM texts of chain and bundle are shared by all certificates of an issuer.
struct IssuedCertificate {
  Certificate certificate;
  std::shared_ptr<const std::string> chain_pem = {};  // intermediates, without leaf and root
  std::shared_ptr<const std::string> root_pem = {};   // the trust bundle
};
using IssueDone = std::function<void(absl::StatusOr<IssuedCertificate>)>;

// A request with the newest certificate that is valid now, if it has one.
struct FetchedRequest {
  RequestRecord record;
  std::optional<IssuedCertificate> issued = {};
  std::optional<Time> issued_at = {};
  // Its newest certificate, or the lineage or the key of that, was revoked: nothing more will be
  // issued for it, and who asks must start over with a new key.
  bool revoked = false;
};

// Something that was decided, for those who listen.
struct AuthorityEvent {
  std::uint64_t sequence = 0;  // of its ledger entry
  LedgerNote note = {};
};

// How long issuing took, from the request's first look to the answer: counts per upper bound in
// seconds, each without those before it, the last without a bound.
struct LatencyHistogram {
  static constexpr std::array<double, 10> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                     0.025,  0.05,  0.1,    0.5,   2.5};
  std::array<std::uint64_t, kBounds.size() + 1> counts = {};
  double sum_seconds = 0;
};

struct AuthorityStatistics {
  std::uint64_t issued = 0, renewed = 0, revoked = 0;
  std::map<std::string, std::uint64_t> refused = {};  // by reason code
  std::uint64_t pending = 0;
  std::optional<Time> issuer_expires = {}, root_expires = {};
  LatencyHistogram latency = {};
  StoreStatistics store = {};
};

// Thread-safe. Callbacks come from the caller's thread or the store's, and must not wait.
class Authority {
 public:
  // Takes over the store, opens the issuer, checks that store and keys belong together, renews the
  // lists, and starts a thread that keeps house (lists, waiting requests that expire, the signed
  // head). Errors: those of OpenAuthority, store_failed, ledger_broken.
  static absl::StatusOr<std::unique_ptr<Authority>> Open(AuthorityOptions options,
                                                         std::unique_ptr<Store> store);
  virtual ~Authority() = default;

  // Enrols by token. The same request with the same token again gets the same certificate, and
  // uses the token up no further, for an hour. Errors: token_invalid, token_expired,
  // request_malformed, name_not_permitted, certificate_revoked (key or lineage), ...
  virtual void EnrolWithToken(std::string_view token, std::string_view request,
                              std::optional<Seconds> lifetime, const Caller& caller,
                              IssueDone done) = 0;
  // Renews: `current` is the leaf that the peer proved to hold. Its own record decides, not what
  // the chain says: it must be a certificate of this store, byte for byte, neither expired nor
  // revoked. The names stay; the request's key may be new, its names must be the same or none.
  // Errors: certificate_unknown, ..._expired, ..._revoked, request_rejected, name_not_permitted.
  virtual void Renew(const Certificate& current, std::string_view request,
                     std::optional<Seconds> lifetime, const Caller& caller, IssueDone done) = 0;

  // Stores a request to be decided, or decides it at once when its profile says so. `profile`
  // empty: the standard one. The same request again answers the same record. Errors:
  // too_many_requests (a profile caps those that wait, in all and per address); as CheckAsked.
  virtual void Submit(std::string_view profile, std::string_view request, const Caller& caller,
                      std::function<void(absl::StatusOr<FetchedRequest>)> done) = 0;
  // Errors: request_unknown.
  virtual absl::StatusOr<FetchedRequest> Fetch(const Sha256Digest& id) = 0;

  // A certificate for one of the authority's own servers: the one way to its reserved names.
  virtual absl::StatusOr<IssuedCertificate> IssueOwn(const PublicKey& key,
                                                     const std::vector<AlternativeName>& names,
                                                     Seconds lifetime) = 0;
  // Whether this leaf was issued here and is neither revoked nor of a revoked lineage. Errors:
  // certificate_unknown, certificate_revoked, certificate_expired.
  virtual absl::Status CheckIssued(const Certificate& leaf) = 0;

  // What an operator may do, done in the name of `actor`. The authority outlives it.
  virtual std::unique_ptr<Operations> AsOperator(std::string actor) = 0;

  virtual const Certificate& root() const = 0;
  virtual const Certificate& issuer() const = 0;
  virtual const AuthoritySettings& settings() const = 0;
  virtual const Profiles& profiles() const = 0;
  // The current list; number 0 is the root's. Errors: file_not_found.
  virtual absl::StatusOr<std::shared_ptr<const Crl>> CurrentCrl(std::uint32_t issuer) = 0;
  virtual std::vector<std::uint32_t> IssuerNumbers() const = 0;  // newest first, the root's 0 last
  virtual absl::StatusOr<Certificate> IssuerOf(std::uint32_t number) = 0;

  // Calls `happened` for each decision once it is on disk, in order, one at a time, until the
  // subscription goes, which waits for a call that is running.
  virtual std::shared_ptr<void> Subscribe(std::function<void(const AuthorityEvent&)> happened) = 0;

  // Notes a refusal that a front end made before the authority was asked (a body too large ...).
  virtual void CountRefusal(Reason reason) = 0;
  virtual AuthorityStatistics Statistics() const = 0;
  // OK when it can issue now. Errors: store_failed when the last write failed and none has worked
  // since (housekeeping tries one every few seconds then), certificate_expired (the issuer).
  virtual absl::Status Health() const = 0;
};

}  // namespace troth
