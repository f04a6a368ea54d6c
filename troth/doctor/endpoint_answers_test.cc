// What the doctor makes of how a server answers: in the handshake, to HTTP, to a call.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "troth/doctor/endpoint_doctor.h"
#include "troth/doctor/endpoint_testing.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using namespace testing;  // NOLINT: the helpers of three headers
using Codes = std::vector<std::string>;

class EndpointAnswers : public ::testing::Test {
 protected:
  EndpointAnswers() {
    patient_.Give("ca.pem", {Make(Root("root"))});
    options_ = {.now = kNow,
                .trust_bundle = patient_.Path("ca.pem"),
                .timeout = milliseconds(3000),
                .system_trust_files = {}};
  }

  static TlsServerOptions Healthy() {
    return {.chain = {Make({.subject = "server",
                            .issuer = "root",
                            .extended_key_usage = {std::string(kServerAuthOid)},
                            .names = {{AlternativeName::Kind::kIp, std::string("\x7f\0\0\x01", 4)},
                                      {AlternativeName::Kind::kDns, "localhost"}}})}};
  }

  void ShowCertificate() {
    patient_.Give("client.pem", {Make({.subject = "client",
                                       .issuer = "root",
                                       .extended_key_usage = {std::string(kClientAuthOid)}})});
    patient_.GiveKey("client.key", "client");
    options_.certificate = patient_.Path("client.pem");
    options_.private_key = patient_.Path("client.key");
  }

  const Diagnosis& Examine(std::uint16_t port, const std::string& host = "127.0.0.1") {
    last_ = ExamineEndpoint({.host = host, .port = port}, options_);
    return last_;
  }

  Codes Found(Severity severity) const {
    Codes codes;
    for (const Finding& finding : last_.findings) {
      if (finding.severity == severity) codes.emplace_back(CodeOf(finding.reason));
    }
    return codes;
  }
  Codes Faults() const { return Found(Severity::kFault); }
  Codes Warnings() const { return Found(Severity::kWarning); }

  std::string Seen(std::string_view part) const {
    for (const Recognised& recognised : last_.recognised) {
      if (recognised.subject == part) return recognised.what;
    }
    return "";
  }

  Patient patient_;
  EndpointOptions options_;
  Diagnosis last_;
};

// A server of HTTP that asks for certificates, takes any, and answers by whether one was shown.
TlsServerOptions Asking(TlsServerOptions options, int with, int without) {
  options.verify = SSL_VERIFY_PEER;
  options.accepts_any = true;
  options.answer = [with, without](SSL* ssl) -> std::optional<std::string> {
    return HttpAnswer(SSL_get0_peer_certificate(ssl) == nullptr ? without : with, "go away");
  };
  return options;
}

TEST_F(EndpointAnswers, ACertificateThatCannotBeReadIsAFault) {
  TlsServerOptions options = Healthy();
  options.leaf_der = options.chain[0].der();
  const size_t name = options.leaf_der.find("localhost");
  ASSERT_NE(name, std::string::npos);
  options.leaf_der[name] = '\xff';
  const TlsServer server(options);
  Examine(server.port());
  EXPECT_EQ(Faults(), Codes{"certificate_malformed"}) << Text(last_);
  EXPECT_TRUE(Seen("protocol").starts_with("TLSv1.3"));

  // At another address, too.
  const TlsServer good(Healthy());
  const TlsServer other(options, 2, good.port());
  options_.addresses = {"127.0.0.1", "127.0.0.2"};
  Examine(good.port(), "localhost");
  EXPECT_EQ(Faults(), Codes{"certificate_malformed"}) << Text(last_);
}

TEST_F(EndpointAnswers, AnAnswerThatMayMeanTheCertificateIsNoAdmission) {
  struct Case {
    int with, without;
    Codes faults;
    Codes warnings;
    std::string wish;
  };
  ShowCertificate();
  for (const int status : {400, 401, 403, 421, 495, 496}) {
    for (const Case& one : std::vector<Case>{
             {status, status, {}, {"peer_rejected_certificate"}, "asked for, ours shown"},
             {status,
              200,
              {"peer_rejected_certificate"},
              {"peer_rejected_certificate"},
              "optional, ours refused"},
             {200, status, {}, {}, "required, ours accepted"},
         }) {
      const TlsServer server(Asking(Healthy(), one.with, one.without));
      Examine(server.port());
      EXPECT_EQ(Faults(), one.faults) << Text(last_);
      if (one.faults.empty()) {
        EXPECT_EQ(Warnings(), one.warnings) << Text(last_);
      }
      EXPECT_EQ(Seen("client certificate"), one.wish);
    }
  }
  const TlsServer server(Asking(Healthy(), 404, 404));  // the path's business
  Examine(server.port());
  EXPECT_EQ(Seen("client certificate"), "optional, ours accepted");
}

TEST_F(EndpointAnswers, AnAnswerThatMayMeanTheMissingCertificateIsAWarning) {
  const TlsServer server(Asking(Healthy(), 200, 400));
  Examine(server.port());
  EXPECT_EQ(Faults(), Codes{});
  EXPECT_EQ(Warnings(), Codes{"client_certificate_missing"}) << Text(last_);
  EXPECT_EQ(Seen("client certificate"), "asked for, none shown");
}

TEST_F(EndpointAnswers, SilenceAfterTheHandshakeIsNoAdmission) {
  ShowCertificate();
  for (const std::string alpn : {"h2", "http/1.1"}) {
    TlsServerOptions options = Healthy();
    options.alpn = {alpn};
    options.least = TLS1_3_VERSION;
    options.verify = SSL_VERIFY_PEER;
    options.accepts_any = true;
    options.stops_after_flight = true;
    const TlsServer server(options);
    Examine(server.port());
    EXPECT_EQ(alpn == "h2" ? Faults() : Warnings(), Codes{"request_timeout"}) << Text(last_);
    EXPECT_EQ(Seen("client certificate"), "asked for, ours shown");
    EXPECT_EQ(Seen("answer"), "none in time");
  }
}

TEST_F(EndpointAnswers, WhatIsNoAnswerOfHttpIsDescribed) {
  TlsServerOptions options = Healthy();
  options.alpn = {};
  options.answer = [](SSL*) { return "* OK IMAP4rev1"; };
  {
    const TlsServer server(options);
    Examine(server.port());
    EXPECT_EQ(Seen("answer"), "not of HTTP: \"* OK IMAP4rev1\"");
  }
  options.answer = [](SSL*) { return std::optional<std::string>(); };
  const TlsServer server(options);
  Examine(server.port());
  EXPECT_EQ(Seen("answer"), "none: it hung up when it was asked in HTTP");
}

TEST_F(EndpointAnswers, ASlowHandshakeHasItsTimeWhateverTheNumberOfAddresses) {
  TlsServerOptions options = Healthy();
  options.delay = milliseconds(400);
  const TlsServer server(options);
  for (int i = 1; i <= 8; ++i) options_.addresses.push_back("127.0.0." + std::to_string(i));
  Examine(server.port(), "localhost");
  EXPECT_EQ(Faults(), Codes{}) << Text(last_);
}

TEST_F(EndpointAnswers, AnAddressThatIsOnlySlowIsAWarning) {
  const TlsServer good(Healthy());
  const TcpServer slow([](const Visitor& visitor) { visitor.Linger(); }, 2, good.port());
  options_.addresses = {"127.0.0.1", "127.0.0.2"};
  Examine(good.port(), "localhost");
  EXPECT_EQ(Faults(), Codes{}) << Text(last_);
  EXPECT_EQ(Warnings(), Codes{"handshake_failed"}) << Text(last_);
}

TEST_F(EndpointAnswers, TheOtherAddressesAreLookedAtWhenTheFirstSpeaksNoTls) {
  const TcpServer plain([](const Visitor& visitor) {
    visitor.Send("SSH-2.0-Something\r\n");
    visitor.Linger();
  });
  const TlsServer good(Healthy(), 2, plain.port());
  options_.addresses = {"127.0.0.1", "127.0.0.2"};
  Examine(plain.port(), "localhost");
  EXPECT_EQ(Faults(), Codes{"protocol_mismatch"}) << Text(last_);
  EXPECT_EQ(std::ranges::count(Found(Severity::kNote), "handshake_failed"), 1) << Text(last_);
}

TEST_F(EndpointAnswers, AnAlertComesWithEvidenceAndAdvice) {
  const TcpServer server([](const Visitor& visitor) {
    visitor.Receive();
    visitor.Send(std::string("\x15\x03\x03\x00\x02\x02\x50", 7));  // internal_error
    visitor.Linger();
  });
  Examine(server.port());
  ASSERT_EQ(Faults(), Codes{"handshake_failed"}) << Text(last_);
  const Finding& fault = last_.findings.front();
  EXPECT_EQ(fault.got, "TLS alert 80");
  EXPECT_NE(fault.expected, "");
  EXPECT_EQ(fault.fix.find("troth doctor"), std::string::npos) << fault.fix;
}

TEST_F(EndpointAnswers, AnotherFileThatIsMissingDoesNotHideThatACertificateIsRequired) {
  TlsServerOptions options = Healthy();
  options.verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  const TlsServer server(options);
  ShowCertificate();
  options_.private_key.clear();
  options_.trust_bundle = patient_.Path("none.pem");
  Examine(server.port());
  EXPECT_TRUE(std::ranges::count(Faults(), "file_not_found")) << Text(last_);
  EXPECT_TRUE(std::ranges::count(Faults(), "client_certificate_missing")) << Text(last_);
}

// A call, and what it says.
TEST_F(EndpointAnswers, AProxyWithNothingBehindItIsTold) {
  for (const int status : {502, 503, 504}) {
    TlsServerOptions options = Healthy();
    options.answer = [status](SSL* /*ssl*/) { return HttpAnswer(status); };
    const TlsServer server(options);
    options_.path = "";
    Examine(server.port());
    EXPECT_EQ(Faults(), Codes{}) << Text(last_);
    EXPECT_EQ(Warnings(), Codes{"connection_failed"}) << Text(last_);
    options_.path = "/packets";
    Examine(server.port());
    EXPECT_EQ(Faults(), Codes{"connection_failed"}) << Text(last_);
  }
}

class EndpointCalls : public EndpointAnswers {
 protected:
  void Call(absl::StatusOr<std::string> answer, int verify = SSL_VERIFY_NONE) {
    TlsServerOptions options = Healthy();
    options.alpn = {"h2"};
    options.verify = verify;
    const TlsServer server(options);
    options_.call = [&](const EndpointCall&) { return answer; };
    Examine(server.port());
  }
};

TEST_F(EndpointCalls, AServerThatDoesNotServeIsNotHealthy) {
  Call("NOT_SERVING");
  EXPECT_EQ(Faults(), Codes{"response_malformed"}) << Text(last_);
  Call("SERVING");
  EXPECT_EQ(Faults(), Codes{}) << Text(last_);
  options_.path = "/echo.SecurePing/Echo";
  Call("12 bytes");
  EXPECT_EQ(Faults(), Codes{}) << Text(last_);
}

TEST_F(EndpointCalls, ErrorsOfTheApplicationAreTold) {
  for (const absl::Status& broken :
       {absl::InternalError("db is down"), absl::UnknownError("?"), absl::DataLossError("")}) {
    options_.path = "";
    Call(broken);
    EXPECT_EQ(Faults(), Codes{"response_malformed"}) << Text(last_);
    options_.path = "/a.B/C";  // which may not take an empty message
    Call(broken);
    EXPECT_EQ(Faults(), Codes{}) << Text(last_);
    EXPECT_EQ(Warnings(), Codes{"response_malformed"}) << Text(last_);
  }
  Call(absl::InvalidArgumentError("no name"));
  EXPECT_EQ(Warnings(), Codes{"response_malformed"}) << Text(last_);
  EXPECT_NE(Text(last_).find("no name"), std::string::npos);
}

TEST_F(EndpointCalls, APortWithoutGrpcIsAFaultWhateverElseIsWrong) {
  const absl::Status no_grpc = MakeError(Reason::kProtocolMismatch, "it answered HTTP 404");
  Call(no_grpc);
  EXPECT_EQ(Faults(), Codes{"protocol_mismatch"}) << Text(last_);
  options_.server_name = *AlternativeName::Parse("other.example");
  Call(no_grpc);
  EXPECT_EQ(Faults(), (Codes{"name_mismatch", "protocol_mismatch"})) << Text(last_);
}

TEST_F(EndpointCalls, NobodyNeedsToBeAllowedTheHealthMethod) {
  for (const absl::Status& refusal :
       {MakeError(Reason::kPeerNotAuthenticated, "who"), absl::UnauthenticatedError("token"),
        MakeError(Reason::kRoleNotAllowed, "no"), absl::PermissionDeniedError("no")}) {
    options_.path = "";
    Call(refusal);
    EXPECT_EQ(Faults(), Codes{}) << Text(last_);
    EXPECT_EQ(Warnings().size(), 1U) << Text(last_);
    options_.path = "/a.B/C";
    Call(refusal);
    EXPECT_EQ(Faults().size(), 1U) << Text(last_);
  }
}

TEST_F(EndpointCalls, NoCallIsMadeOnceHttpHasSaidThatTheCertificateIsMissing) {
  TlsServerOptions options = Healthy();
  options.alpn = {"h2", "http/1.1"};
  options.verify = SSL_VERIFY_PEER;
  options.answer = [](SSL* /*ssl*/) {
    return HttpAnswer(400, "No required SSL certificate was sent");
  };
  const TlsServer server(options);
  bool was_called = false;
  options_.call = [&](const EndpointCall&) -> absl::StatusOr<std::string> {
    was_called = true;
    return MakeError(Reason::kProtocolMismatch, "it answered HTTP 400");
  };
  Examine(server.port());
  EXPECT_EQ(Faults(), Codes{"client_certificate_missing"}) << Text(last_);
  EXPECT_FALSE(was_called);
}

TEST_F(EndpointCalls, AServerDoesNotChooseWhatIsDoneWithFilesHere) {
  Call(MakeError(Reason::kKeyFileTooOpen, "your key"));
  EXPECT_EQ(Faults(), Codes{"response_malformed"}) << Text(last_);
  for (const Finding& finding : last_.findings) {
    EXPECT_EQ(finding.fix.find("chmod"), std::string::npos) << finding.fix;
  }
}

TEST_F(EndpointCalls, ACertificateThatAGuardMissesIsNotOptional) {
  Call(MakeError(Reason::kPeerNotAuthenticated, "this port requires one"), SSL_VERIFY_PEER);
  EXPECT_EQ(Faults(), Codes{"peer_not_authenticated"}) << Text(last_);
  EXPECT_EQ(Seen("client certificate"), "asked for, none shown");
}

}  // namespace
}  // namespace troth
