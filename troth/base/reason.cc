#include "troth/base/reason.h"

#include <algorithm>
#include <array>

#include "absl/strings/cord.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

using absl::StatusCode;

constexpr std::string_view kPayloadUrl = "troth.reason";
constexpr std::string_view kFixPayloadUrl = "troth.fix";

// Exit codes follow sysexits where one fits: 64 usage, 65 data, 66 no input, 69 unavailable,
// 73 cannot create, 74 I/O, 77 permission, 78 configuration.
constexpr std::array kTable = {
    ReasonInfo{
        Reason::kCertificateExpired, "certificate_expired", StatusCode::kUnauthenticated, 401, 65,
        "the certificate's validity is over",
        "renew the certificate (`troth certs generate`, `troth enroll`, or its CA), and check the "
        "clock of both machines"},
    ReasonInfo{Reason::kCertificateNotYetValid, "certificate_not_yet_valid",
               StatusCode::kUnauthenticated, 401, 65, "the certificate's validity has not begun",
               "check the clock of both machines, or wait until notBefore"},
    ReasonInfo{Reason::kCertificateRevoked, "certificate_revoked", StatusCode::kUnauthenticated,
               401, 65, "the issuer has revoked the certificate",
               "enrol again with a new key; the revoked certificate stays refused"},
    ReasonInfo{Reason::kCertificateMalformed, "certificate_malformed", StatusCode::kUnauthenticated,
               401, 65, "the bytes are not a well-formed X.509 certificate",
               "look at it with `openssl x509 -text`, then issue it again"},
    ReasonInfo{Reason::kCertificateMissing, "certificate_missing", StatusCode::kUnauthenticated,
               401, 66, "no certificate was found where one is needed",
               "give a PEM file that holds the certificate"},
    ReasonInfo{Reason::kCertificateSelfSigned, "certificate_self_signed",
               StatusCode::kUnauthenticated, 401, 65,
               "the certificate is self-signed and not in the trust bundle",
               "have a trusted authority issue it, or pin it in the policy"},
    ReasonInfo{Reason::kIssuerUnknown, "issuer_unknown", StatusCode::kUnauthenticated, 401, 65,
               "no certificate of the trust bundle leads to this certificate",
               "use the trust bundle of the authority that signed it, and send its intermediates"},
    ReasonInfo{Reason::kSignatureInvalid, "signature_invalid", StatusCode::kUnauthenticated, 401,
               65, "the signature does not verify with the issuer's key",
               "the CA of this name has another key: use its present certificate, or issue again"},
    ReasonInfo{Reason::kNotACertificateAuthority, "not_a_certificate_authority",
               StatusCode::kUnauthenticated, 401, 65,
               "a certificate that is not a CA was used to issue another",
               "issue with a certificate that has basicConstraints CA:TRUE and keyCertSign"},
    ReasonInfo{Reason::kPathLengthExceeded, "path_length_exceeded", StatusCode::kUnauthenticated,
               401, 65, "the chain has more intermediates than a CA allows",
               "issue from a CA nearer to the root, or raise pathLenConstraint"},
    ReasonInfo{Reason::kNameNotPermitted, "name_not_permitted", StatusCode::kPermissionDenied, 403,
               65, "the name is not among those that the CA, the profile or the token allows",
               "ask for a name that is allowed, or have it allowed: by the profile, the token, or "
               "the CA's name constraints"},
    ReasonInfo{Reason::kNameMismatch, "name_mismatch", StatusCode::kUnauthenticated, 401, 65,
               "the certificate is for another name than the one expected",
               "connect by a name that the certificate has, or issue it with that name"},
    ReasonInfo{
        Reason::kNamesMissing, "names_missing", StatusCode::kUnauthenticated, 401, 65,
        "the certificate has no subject alternative name",
        "issue it with the name as a subject alternative name; the common name does not count"},
    ReasonInfo{Reason::kUsageNotAllowed, "usage_not_allowed", StatusCode::kUnauthenticated, 401, 65,
               "the certificate's key usage does not allow this use",
               "issue it with extended key usage serverAuth for servers, clientAuth for clients"},
    ReasonInfo{Reason::kCriticalExtensionUnknown, "critical_extension_unknown",
               StatusCode::kUnauthenticated, 401, 65,
               "the certificate has a critical extension that is not understood",
               "issue it without that extension"},
    ReasonInfo{Reason::kPathTooComplex, "path_too_complex", StatusCode::kUnauthenticated, 401, 65,
               "the search for a chain was given up",
               "send only the intermediates that are needed"},
    ReasonInfo{Reason::kRevocationUnknown, "revocation_unknown", StatusCode::kUnauthenticated, 401,
               65, "no revocation list covers the certificate",
               "give the issuer's current CRL (a CA in files makes it with `troth ca crl`)"},
    ReasonInfo{Reason::kCrlExpired, "crl_expired", StatusCode::kUnauthenticated, 401, 65,
               "the revocation list is past its nextUpdate",
               "fetch or make a new CRL (`troth ca crl`), and check the clock"},
    ReasonInfo{Reason::kCrlMalformed, "crl_malformed", StatusCode::kUnauthenticated, 401, 65,
               "the bytes are not a well-formed certificate revocation list",
               "look at it with `openssl crl -text`, then make it again"},
    ReasonInfo{Reason::kKeyTooWeak, "key_too_weak", StatusCode::kUnauthenticated, 401, 65,
               "the key is weaker than allowed", "use P-256, or RSA of at least 2048 bits"},
    ReasonInfo{Reason::kAlgorithmNotAllowed, "algorithm_not_allowed", StatusCode::kUnauthenticated,
               401, 65, "the signature or key algorithm is not allowed",
               "sign with SHA-256 or better and a P-256, P-384, Ed25519 or RSA key"},
    ReasonInfo{Reason::kRequestMalformed, "request_malformed", StatusCode::kInvalidArgument, 400,
               65, "the bytes are not a well-formed certificate request",
               "make the request again, for example with `openssl req -new`"},

    ReasonInfo{Reason::kKeyMismatch, "key_mismatch", StatusCode::kFailedPrecondition, 400, 65,
               "the private key does not belong to the certificate",
               "use the key that the certificate was made for, or issue the certificate again; "
               "`troth doctor "
               "FILES` says which belong together"},
    ReasonInfo{
        Reason::kKeyMalformed, "key_malformed", StatusCode::kInvalidArgument, 400, 65,
        "the bytes are not a private key in PEM",
        "give a PKCS#8, PKCS#1 or SEC1 key in PEM; `troth doctor FILE` says what the file holds"},
    ReasonInfo{Reason::kKeyEncrypted, "key_encrypted", StatusCode::kFailedPrecondition, 400, 65,
               "the private key is encrypted and no passphrase was given",
               "give the passphrase, or decrypt it with `openssl pkey -in KEY -out PLAIN`"},
    ReasonInfo{Reason::kPassphraseWrong, "passphrase_wrong", StatusCode::kPermissionDenied, 403, 77,
               "the passphrase does not open the private key", "give the right passphrase"},
    ReasonInfo{Reason::kKeyFileTooOpen, "key_file_too_open", StatusCode::kFailedPrecondition, 400,
               77, "others can read the private key", "run `chmod 600` on the key file"},
    ReasonInfo{Reason::kFileNotFound, "file_not_found", StatusCode::kNotFound, 404, 66,
               "the file does not exist", "check the path"},
    ReasonInfo{Reason::kFileUnreadable, "file_unreadable", StatusCode::kPermissionDenied, 403, 66,
               "the file cannot be read", "check owner and mode of the file and its folders"},
    ReasonInfo{Reason::kFileEmpty, "file_empty", StatusCode::kFailedPrecondition, 400, 65,
               "the file is empty", "write the file again, from a backup or where it was made"},
    ReasonInfo{Reason::kFileTooLarge, "file_too_large", StatusCode::kOutOfRange, 413, 65,
               "the file is larger than such a file can be", "check that it is the right file"},
    ReasonInfo{Reason::kFileNotRegular, "file_not_regular", StatusCode::kFailedPrecondition, 400,
               66, "the path is not a regular file", "give a file, not a folder, pipe or device"},
    ReasonInfo{
        Reason::kFileWrongFormat, "file_wrong_format", StatusCode::kInvalidArgument, 400, 65,
        "the file holds something else than expected",
        "check that it is the right file; `troth doctor FILE` says what it holds, and converts it"},
    ReasonInfo{Reason::kFileExists, "file_exists", StatusCode::kAlreadyExists, 409, 73,
               "the file exists and is not overwritten", "choose another name, or remove it first"},
    ReasonInfo{Reason::kFileWriteFailed, "file_write_failed", StatusCode::kUnavailable, 503, 74,
               "the file could not be written", "check free space, owner and mode of the folder"},
    ReasonInfo{Reason::kFileLocked, "file_locked", StatusCode::kUnavailable, 503, 75,
               "another process works on the same files",
               "wait until it has ended, then run the command again"},

    ReasonInfo{Reason::kPeerNotAuthenticated, "peer_not_authenticated",
               StatusCode::kUnauthenticated, 401, 77, "the caller showed no certificate",
               "call with a client certificate and its key"},
    ReasonInfo{Reason::kPeerNotVerified, "peer_not_verified", StatusCode::kUnauthenticated, 401, 77,
               "the caller's certificate was not verified, and only pinned ones count here",
               "pin the certificate in the policy, or let the server verify client certificates"},
    ReasonInfo{Reason::kPeerNotPinned, "peer_not_pinned", StatusCode::kUnauthenticated, 401, 77,
               "the peer's certificate is none of the pinned ones",
               "pin the peer's present certificate, by its file or its SHA-256 fingerprint"},
    ReasonInfo{
        Reason::kRoleNotAllowed, "role_not_allowed", StatusCode::kPermissionDenied, 403, 77,
        "no role of the caller may call this method",
        "call with a certificate of an allowed role, or add the role to the rule (`troth policy "
        "explain` shows it)"},
    ReasonInfo{Reason::kRuleDenied, "rule_denied", StatusCode::kPermissionDenied, 403, 77,
               "a rule denies this method to a role of the caller",
               "call with another certificate, or change the rule's deny list"},
    ReasonInfo{Reason::kNoRuleMatches, "no_rule_matches", StatusCode::kPermissionDenied, 403, 77,
               "no rule of the policy names this method, so nobody may call it",
               "add a rule for the method; `troth policy lint` lists methods without one"},
    ReasonInfo{Reason::kRateLimited, "rate_limited", StatusCode::kResourceExhausted, 429, 75,
               "the caller makes more calls than its rate limit allows",
               "call less often, or raise the limit"},
    ReasonInfo{Reason::kTooManyCalls, "too_many_calls", StatusCode::kResourceExhausted, 429, 75,
               "the connection has too many calls open at once",
               "wait for calls to end, or raise the limit"},
    ReasonInfo{Reason::kConnectionNotGuarded, "connection_not_guarded",
               StatusCode::kPermissionDenied, 403, 77, "the call came in on a port without a guard",
               "serve every port with credentials made by Troth"},

    ReasonInfo{Reason::kHandshakeFailed, "handshake_failed", StatusCode::kUnavailable, 503, 69,
               "the TLS handshake failed",
               "look at the log of the other side for its reason, or ask `troth doctor HOST:PORT`"},
    ReasonInfo{Reason::kPeerRejectedCertificate, "peer_rejected_certificate",
               StatusCode::kUnavailable, 503, 69, "the other side refused our certificate",
               "use a certificate that the other side trusts: of its authority, in its time, for "
               "this use"},
    ReasonInfo{Reason::kClientCertificateMissing, "client_certificate_missing",
               StatusCode::kUnavailable, 503, 69,
               "the server requires a client certificate and got none",
               "connect with a client certificate and its key (--certificate and --private-key)"},
    ReasonInfo{Reason::kProtocolMismatch, "protocol_mismatch", StatusCode::kUnavailable, 503, 69,
               "the two sides do not speak a common protocol",
               "use TLS 1.2 or newer on both sides, for gRPC with ALPN h2, and check the port"},
    ReasonInfo{Reason::kConnectionFailed, "connection_failed", StatusCode::kUnavailable, 503, 69,
               "no connection could be made",
               "check address, port, firewall, and that the server runs"},

    ReasonInfo{Reason::kTokenInvalid, "token_invalid", StatusCode::kUnauthenticated, 401, 77,
               "the enrolment token is not valid",
               "ask the operator for a new one: `troth tokens create`"},
    ReasonInfo{Reason::kTokenExpired, "token_expired", StatusCode::kUnauthenticated, 401, 77,
               "the enrolment token has expired",
               "ask the operator for a new one: `troth tokens create`"},
    ReasonInfo{Reason::kRequestUnknown, "request_unknown", StatusCode::kNotFound, 404, 66,
               "the authority has no such request",
               "send the request first; `troth requests list` shows those that are there"},
    ReasonInfo{Reason::kRequestAmbiguous, "request_ambiguous", StatusCode::kFailedPrecondition, 409,
               65, "more than one fits", "name one by more of its digits, as `list` shows them"},
    ReasonInfo{Reason::kRequestState, "request_state", StatusCode::kFailedPrecondition, 409, 65,
               "the request's state does not allow this",
               "see its state with `troth requests show`; send a new request if it is over"},
    ReasonInfo{Reason::kRequestPending, "request_pending", StatusCode::kUnavailable, 202, 69,
               "the request waits for an operator",
               "wait, or have it approved with `troth requests approve`"},
    ReasonInfo{Reason::kRequestRejected, "request_rejected", StatusCode::kPermissionDenied, 403, 77,
               "an operator rejected the request",
               "ask the operator why, then make a new key and request"},
    ReasonInfo{Reason::kTooManyRequests, "too_many_requests", StatusCode::kResourceExhausted, 429,
               75, "too many requests wait to be decided",
               "wait until some are decided; the profile's max_pending is the limit"},
    ReasonInfo{Reason::kListenerTooSlow, "listener_too_slow", StatusCode::kResourceExhausted, 429,
               75, "decisions came faster than the listener read them",
               "watch again from the last one that was read, and read faster"},
    ReasonInfo{Reason::kCertificateUnknown, "certificate_unknown", StatusCode::kNotFound, 404, 66,
               "the authority did not issue such a certificate",
               "check the authority and the certificate; `troth certificates list` shows its own"},
    ReasonInfo{Reason::kSerialExists, "serial_exists", StatusCode::kAlreadyExists, 500, 70,
               "the serial number is in use", "try again; report it if it happens twice"},
    ReasonInfo{Reason::kStoreFailed, "store_failed", StatusCode::kUnavailable, 503, 74,
               "the store cannot be read or written",
               "check free space, owner and mode of the data directory, then `troth store check`"},
    ReasonInfo{Reason::kStoreNewer, "store_newer", StatusCode::kFailedPrecondition, 500, 78,
               "the store was written by a newer version of Troth",
               "use that version, or restore the backup that was made before the upgrade"},
    ReasonInfo{
        Reason::kLedgerBroken, "ledger_broken", StatusCode::kDataLoss, 500, 65,
        "the ledger was changed or cut short",
        "see where with `troth ledger verify`; compare with a backup and with signed heads kept "
        "elsewhere"},

    ReasonInfo{Reason::kPathUnknown, "path_unknown", StatusCode::kNotFound, 404, 69,
               "the server has nothing at this path", "check the URL"},
    ReasonInfo{Reason::kMethodNotAllowed, "method_not_allowed", StatusCode::kUnimplemented, 405, 69,
               "the path does not take this method", "use a method of the Allow field"},
    ReasonInfo{Reason::kLengthRequired, "length_required", StatusCode::kInvalidArgument, 411, 69,
               "the request does not say how long its body is", "send a Content-Length field"},
    ReasonInfo{Reason::kBodyTooLarge, "body_too_large", StatusCode::kOutOfRange, 413, 69,
               "the body is larger than allowed", "send a smaller body"},
    ReasonInfo{Reason::kHeaderTooLarge, "header_too_large", StatusCode::kOutOfRange, 431, 69,
               "the header is larger than allowed", "send fewer or shorter fields"},
    ReasonInfo{Reason::kRequestTimeout, "request_timeout", StatusCode::kDeadlineExceeded, 408, 69,
               "the request did not come in time", "send it without pauses"},
    ReasonInfo{
        Reason::kHttpMalformed, "http_malformed", StatusCode::kInvalidArgument, 400, 69,
        "the request is not well-formed HTTP, or its path could be read as two paths",
        "send HTTP/1.1 as RFC 9112 has it, without dot segments or escaped slashes in the path"},
    ReasonInfo{Reason::kTransferCodingUnknown, "transfer_coding_unknown",
               StatusCode::kUnimplemented, 501, 69, "the body's transfer coding is not known",
               "send the body with a Content-Length field, or chunked"},
    ReasonInfo{Reason::kMediaTypeUnknown, "media_type_unknown", StatusCode::kInvalidArgument, 415,
               69, "the path does not take a body of this type",
               "send JSON, with the field Content-Type: application/json"},
    ReasonInfo{Reason::kJsonMalformed, "json_malformed", StatusCode::kInvalidArgument, 400, 65,
               "the body is not one JSON object", "docs/http-api.md shows the body of each path"},
    ReasonInfo{Reason::kParameterInvalid, "parameter_invalid", StatusCode::kInvalidArgument, 400,
               64, "a member of the body, or a part of the URL, is not what the path takes",
               "docs/http-api.md has what each path takes"},
    ReasonInfo{Reason::kResponseMalformed, "response_malformed", StatusCode::kUnavailable, 502, 76,
               "the server answered something else than expected",
               "check that the URL is that of a Troth or Caramel authority"},
    ReasonInfo{Reason::kResponseTooLarge, "response_too_large", StatusCode::kOutOfRange, 502, 76,
               "the server's answer is larger than allowed",
               "check that the URL is that of a Troth or Caramel authority"},

    ReasonInfo{Reason::kPolicyInvalid, "policy_invalid", StatusCode::kInvalidArgument, 400, 78,
               "the policy cannot be used", "mend it, then run `troth policy check`"},
    ReasonInfo{Reason::kConfigurationInvalid, "configuration_invalid", StatusCode::kInvalidArgument,
               400, 78, "the configuration cannot be used", "mend the named key"},
    ReasonInfo{Reason::kUsageError, "usage_error", StatusCode::kInvalidArgument, 400, 64,
               "the command was called wrongly", "see --help"},
    ReasonInfo{Reason::kInternal, "internal", StatusCode::kInternal, 500, 70,
               "something went wrong inside Troth", "report it with the log"},
};

}  // namespace

const ReasonInfo& InfoOf(Reason reason) { return kTable[static_cast<size_t>(reason)]; }

std::string_view CodeOf(Reason reason) { return InfoOf(reason).code; }

std::span<const ReasonInfo> AllReasons() { return kTable; }

std::optional<Reason> ReasonFromCode(std::string_view code) {
  const auto row = std::ranges::find(kTable, code, &ReasonInfo::code);
  if (row == kTable.end()) return std::nullopt;
  return row->reason;
}

std::string DocAnchorOf(Reason reason) {
  return "docs/troubleshooting.md#" + std::string(CodeOf(reason));
}

absl::Status MakeError(Reason reason, std::string_view message) {
  const ReasonInfo& info = InfoOf(reason);
  absl::Status status(info.status, ToAbsl(message));
  status.SetPayload(ToAbsl(kPayloadUrl), absl::Cord(ToAbsl(info.code)));
  return status;
}

std::optional<Reason> ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(ToAbsl(kPayloadUrl));
  if (!payload.has_value()) return std::nullopt;
  return ReasonFromCode(std::string(*payload));
}

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  std::string message(context);
  message += ": ";
  message += ToStd(status.message());
  absl::Status out(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& value) { out.SetPayload(url, value); });
  return out;
}

absl::Status WithFix(absl::Status status, std::string_view fix) {
  status.SetPayload(ToAbsl(kFixPayloadUrl), absl::Cord(ToAbsl(fix)));
  return status;
}

std::string FixOf(const absl::Status& status) {
  const auto payload = status.GetPayload(ToAbsl(kFixPayloadUrl));
  if (payload.has_value()) return std::string(*payload);
  return std::string(InfoOf(ReasonOf(status).value_or(Reason::kInternal)).fix);
}

std::string_view CodeOf(const absl::Status& status) {
  return CodeOf(ReasonOf(status).value_or(Reason::kInternal));
}

}  // namespace troth
