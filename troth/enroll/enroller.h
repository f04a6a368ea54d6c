// Obtains a certificate from an authority and renews it, in memory only: key, certificate and trust
// bundle are for the caller to keep, in files (file_enrollment.h), a key chain or a database.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/enroll/authority_client.h"
#include "troth/enroll/enroll_state.h"
#include "troth/enroll/server_answer.h"
#include "troth/http/client.h"
#include "troth/pki/digest.h"
#include "troth/pki/key.h"
#include "troth/pki/name.h"
#include "troth/pki/trust_bundle.h"

namespace troth {

// What the authority speaks.
enum class EnrollProtocol {
  // JSON when a token is given. Otherwise the server is asked for /v1/trust-bundle once: one that
  // has it speaks JSON, one that answers 400, 403, 404 or 405 is taken for a Caramel server.
  kDetect,
  kCaramel,  // POST /{sha256}, GET /{sha256}
  kJson,     // /v1/: with a token, by decision of an operator, and by the current certificate
};
std::string_view NameOf(EnrollProtocol protocol);  // "detect", "caramel", "json"

struct EnrollOptions {
  std::string server = {};     // "ca.example.com", "ca.example.com:8443", "https://..."
  std::string client_id = {};  // the name to be certified
  std::vector<AlternativeName> more_names = {};  // not with Caramel
  KeyType key_type = KeyType::kP256;             // Caramel's original server signs RSA only
  EnrollProtocol protocol = EnrollProtocol::kDetect;
  // Whom to believe to be the authority. When nothing is set, the token's root fingerprint; without
  // a token nobody is believed: there is no trust on first use.
  HttpTrust trust = {};
  // The CA certificates that the certificate must lead to. Nothing: those of `trust`; where it has
  // none, those that the authority names over the connection that `trust` vouches for.
  std::optional<TrustBundle> authority = {};
  Secret token = {};  // enrolment token, as text; empty: none
  std::string profile = {};
  std::string user_agent = "troth-enroll";
  std::string server_name = {};  // expected in place of the server's host
  // No step takes longer (making an RSA key aside).
  std::chrono::milliseconds timeout{30'000};
  // How long before its end a certificate is due. Nothing: a third of its lifetime.
  std::optional<Seconds> renew_before = {};
  const Clock* clock = &Clock::System();           // not owned
  HttpClientFactory connect = HttpClient::Create;  // how connections are made
};

// What an enrolled client has. The PEM texts are whole: Identity::Create takes them as they are.
struct EnrolledIdentity {
  Secret private_key_pem = {};
  std::string chain_pem = {};  // leaf first, without the root
  std::string trust_bundle_pem = {};
  Time not_after = {};
  Time due = {};  // when to ask for the next one
};

// What a step did.
enum class EnrollStep {
  kServerLearned,  // asked the server what it speaks, or for its CA; go on at once
  kRequestMade,    // key and request are there: keep them before the next step sends them
  kForgotten,      // the server does not know the request: the next step sends it; go on at once
  kWaiting,        // the authority has to decide: wait, then step again
  kIssued,         // there is a new certificate: keep it
  // There is a certificate with all names that are asked for, and nothing newer. Also when the
  // authority has to decide on the next one, or has rejected it and it is not due yet: a warning
  // says so.
  kUnchanged,
  kRejected,  // the authority said no: see rejection(); StartOver() makes another request
};
std::string_view NameOf(EnrollStep step);

// Key, request and certificate of one client. Not thread-safe.
class Enroller {
 public:
  // Errors: usage_error (whom to trust is not said, a server or client id that is none, a profile
  // or token for Caramel), token_invalid.
  static absl::StatusOr<std::unique_ptr<Enroller>> Create(EnrollOptions options);

  // What an earlier enroller made and the caller kept; any of it may be empty.
  struct Kept {
    std::string_view private_key_pem = {};
    std::string_view request_pem = {};
    std::string_view chain_pem = {};
    // When the certificate was last changed, as the server told (certificate_time()).
    std::optional<Time> certificate_time = {};
  };
  // Takes up where it ended; to be called before the first step. A request or a certificate that
  // does not belong to the key or to the client id, or is no longer valid, is left out, with a
  // warning; but what StartOver refuses counts every certificate for the key. Errors: those of
  // reading a private key.
  absl::Status Resume(const Kept& kept);

  // Does the next thing that there is to do: at most one exchange with the server, so that it ends
  // within the timeout. After an error the state is what it was, and the step may be tried again
  // when IsPassing (server_answer.h). Errors: those of HttpClient::Send and of answers
  // (server_answer.h); key_mismatch, name_mismatch, issuer_unknown and those of Identity::Create
  // for a certificate that is not good enough, which is not taken; usage_error (more names than
  // Caramel takes).
  absl::StatusOr<EnrollStep> Step();

  EnrollState state() const { return state_; }
  const Clock& clock() const { return *options_.clock; }
  std::chrono::milliseconds timeout() const { return options_.timeout; }
  EnrollProtocol protocol() const { return protocol_; }
  // The CA certificates that the certificate must lead to; nothing as long as they are to be
  // learned.
  std::optional<TrustBundle> authority() const;
  // SHA-256 of the request as it is sent: what the authority's `requests show` prints to compare.
  // Nothing as long as there is no request.
  std::optional<Sha256Digest> request_digest() const;

  // What to keep. Empty as long as there is none.
  Secret private_key_pem() const;
  const std::string& request_pem() const { return request_pem_; }
  // The certificate that is held, also while the next one is being waited for. Errors:
  // request_pending (none yet), certificate_expired (no longer).
  absl::StatusOr<EnrolledIdentity> identity() const;
  // What the server said, or when it was fetched; for Kept.
  std::optional<Time> certificate_time() const { return certificate_time_; }

  // Why, when the authority said; printable.
  const std::string& rejection() const { return rejection_; }
  // Gives up key and request. Errors: request_state (there is nothing to give up, or a certificate
  // for the key is still valid, be it of another authority or for another name: neither is thrown
  // away, and the request stays with its key, for a new one of the same key would only ask again
  // for what was rejected).
  absl::Status StartOver();
  // Until when StartOver refuses; nothing: it does not.
  std::optional<Time> key_needed_until() const;

  // How long the server asked to wait, in its last answer; at most ten minutes.
  std::optional<Seconds> retry_after() const;
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Enroller(EnrollOptions options, AuthorityClient client);

  void Warn(std::string text);
  void NoticeCertificatesForTheKey(std::string_view chain_pem);
  absl::StatusOr<EnrollStep> WaitingOrUnchanged();
  absl::StatusOr<EnrollStep> RejectedOrUnchanged();
  absl::Status Go(EnrollMove move);
  void NoticeTime();
  bool KnowsServer() const;
  bool HoldsWhatIsAsked() const;
  absl::StatusOr<TrustBundle> CheckBundle(std::string_view pem) const;

  absl::StatusOr<EnrollStep> TakeStep();
  absl::StatusOr<EnrollStep> LearnServer();
  absl::StatusOr<EnrollStep> MakeRequest();
  absl::StatusOr<ServerAnswer> SendRequest();
  absl::StatusOr<ServerAnswer> AskForDecision();
  absl::StatusOr<EnrollStep> Take(const absl::StatusOr<ServerAnswer>& answer);
  absl::StatusOr<EnrollStep> TakeCertificate(const ServerAnswer& answer);

  EnrollOptions options_;
  AuthorityClient client_;
  EnrollProtocol protocol_;
  EnrollState state_ = EnrollState::kStart;
  std::optional<PrivateKey> key_;
  std::string request_pem_;
  std::string request_id_;                   // what the server calls it; empty: not known
  std::shared_ptr<const Identity> current_;  // null: none that is valid
  std::optional<Time> certificate_time_;
  std::optional<Time> kept_until_;  // the end of the last certificate for the key that was kept
  std::optional<TrustBundle> learned_bundle_;
  bool certificate_refused_ = false;  // by the server's TLS
  std::string rejection_;
  std::vector<std::string> warnings_;  // each once
};

}  // namespace troth
