// The one table of reasons: why Troth refused a call, a certificate, a file or a request.
//
// A reason is a stable, documented code such as `certificate_expired`. Programs switch on it,
// operators search for it, `docs/troubleshooting.md` has an anchor for each. The text of a message
// may change between releases; a code never changes its meaning.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace troth {

// One row per code in reason.cc; a test checks that the table is complete.
enum class Reason {
  // Certificates and chains.
  kCertificateExpired,
  kCertificateNotYetValid,
  kCertificateRevoked,
  kCertificateMalformed,
  kCertificateMissing,
  kCertificateSelfSigned,
  kIssuerUnknown,
  kSignatureInvalid,
  kNotACertificateAuthority,
  kPathLengthExceeded,
  kNameNotPermitted,
  kNameMismatch,
  kNamesMissing,
  kUsageNotAllowed,
  kCriticalExtensionUnknown,
  kPathTooComplex,
  kRevocationUnknown,
  kCrlExpired,
  kCrlMalformed,
  kKeyTooWeak,
  kAlgorithmNotAllowed,
  kRequestMalformed,
  // Keys and files.
  kKeyMismatch,
  kKeyMalformed,
  kKeyEncrypted,
  kPassphraseWrong,
  kKeyFileTooOpen,
  kFileNotFound,
  kFileUnreadable,
  kFileEmpty,
  kFileTooLarge,
  kFileNotRegular,
  kFileWrongFormat,
  kFileExists,
  kFileWriteFailed,
  kFileLocked,
  // Calls.
  kPeerNotAuthenticated,
  kPeerNotVerified,
  kPeerNotPinned,
  kRoleNotAllowed,
  kRuleDenied,
  kNoRuleMatches,
  kRateLimited,
  kTooManyCalls,
  kConnectionNotGuarded,
  // Handshakes.
  kHandshakeFailed,
  kPeerRejectedCertificate,
  kClientCertificateMissing,
  kProtocolMismatch,
  kConnectionFailed,
  // The authority.
  kTokenInvalid,
  kTokenExpired,
  kRequestUnknown,
  kRequestAmbiguous,
  kRequestState,
  kRequestPending,
  kRequestRejected,
  kTooManyRequests,
  kListenerTooSlow,
  kCertificateUnknown,
  kSerialExists,
  kStoreFailed,
  kStoreNewer,
  kLedgerBroken,
  // HTTP.
  kPathUnknown,
  kMethodNotAllowed,
  kLengthRequired,
  kBodyTooLarge,
  kHeaderTooLarge,
  kRequestTimeout,
  kHttpMalformed,
  kTransferCodingUnknown,
  kMediaTypeUnknown,
  kJsonMalformed,
  kParameterInvalid,
  kResponseMalformed,
  kResponseTooLarge,
  // Configuration.
  kPolicyInvalid,
  kConfigurationInvalid,
  kUsageError,
  kInternal,
};

struct ReasonInfo {
  Reason reason;
  std::string_view code;    // stable, snake_case: "certificate_expired"
  absl::StatusCode status;  // what a gRPC peer is answered
  int http_status;          // what an HTTP peer is answered
  int exit_code;            // what a command line ends with (0-255)
  std::string_view text;    // one line: what happened
  std::string_view fix;     // one line: what to do about it
};

// The row of `reason`. Never fails.
const ReasonInfo& InfoOf(Reason reason);
std::string_view CodeOf(Reason reason);
// Every row, in the order of the enumeration.
std::span<const ReasonInfo> AllReasons();
// The reason with this code, or nothing.
std::optional<Reason> ReasonFromCode(std::string_view code);
// "docs/troubleshooting.md#certificate_expired".
std::string DocAnchorOf(Reason reason);

// An error with its reason: the status code comes from the table, the message is `message` as given
// (lower case, what was expected, what was got, what to do), the code travels as a payload.
absl::Status MakeError(Reason reason, std::string_view message);
// The reason that MakeError put into `status`, or nothing.
std::optional<Reason> ReasonOf(const absl::Status& status);
// `status` with "<context>: " before its message; code and reason are kept. OK stays OK.
absl::Status WithContext(const absl::Status& status, std::string_view context);
// `status`, an error, with what to do about it, where that is known better than in its reason's
// row.
absl::Status WithFix(absl::Status status, std::string_view fix);
// What to do about an error: that of WithFix, otherwise that of its reason.
std::string FixOf(const absl::Status& status);
// "certificate_expired" of an error, "internal" when it carries none.
std::string_view CodeOf(const absl::Status& status);

}  // namespace troth
