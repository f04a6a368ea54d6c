// What authorities answer a client that enrols, in either protocol, as one kind of value. Nothing
// here trusts what it reads: certificates are text until the enroller has checked them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/http/message.h"

namespace troth {

// No answer that a client of an authority needs is larger.
inline constexpr size_t kMaxAnswerBytes = size_t{256} << 10;

struct ServerAnswer {
  enum class Kind {
    kPending,    // the request is known and waits
    kIssued,     // `certificates_pem` holds what was issued
    kUnchanged,  // nothing newer than what the client has
    kRejected,   // an operator, or a rule, said no: `note` may say why
    kUnknown,    // the authority does not know the request
    kOver,       // it was approved, and what was issued has ended: sent again, it waits again
  };
  Kind kind = Kind::kPending;
  std::string certificates_pem = {};  // the leaf, and what else came with it
  std::string trust_bundle_pem = {};  // empty: the answer had none
  std::string request_id = {};        // hexadecimal; empty: the answer had none
  std::string profile = {};           // of the request; empty: the answer had none
  std::string note = {};              // printable
  std::optional<Time> last_modified = {};
};

// Each reads one answer. Errors of all: the reason that a problem document (RFC 9457) names, when
// it is one of that status; else the one that the status stands for: connection_failed for a
// server's own failure (5xx), which passes; response_malformed for everything else (a redirect, a
// body that is not what it must be). A message says what was answered, and never more than a line
// of it. A key whose certificate was revoked is rejected: another certificate needs another key.

// Caramel: the answer to POST /{sha256}.
absl::StatusOr<ServerAnswer> ReadCaramelPost(const HttpResponse& response);
// Caramel: the answer to GET /{sha256}.
absl::StatusOr<ServerAnswer> ReadCaramelFetch(const HttpResponse& response);
// POST /v1/certificates.
absl::StatusOr<ServerAnswer> ReadIssued(const HttpResponse& response);
// POST /v1/certificates/renew. Errors besides: certificate_revoked (the one that was shown).
absl::StatusOr<ServerAnswer> ReadRenewed(const HttpResponse& response);
// POST /v1/requests and GET /v1/requests/{id}.
absl::StatusOr<ServerAnswer> ReadRequestState(const HttpResponse& response);
// GET /v1/trust-bundle, /root.crt and /bundle.crt: at least one CERTIFICATE block in PEM.
absl::StatusOr<std::string> ReadCertificates(const HttpResponse& response);

// How long the server asks to wait (Retry-After in seconds, RFC 9110 section 10.2.3); nothing when
// it does not say.
std::optional<std::chrono::seconds> RetryAfterOf(const HttpResponse& response);

// Whether the same attempt may go well later, without anyone doing something about it.
bool IsPassing(const absl::Status& status);

}  // namespace troth
