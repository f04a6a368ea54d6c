#include "troth/base/handshake_text.h"

#include <array>

#include "troth/base/strings.h"

namespace troth {
namespace {

struct Row {
  std::string_view text;  // what to look for
  Reason reason;
  std::string_view words;
};

// The first row that is found wins: what is specific stands before what is general.
constexpr auto kRows = std::to_array<Row>({
    // TLS alerts: the other side's view of us.
    {"alert certificate required", Reason::kClientCertificateMissing,
     "the server requires a client certificate, and none was shown"},
    {"alert unknown ca", Reason::kPeerRejectedCertificate,
     "the other side does not trust the authority of our certificate (alert unknown_ca)"},
    {"alert bad certificate", Reason::kPeerRejectedCertificate,
     "the other side refused our certificate, or misses one (alert bad_certificate)"},
    {"alert certificate expired", Reason::kPeerRejectedCertificate,
     "the other side finds our certificate expired or not yet valid; compare the clocks (alert "
     "certificate_expired)"},
    {"alert certificate revoked", Reason::kPeerRejectedCertificate,
     "the other side has our certificate on a revocation list (alert certificate_revoked)"},
    {"alert unsupported certificate", Reason::kPeerRejectedCertificate,
     "the other side finds our certificate of the wrong kind or usage (alert "
     "unsupported_certificate)"},
    {"alert certificate unknown", Reason::kPeerRejectedCertificate,
     "the other side refused our certificate without saying why (alert certificate_unknown)"},
    {"alert access denied", Reason::kPeerRejectedCertificate,
     "the other side accepted our certificate and refuses us still (alert access_denied)"},
    {"alert protocol version", Reason::kProtocolMismatch,
     "the other side speaks no TLS version that we speak (1.2 and 1.3)"},
    {"alert no application protocol", Reason::kProtocolMismatch,
     "the other side speaks none of the protocols that we offer by ALPN: h2 for gRPC, http/1.1 for "
     "HTTPS (alert no_application_protocol)"},
    {"alert insufficient security", Reason::kProtocolMismatch,
     "the other side finds every cipher that we offer too weak (alert insufficient_security)"},
    {"alert unrecognized name", Reason::kNameMismatch,
     "the server does not know the name it was asked for (alert unrecognized_name)"},
    {"alert decrypt error", Reason::kPeerRejectedCertificate,
     "the other side could not verify our signature: does the key belong to the certificate? "
     "(alert decrypt_error)"},
    {"alert handshake failure", Reason::kHandshakeFailed,
     "the other side accepts none of our parameters, or misses a certificate (alert "
     "handshake_failure)"},
    {"alert internal error", Reason::kHandshakeFailed,
     "the other side failed by itself (alert internal_error); its log says more"},
    // OpenSSL's own findings. gRPC after 1.53 adds what X509_verify_cert_error_string says; what
    // ends in "failed" alone is all that 1.51 tells.
    {"verify failed: certificate has expired", Reason::kCertificateExpired,
     "the other side's certificate, or a CA of its chain, has expired"},
    {"verify failed: certificate is not yet valid", Reason::kCertificateNotYetValid,
     "the other side's certificate, or a CA of its chain, is not valid yet; compare the clocks"},
    {"verify failed: unable to get local issuer certificate", Reason::kIssuerUnknown,
     "the other side's certificate leads to no authority of the trust bundle, or misses an "
     "intermediate"},
    {"verify failed: unable to get issuer certificate", Reason::kIssuerUnknown,
     "the other side's certificate leads to no authority of the trust bundle, or misses an "
     "intermediate"},
    {"verify failed: unable to verify the first certificate", Reason::kIssuerUnknown,
     "the other side's certificate leads to no authority of the trust bundle, or misses an "
     "intermediate"},
    // 3.0 writes "self-signed", 1.1 "self signed".
    {"verify failed: self-signed certificate in certificate chain", Reason::kIssuerUnknown,
     "the other side's authority is not in the trust bundle"},
    {"verify failed: self signed certificate in certificate chain", Reason::kIssuerUnknown,
     "the other side's authority is not in the trust bundle"},
    {"verify failed: self-signed certificate", Reason::kCertificateSelfSigned,
     "the other side's certificate is self-signed"},
    {"verify failed: self signed certificate", Reason::kCertificateSelfSigned,
     "the other side's certificate is self-signed"},
    {"verify failed: certificate signature failure", Reason::kSignatureInvalid,
     "a signature in the other side's chain does not verify"},
    {"verify failed: unsuitable certificate purpose", Reason::kUsageNotAllowed,
     "the other side's certificate is not for this use (extended key usage)"},
    {"verify failed: unsupported certificate purpose", Reason::kUsageNotAllowed,
     "the other side's certificate is not for this use (extended key usage)"},
    {"verify failed: invalid CA certificate", Reason::kNotACertificateAuthority,
     "a certificate in the other side's chain issued another and is not a CA"},
    {"verify failed: path length constraint exceeded", Reason::kPathLengthExceeded,
     "the other side's chain is longer than a CA in it allows"},
    {"verify failed: permitted subtree violation", Reason::kNameNotPermitted,
     "the other side's certificate has a name that its CA may not give"},
    {"verify failed: excluded subtree violation", Reason::kNameNotPermitted,
     "the other side's certificate has a name that its CA may not give"},
    {"verify failed: certificate revoked", Reason::kCertificateRevoked,
     "the other side's certificate is revoked"},
    {"verify failed: CRL has expired", Reason::kCrlExpired, "a revocation list has expired"},
    {"verify failed: EE certificate key too weak", Reason::kKeyTooWeak,
     "the key of the other side's certificate is too weak"},
    {"verify failed: CA certificate key too weak", Reason::kKeyTooWeak,
     "the key of a CA in the other side's chain is too weak"},
    {"verify failed: CA signature digest algorithm too weak", Reason::kAlgorithmNotAllowed,
     "a certificate in the other side's chain is signed with an algorithm that is too weak"},
    {"peer did not return a certificate", Reason::kClientCertificateMissing,
     "the client showed no certificate, and one is required"},
    {"certificate verify failed", Reason::kHandshakeFailed,
     "the other side's certificate did not verify: not of an authority in the trust bundle, out of "
     "its time, or not for this use; which of them, TLS does not tell"},
    {"http request", Reason::kProtocolMismatch,
     "the other side speaks plain HTTP, and this port speaks TLS"},
    {"https proxy request", Reason::kProtocolMismatch,
     "the other side takes this port for a proxy, and it speaks TLS"},
    {"wrong version number", Reason::kProtocolMismatch,
     "the other side does not speak TLS on this connection"},
    {"packet length too long", Reason::kProtocolMismatch,
     "the other side does not speak TLS on this connection"},
    {"unsupported protocol", Reason::kProtocolMismatch,
     "the other side speaks no TLS version that we speak (1.2 and 1.3)"},
    {"version too low", Reason::kProtocolMismatch,
     "the other side speaks no TLS version that we speak (1.2 and 1.3)"},
    {"no shared cipher", Reason::kProtocolMismatch, "the two sides have no cipher in common"},
    {"no suitable key share", Reason::kProtocolMismatch,
     "the two sides have no curve in common for the key exchange"},
    {"no suitable groups", Reason::kProtocolMismatch,
     "the two sides have no curve in common for the key exchange"},
    {"no suitable signature algorithm", Reason::kProtocolMismatch,
     "the other side accepts no signature that our key can make"},
    {"no application protocol", Reason::kProtocolMismatch,
     "the other side offers no protocol by ALPN that we speak: h2 for gRPC, http/1.1 for HTTPS"},
    {"missing selected ALPN", Reason::kProtocolMismatch,
     "the other side did not choose HTTP/2 (ALPN h2): it is TLS, but not gRPC"},
    {"before receiving SETTINGS frame", Reason::kProtocolMismatch,
     "the other side accepts connections and does not answer in HTTP/2: is it gRPC, and does it "
     "speak TLS where we do not, or the reverse?"},
    {"Trying to connect an http1.x server", Reason::kProtocolMismatch,
     "the other side is an HTTP/1 server"},
    {"excessive message size", Reason::kHandshakeFailed,
     "the other side shows more certificates than are read; it should send its own and the "
     "intermediates that are needed"},
    {"decryption failed or bad record mac", Reason::kHandshakeFailed,
     "what came was changed on its way, or is not of this connection"},
    {"bad signature", Reason::kHandshakeFailed,
     "the other side's signature does not verify: its key does not belong to its certificate"},
    {"unexpected eof", Reason::kHandshakeFailed,
     "the other side hung up during the handshake, as some do that do not accept our certificate; "
     "its "
     "log says why"},
    // The network.
    {"Connection refused", Reason::kConnectionFailed, "nothing listens there"},
    {"DNS resolution failed", Reason::kConnectionFailed, "the name has no address"},
    {"Domain name not found", Reason::kConnectionFailed, "the name has no address"},
    {"No route to host", Reason::kConnectionFailed, "there is no route to the address"},
    {"Network is unreachable", Reason::kConnectionFailed, "there is no route to the address"},
    {"Connection timed out", Reason::kConnectionFailed, "the address did not answer in time"},
    {"Failed to connect to remote host", Reason::kConnectionFailed, "no connection could be made"},
    {"Connection reset by peer", Reason::kHandshakeFailed,
     "the other side hung up; when that happens at once, it refused our certificate or misses one, "
     "and its log says which"},
    {"Socket closed", Reason::kHandshakeFailed,
     "the other side hung up; when that happens at once, it refused our certificate or misses one, "
     "and its log says which"},
    {"Endpoint read failed", Reason::kHandshakeFailed,
     "the other side hung up; when that happens at once, it refused our certificate or misses one, "
     "and its log says which"},
    {"Broken pipe", Reason::kHandshakeFailed, "the other side hung up"},
    {"andshake failed", Reason::kHandshakeFailed, "the TLS handshake failed"},
});

bool ContainsIgnoringCase(std::string_view text, std::string_view part) {
  if (part.size() > text.size()) return false;
  for (size_t i = 0; i + part.size() <= text.size(); ++i) {
    if (EqualsIgnoreCaseAscii(text.substr(i, part.size()), part)) return true;
  }
  return false;
}

}  // namespace

std::optional<HandshakeFailure> ExplainHandshake(std::string_view text) {
  constexpr size_t kLongest = 8192;  // of what is looked at
  text = text.substr(0, kLongest);
  for (const Row& row : kRows) {
    if (ContainsIgnoringCase(text, row.text)) {
      return HandshakeFailure{
          .reason = row.reason,
          .message = std::string(row.words),
          .not_verified = row.text.find("verify failed") != std::string_view::npos};
    }
  }
  return std::nullopt;
}

}  // namespace troth
