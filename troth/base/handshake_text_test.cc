#include "troth/base/handshake_text.h"

#include <gtest/gtest.h>

#include <string>

namespace troth {
namespace {

TEST(ExplainHandshake, ReadsWhatGrpcAndOpensslPrint) {
  const struct {
    const char* text;
    Reason reason;
  } rows[] = {
      {"Handshake failed with fatal error SSL_ERROR_SSL: error:0A0000C7:SSL routines::peer did not "
       "return a certificate.",
       Reason::kClientCertificateMissing},
      {"Handshake failed with fatal error SSL_ERROR_SSL: error:0A000086:SSL routines::certificate "
       "verify failed.",
       Reason::kHandshakeFailed},
      {"Handshake failed with fatal error SSL_ERROR_SSL: error:0A00009C:SSL routines::http "
       "request.",
       Reason::kProtocolMismatch},
      {"Handshake failed with fatal error SSL_ERROR_SSL: error:0A00010B:SSL routines::wrong "
       "version "
       "number.",
       Reason::kProtocolMismatch},
      {"Corruption detected. error:0A000418:SSL routines::tlsv1 alert unknown ca",
       Reason::kPeerRejectedCertificate},
      {"error:0A000412:SSL routines::sslv3 alert bad certificate",
       Reason::kPeerRejectedCertificate},
      {"error:0A000415:SSL routines::sslv3 alert certificate expired",
       Reason::kPeerRejectedCertificate},
      {"error:0A000414:SSL routines::sslv3 alert certificate revoked",
       Reason::kPeerRejectedCertificate},
      {"error:0A00045C:SSL routines::tlsv13 alert certificate required",
       Reason::kClientCertificateMissing},
      {"error:0A00042E:SSL routines::tlsv1 alert protocol version", Reason::kProtocolMismatch},
      {"Cannot check peer: missing selected ALPN property.", Reason::kProtocolMismatch},
      {"failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
       "connect to remote host: Connection refused",
       Reason::kConnectionFailed},
      {"DNS resolution failed for nowhere.invalid:443: C-ares status is not ARES_SUCCESS",
       Reason::kConnectionFailed},
      {"failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket "
       "closed",
       Reason::kHandshakeFailed},
      {"failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:1: Endpoint "
       "read failed",
       Reason::kHandshakeFailed},
  };
  for (const auto& row : rows) {
    const auto failure = ExplainHandshake(row.text);
    ASSERT_TRUE(failure.has_value()) << row.text;
    EXPECT_EQ(CodeOf(failure->reason), CodeOf(row.reason)) << row.text;
    EXPECT_FALSE(failure->message.empty());
  }
}

TEST(ExplainHandshake, ReadsWhyACertificateDidNotVerifyWhereGrpcTells) {
  const struct {
    const char* why;
    Reason reason;
  } rows[] = {
      {"", Reason::kHandshakeFailed},
      {": certificate has expired", Reason::kCertificateExpired},
      {": certificate is not yet valid", Reason::kCertificateNotYetValid},
      {": unable to get local issuer certificate", Reason::kIssuerUnknown},
      {": unable to verify the first certificate", Reason::kIssuerUnknown},
      {": self-signed certificate in certificate chain", Reason::kIssuerUnknown},
      {": self-signed certificate", Reason::kCertificateSelfSigned},
      {": self signed certificate", Reason::kCertificateSelfSigned},
      {": certificate signature failure", Reason::kSignatureInvalid},
      {": unsuitable certificate purpose", Reason::kUsageNotAllowed},
      {": certificate revoked", Reason::kCertificateRevoked},
      {": something of tomorrow", Reason::kHandshakeFailed},
  };
  for (const auto& row : rows) {
    const auto failure = ExplainHandshake(
        "Handshake failed with fatal error SSL_ERROR_SSL: error:0A000086:SSL "
        "routines::certificate verify failed" +
        std::string(row.why));
    ASSERT_TRUE(failure.has_value()) << row.why;
    EXPECT_EQ(CodeOf(failure->reason), CodeOf(row.reason)) << row.why;
    EXPECT_TRUE(failure->not_verified) << row.why;
  }
  EXPECT_FALSE(
      ExplainHandshake("error:0A000418:SSL routines::tlsv1 alert unknown ca")->not_verified);
}

TEST(ExplainHandshake, SaysNothingOfOtherTexts) {
  for (const char* text : {"", "Server shutdown", "invalid header", "Deadline Exceeded"}) {
    EXPECT_FALSE(ExplainHandshake(text).has_value()) << text;
  }
}

TEST(ExplainHandshake, LooksAtABoundedPartOfATextThatOthersChoose) {
  std::string text(size_t{1} << 20, 'x');
  text += "alert unknown ca";
  EXPECT_FALSE(ExplainHandshake(text).has_value());
}

}  // namespace
}  // namespace troth
