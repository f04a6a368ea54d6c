#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "troth/doctor/endpoint_doctor.h"
#include "troth/doctor/endpoint_testing.h"
#include "troth/doctor/socket_internal.h"
#include "troth/http/tls_bytes_testing.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::FaultsOf;
using testing::HttpAnswer;
using testing::kNow;
using testing::Make;
using testing::TcpServer;
using testing::TlsServer;
using testing::TlsServerOptions;
using testing::Visitor;

using Codes = std::vector<std::string>;

EndpointOptions Options(milliseconds timeout = milliseconds(5000)) {
  return {.now = kNow, .timeout = timeout, .system_trust_files = {}};
}

Diagnosis Examine(std::uint16_t port, const EndpointOptions& options = Options()) {
  return ExamineEndpoint({.host = "127.0.0.1", .port = port}, options);
}

Codes FaultCodes(const Diagnosis& diagnosis) {
  Codes codes;
  for (const Finding& finding : diagnosis.findings) {
    if (finding.severity == Severity::kFault) codes.emplace_back(CodeOf(finding.reason));
  }
  return codes;
}

TlsServerOptions Healthy() {
  return {
      .chain = {Make({.subject = "server",
                      .issuer = "root",
                      .extended_key_usage = {std::string(kServerAuthOid)},
                      .names = {{AlternativeName::Kind::kIp, std::string("\x7f\0\0\x01", 4)}}})}};
}

// Answers the first bytes, whatever they are.
TcpServer::Serve Answering(const std::string& answer) {
  return [answer](const Visitor& visitor) {
    if (visitor.Receive().empty()) return;
    visitor.Send(answer);
    visitor.Linger();
  };
}

TcpServer::Serve Greeting(const std::string& banner) {
  return [banner](const Visitor& visitor) {
    visitor.Send(banner);
    visitor.Linger();
  };
}

TEST(EndpointProtocolsTest, WhatIsNotTlsIsCalledByItsName) {
  struct Case {
    std::string name;
    TcpServer::Serve serve;
    std::string says;
  };
  const std::string settings("\0\0\0\x04\0\0\0\0\0", 9);
  for (const Case& one : std::vector<Case>{
           {"HTTP", Answering(HttpAnswer(400)), "plain HTTP"},
           {"HTTP that waits for a whole line",
            [](const Visitor& visitor) {
              std::string request;
              while (request.find("\r\n\r\n") == std::string::npos) {
                const std::string more = visitor.Receive();
                if (more.empty()) return;
                request += more;
              }
              visitor.Send(HttpAnswer(200));
            },
            "plain HTTP"},
           {"gRPC", Greeting(settings), "HTTP/2 without TLS"},
           {"gRPC that waits for the preface",
            [settings](const Visitor& visitor) {
              if (!visitor.Receive().starts_with("PRI * HTTP/2.0")) return;
              visitor.Send(settings);
              visitor.Linger();
            },
            "HTTP/2 without TLS"},
           {"SSH", Greeting("SSH-2.0-OpenSSH_9.2p1\r\n"), "SSH"},
           {"SMTP", Greeting("220 mail.example ESMTP\r\n"), "SMTP"},
           {"something", Answering("what?\n"), "does not speak TLS"},
       }) {
    SCOPED_TRACE(one.name);
    TcpServer server(one.serve);
    const Diagnosis diagnosis = Examine(server.port(), Options(milliseconds(2000)));
    EXPECT_EQ(FaultCodes(diagnosis), Codes{"protocol_mismatch"}) << testing::Text(diagnosis);
    ASSERT_FALSE(diagnosis.findings.empty());
    EXPECT_NE(diagnosis.findings[0].title.find(one.says), std::string::npos)
        << diagnosis.findings[0].title;
  }
}

TEST(EndpointProtocolsTest, WhatTheDoctorRefusesItselfIsNotTakenForTheServersRefusal) {
  TcpServer server(Answering(testing::FlightWithSpoiltCertificate()));
  EXPECT_EQ(FaultCodes(Examine(server.port(), Options(milliseconds(2000)))),
            Codes{"handshake_failed"});
}

TEST(EndpointProtocolsTest, OldVersionsOfTlsAreFound) {
  TlsServerOptions only_old = Healthy();
  only_old.least = TLS1_VERSION;
  only_old.most = TLS1_VERSION;
  {
    TlsServer server(only_old);
    EXPECT_EQ(FaultCodes(Examine(server.port())), Codes{"protocol_mismatch"});
  }
  TlsServerOptions also_old = Healthy();
  also_old.least = TLS1_VERSION;
  TlsServer server(also_old);
  const Diagnosis diagnosis = Examine(server.port());
  EXPECT_TRUE(diagnosis.healthy()) << testing::Text(diagnosis);
  EXPECT_NE(testing::Text(diagnosis).find("warning protocol_mismatch"), std::string::npos);
}

TEST(EndpointProtocolsTest, TheVersionsThatAServerSpeaksAreTold) {
  struct Case {
    int least, most, verify;
    std::string versions;
  };
  constexpr int kRequired = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  for (const Case& one : std::vector<Case>{
           {TLS1_2_VERSION, TLS1_3_VERSION, SSL_VERIFY_NONE, "TLSv1.3, TLSv1.2"},
           {TLS1_2_VERSION, TLS1_3_VERSION, kRequired, "TLSv1.3, TLSv1.2"},
           {TLS1_3_VERSION, TLS1_3_VERSION, SSL_VERIFY_NONE, "TLSv1.3"},
           {TLS1_2_VERSION, TLS1_2_VERSION, SSL_VERIFY_NONE, "TLSv1.2"},
           {TLS1_VERSION, TLS1_3_VERSION, kRequired, "TLSv1.3, TLSv1.2, TLSv1.1"},
       }) {
    TlsServerOptions options = Healthy();
    options.least = one.least;
    options.most = one.most;
    options.verify = one.verify;
    TlsServer server(options);
    std::string versions;
    for (const Recognised& recognised : Examine(server.port()).recognised) {
      if (recognised.subject == "versions") versions = recognised.what;
    }
    EXPECT_EQ(versions, one.versions);
  }
}

TEST(EndpointProtocolsTest, AServerWithOtherProtocolsInTlsIsFound) {
  TlsServerOptions options = Healthy();
  options.alpn = {"imap"};
  options.alpn_is_required = true;
  TlsServer server(options);
  EXPECT_EQ(FaultCodes(Examine(server.port())), Codes{"protocol_mismatch"});
}

TEST(EndpointProtocolsTest, AServerThatDoesNotKnowTheNameIsFound) {
  TlsServerOptions options = Healthy();
  options.sni = "other.example";
  TlsServer server(options);
  EndpointOptions wanted = Options();
  wanted.server_name = *AlternativeName::Parse("db.example");
  EXPECT_EQ(FaultCodes(Examine(server.port(), wanted)), Codes{"name_mismatch"});
}

TEST(EndpointProtocolsTest, NothingThereIsSaid) {
  std::uint16_t port = 0;
  {
    TcpServer server([](const Visitor&) {});
    port = server.port();
  }
  EXPECT_EQ(FaultCodes(Examine(port)), Codes{"connection_failed"});
}

TEST(EndpointProtocolsTest, AnUnknownHostIsSaid) {
  const Diagnosis diagnosis =
      ExamineEndpoint({.host = "no-such-host.invalid", .port = 443}, Options(milliseconds(3000)));
  EXPECT_EQ(FaultCodes(diagnosis), Codes{"connection_failed"});
}

// Whatever the other side does, the answer is there in time.
TEST(EndpointProtocolsTest, NobodyKeepsTheDoctorWaiting) {
  constexpr milliseconds kTimeout(1500);
  struct Case {
    std::string name;
    TcpServer::Serve serve;
    std::string reason;
  };
  const auto flood = [](const std::string& begins) {
    return [begins](const Visitor& visitor) {
      std::string bytes = begins;
      bytes.resize(65536, 'x');
      while (!visitor.stopped() && visitor.Send(bytes)) {
      }
    };
  };
  const auto trickle = [](std::string bytes) {
    return [bytes](const Visitor& visitor) {
      for (size_t i = 0; !visitor.stopped(); i = (i + 1) % bytes.size()) {
        if (!visitor.Send(bytes.substr(i, 1))) return;
        std::this_thread::sleep_for(milliseconds(20));
      }
    };
  };
  const std::string record("\x16\x03\x03\x40\x00", 5);
  for (const Case& one : std::vector<Case>{
           {"silence", [](const Visitor& visitor) { visitor.Linger(); }, "connection_failed"},
           {"not even reading",
            [](const Visitor& visitor) {
              while (!visitor.stopped()) std::this_thread::sleep_for(milliseconds(5));
            },
            "connection_failed"},
           {"a trickle of TLS", trickle(record), "connection_failed"},
           {"a trickle of text", trickle("Hello, who is it? "), "protocol_mismatch"},
           {"a flood", flood("Hello"), "protocol_mismatch"},
           {"a flood of TLS", flood(record), "handshake_failed"},
           {"hanging up", [](const Visitor& visitor) { visitor.Receive(); }, "handshake_failed"},
       }) {
    SCOPED_TRACE(one.name);
    TcpServer server(one.serve);
    const auto begin = steady_clock::now();
    const Diagnosis diagnosis = Examine(server.port(), Options(kTimeout));
    EXPECT_LE(steady_clock::now() - begin, kTimeout + milliseconds(1000));
    EXPECT_EQ(FaultCodes(diagnosis), Codes{one.reason}) << testing::Text(diagnosis);
  }
}

TEST(EndpointProtocolsTest, AServerThatAnswersNoRequestIsHealthy) {
  TlsServerOptions options = Healthy();
  options.verify = SSL_VERIFY_PEER;
  options.accepts_any = true;
  options.answer = [](SSL*) { return std::optional<std::string>(); };  // hangs up when asked
  TlsServer server(options);
  const Diagnosis diagnosis = Examine(server.port());
  EXPECT_EQ(FaultCodes(diagnosis), Codes{}) << testing::Text(diagnosis);
}

TEST(EndpointProtocolsTest, ALookupThatHangsIsLeft) {
  std::promise<void> answer;
  std::promise<void> ended;
  const Resolved resolved = Resolve({.host = "db.example", .port = 1},
                                    steady_clock::now() + milliseconds(50), [&](const Endpoint&) {
                                      answer.get_future().wait();
                                      ended.set_value_at_thread_exit();
                                      return Resolved();
                                    });
  EXPECT_TRUE(resolved.timed_out);
  EXPECT_TRUE(resolved.addresses.empty());
  answer.set_value();
  ended.get_future().wait();
}

TEST(EndpointTest, IsReadAsItIsTyped) {
  EXPECT_EQ(Endpoint::Parse("db.example.com:443")->ToString(), "db.example.com:443");
  EXPECT_EQ(Endpoint::Parse("[::1]:8443")->ToString(), "[::1]:8443");
  EXPECT_EQ(Endpoint::Parse("[::1]:8443")->host, "::1");
  EXPECT_EQ(Endpoint::Parse("127.0.0.1:1")->port, 1);
  for (const char* wrong : {"", "db", "db:", ":443", "db:0", "db:65536", "db:4x", "::1:443",
                            "[db]:443", "https://db:443", "db:443/path", "a b:443", "-x y:1"}) {
    EXPECT_EQ(ReasonOf(Endpoint::Parse(wrong).status()), Reason::kUsageError) << wrong;
  }
}

}  // namespace
}  // namespace troth
