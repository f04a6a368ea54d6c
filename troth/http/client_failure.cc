#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "troth/base/handshake_text.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/client_failure_internal.h"

namespace troth {
namespace {

struct AlertRow {
  int number;  // RFC 8446 section 6.2
  Reason reason;
  std::string_view words;
};

constexpr auto kAlerts = std::to_array<AlertRow>({
    {40, Reason::kHandshakeFailed,
     "the server accepts none of our parameters, or misses a client certificate"},
    {42, Reason::kPeerRejectedCertificate, "the server refused our certificate"},
    {43, Reason::kPeerRejectedCertificate,
     "the server finds our certificate of the wrong kind or usage"},
    {44, Reason::kPeerRejectedCertificate, "the server has our certificate on a revocation list"},
    {45, Reason::kPeerRejectedCertificate,
     "the server finds our certificate expired or not yet valid; compare the clocks"},
    {46, Reason::kPeerRejectedCertificate,
     "the server refused our certificate without saying why; its log may"},
    {48, Reason::kPeerRejectedCertificate,
     "the server does not trust the authority of our certificate"},
    {49, Reason::kPeerRejectedCertificate,
     "the server knows our certificate and refuses us all the same"},
    {51, Reason::kPeerRejectedCertificate,
     "the server could not verify our signature: does the key belong to the certificate?"},
    {70, Reason::kProtocolMismatch, "the server speaks neither TLS 1.2 nor TLS 1.3"},
    {71, Reason::kProtocolMismatch, "the server finds every cipher that we offer too weak"},
    {80, Reason::kHandshakeFailed, "the server failed by itself; its log says more"},
    {112, Reason::kNameMismatch, "the server does not know the name that it was asked for"},
    {116, Reason::kClientCertificateMissing,
     "the server requires a client certificate, and none was shown"},
    {120, Reason::kProtocolMismatch, "the server does not speak HTTP/1.1"},
});

constexpr int kBadCertificate = 42;

absl::Status Explained(Reason reason, const ClientAttempt& attempt, std::string_view words) {
  return MakeError(reason, attempt.server + ": " + std::string(words));
}

absl::Status ExplainAlert(const ClientAttempt& attempt) {
  const int alert = *attempt.alert;
  if (alert == kBadCertificate && !attempt.shows_certificate) {  // as Go's servers say it
    return Explained(Reason::kClientCertificateMissing, attempt,
                     "the server requires a client certificate, and none was shown");
  }
  const auto row = std::ranges::find(kAlerts, alert, &AlertRow::number);
  const std::string number = " (TLS alert " + std::to_string(alert) + ")";
  if (row == kAlerts.end()) {
    return Explained(Reason::kHandshakeFailed, attempt, "the server broke the TLS off" + number);
  }
  return Explained(row->reason, attempt, std::string(row->words) + number);
}

std::string_view TimeoutText(ClientAttempt::Stage stage) {
  switch (stage) {
    case ClientAttempt::Stage::kConnecting:
      return "the address did not answer in time; check it, and any firewall";
    case ClientAttempt::Stage::kHandshake:
      return "the server did not finish the TLS handshake in time; check that it speaks HTTPS "
             "there";
    case ClientAttempt::Stage::kAnswer:
      break;
  }
  return "the server did not answer in time; try again later";
}

std::string ConnectText(const CurlFailure& failure) {
  if (failure.system_error == ECONNREFUSED) {
    return "connection refused: nothing listens there; check the port, and that the server runs";
  }
  if (failure.system_error == 0) return "no connection could be made: " + failure.text;
  return "no connection could be made: " +
         std::generic_category().message(static_cast<int>(failure.system_error));
}

}  // namespace

absl::Status ExplainClientFailure(const ClientAttempt& attempt, const CurlFailure& failure) {
  const std::string text = Printable(failure.text);
  if (!attempt.verdict.ok()) return WithContext(attempt.verdict, attempt.server);
  if (attempt.too_large) {
    return Explained(Reason::kResponseTooLarge, attempt,
                     "the answer is larger than allowed; check that this is the right URL");
  }
  if (attempt.alert.has_value()) return ExplainAlert(attempt);
  if (attempt.answered_in_plain_http) {
    return Explained(Reason::kProtocolMismatch, attempt,
                     "the server speaks plain HTTP on this port; give the port of its HTTPS");
  }
  if (attempt.answered_without_tls) {
    return Explained(Reason::kProtocolMismatch, attempt,
                     "the server does not speak TLS on this port; give the port of its HTTPS");
  }
  switch (failure.code) {
    case CURLE_URL_MALFORMAT:
      return Explained(Reason::kUsageError, attempt, "the URL cannot be read: " + text);
    case CURLE_COULDNT_RESOLVE_HOST:
      return Explained(Reason::kConnectionFailed, attempt,
                       "no such host: the name has no address; check its spelling");
    case CURLE_COULDNT_CONNECT:
      return Explained(Reason::kConnectionFailed, attempt, ConnectText(failure));
    case CURLE_OPERATION_TIMEDOUT:
      return Explained(Reason::kConnectionFailed, attempt, TimeoutText(attempt.stage));
    case CURLE_ABORTED_BY_CALLBACK:
      return Explained(Reason::kConnectionFailed, attempt, "given up before the answer was there");
    case CURLE_SSL_CACERT_BADFILE:
      return Explained(Reason::kIssuerUnknown, attempt,
                       "the system has no file of CA certificates; install ca-certificates, or "
                       "give a trust bundle");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return Explained(Reason::kResponseMalformed, attempt, "the answer is no HTTP: " + text);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return Explained(Reason::kInternal, attempt, text);
    default:
      break;
  }
  if (attempt.stage == ClientAttempt::Stage::kHandshake) {
    // What OpenSSL found itself, or how the connection broke.
    if (const auto found = ExplainHandshake(failure.text)) {
      return Explained(found->reason, attempt, found->message + " (" + text + ")");
    }
    return Explained(Reason::kHandshakeFailed, attempt,
                     "the TLS handshake failed; check that the server speaks HTTPS there, and look "
                     "at its log (" +
                         text + ")");
  }
  return Explained(Reason::kConnectionFailed, attempt,
                   "the connection ended before the answer was there; try again (" + text + ")");
}

}  // namespace troth
