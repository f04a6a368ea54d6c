// The guard: decides for every call whether its peer may make it, and says why not.
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
#include "troth/authz/client_certificate.h"
#include "troth/authz/peer.h"
#include "troth/authz/rate_limit.h"
#include "troth/base/reason.h"
#include "troth/base/time.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/path_validation.h"

namespace troth {

// A call that was refused, for the application's callback.
struct Refusal {
  std::shared_ptr<const Peer> peer = {};
  std::string method = {};
  std::string rule = {};  // "rule 2 (/a.B/*)" or empty when no rule decided
  Reason reason = Reason::kInternal;
  std::string message = {};  // what the client is told
  bool shadow = false;       // the policy is in shadow mode: the call went through
};

struct GuardOptions {
  std::string policy_file = {};             // watched; a broken new version keeps the old one
  std::string policy_text = {};             // in place of a file, for a fixed policy
  std::vector<std::string> crl_paths = {};  // files or folders of CRLs (PEM or DER), watched
  RevocationCheck revocation = RevocationCheck::kWhereListed;
  Seconds crl_grace{0};               // how long past nextUpdate a CRL still counts as current
  Usage peer_usage = Usage::kClient;  // what the certificate of a peer must be for
  RateLimit rate_limit = {};          // per peer (certificate); peers without one: per connection
  std::function<void(const Refusal&)> on_refusal =
      {};                                         // from the call's thread; must not block or throw
  std::chrono::milliseconds poll_interval{1000};  // of watched files, see FileWatcher
  const Clock* clock = &Clock::System();          // not owned
};

struct GuardStatistics {
  std::uint64_t generation = 0;  // changes with every policy, CRL, pin and trust change
  std::map<std::string, std::uint64_t> refused;  // by reason code
  std::uint64_t shadow_refused = 0;
  std::uint64_t policy_rejected = 0;  // new versions that could not be used
  std::string last_error;             // why the newest policy or CRL is not in use
};

// The answer to one call. Allowed answers cost nothing to make.
class Verdict {
 public:
  Verdict() = default;  // allowed
  Verdict(Reason reason, std::string message)
      : refusal_(std::make_unique<Text>(Text{reason, std::move(message)})) {}
  bool allowed() const { return refusal_ == nullptr; }
  // Only when not allowed. message(): "Invalid client certificate: ... [troth:role_not_allowed]",
  // for the peer to see.
  Reason reason() const { return refusal_->reason; }
  const std::string& message() const { return refusal_->message; }
  absl::Status ToStatus() const;

 private:
  struct Text {
    Reason reason;
    std::string message;
  };
  std::unique_ptr<Text> refusal_;
};

class Guard;

// One place where calls come in: an identity (whose trust bundle verifies peers), a
// client-certificate mode, and its guard. Thread-safe.
class GuardedPort {
 public:
  struct Call {
    // Identifies the connection while it lives, and may be reused after it: the guard remembers
    // decisions by it together with the leaf. The views need to live only as long as the call to
    // Check.
    const void* connection = nullptr;
    std::string_view leaf_pem = {};   // empty: no certificate
    std::string_view chain_pem = {};  // what else the peer sent
    std::string_view method = {};     // "/package.Service/Method" or "GET /path"
    std::string_view address = {};    // for log and callback, empty when unknown
  };
  virtual ~GuardedPort() = default;

  // Decides. For a peer and method seen before in this generation on this thread: no lock, no
  // allocation, as long as the thread serves no more than some 4,000 connections. A refusal is
  // logged (the same one at most once a second a peer), counted and reported to the callback here.
  virtual Verdict Check(const Call& call) = 0;
  // The peer behind a connection for which Check has run on any thread, or a new one parsed from
  // the PEM; never null.
  virtual std::shared_ptr<const Peer> FindPeer(const Call& call) = 0;
  virtual ClientCertificate client_certificate() const = 0;
  virtual const std::shared_ptr<IdentitySource>& identity() const = 0;
  virtual const std::shared_ptr<Guard>& guard() const = 0;
};

class Guard {
 public:
  // Errors: policy_invalid, crl_malformed and those of files, each naming file and line.
  static absl::StatusOr<std::shared_ptr<Guard>> Create(GuardOptions options);
  virtual ~Guard() = default;

  virtual std::shared_ptr<GuardedPort> Protect(std::shared_ptr<IdentitySource> identity,
                                               ClientCertificate mode) = 0;
  // Registers the methods that a server has ("/package.Service/Method"): decisions on these are
  // remembered; on other paths, which are the caller's choice, they are worked out each time.
  // Methods that no rule names are logged once as a warning.
  virtual void RegisterMethods(const std::vector<std::string>& methods) = 0;
  // Looks at policy, pins and CRLs now in place of waiting for the watcher. The error is why the
  // newest are not in use.
  virtual absl::Status Reload() = 0;
  virtual std::uint64_t generation() const = 0;
  virtual GuardStatistics Statistics() const = 0;
};

}  // namespace troth
