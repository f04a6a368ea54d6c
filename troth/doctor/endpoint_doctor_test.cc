#include "troth/doctor/endpoint_doctor.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "troth/doctor/endpoint_client_testing.h"
#include "troth/doctor/endpoint_testing.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using namespace testing;  // NOLINT: the helpers of three headers

// A write to a server's closed connection fails; it does not end the test.
const bool kPipesAreQuiet = std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;

TEST(EndpointDoctorTest, AHealthyEndpointIsCalledHealthyAndDescribed) {
  TlsServer server({.chain = {Make(ServerLeaf())}});
  Client client;
  client.Trust({Make(OldRoot())});
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_EQ(Warnings(diagnosis), Codes{}) << Text(diagnosis);
  EXPECT_EQ(Seen(diagnosis, "address"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_TRUE(Seen(diagnosis, "protocol").starts_with("TLSv1.3 with TLS_"));
  EXPECT_TRUE(Seen(diagnosis, "protocol").ends_with("ALPN http/1.1"));
  EXPECT_TRUE(Seen(diagnosis, "certificate").starts_with("'CN=server' for 127.0.0.1, localhost"));
  EXPECT_EQ(Seen(diagnosis, "client certificate"), "not asked for");
  EXPECT_EQ(Seen(diagnosis, "answer"), "HTTP 200");
}

struct ChainCase {
  std::string name;
  std::vector<Wanted> chain;
  std::vector<Wanted> trust;
  Codes faults;
  Codes warnings = {};
  std::string server_name = {};
  std::string key = "server";
};

std::vector<ChainCase> ChainCases() {
  std::vector<ChainCase> cases;
  const Wanted root = OldRoot();
  const auto add = [&](std::string name, std::vector<Wanted> chain, std::vector<Wanted> trust,
                       Codes faults) -> ChainCase& {
    cases.push_back({.name = std::move(name),
                     .chain = std::move(chain),
                     .trust = std::move(trust),
                     .faults = std::move(faults)});
    return cases.back();
  };
  const auto leaf = [](auto change, const std::string& issuer = "root") {
    Wanted wanted = ServerLeaf(issuer);
    change(wanted);
    return wanted;
  };
  const Wanted intermediate = Intermediate("intermediate", "root");

  add("chain with an intermediate", {ServerLeaf("intermediate"), intermediate}, {root}, {});
  add("chain incomplete, client has the intermediate", {ServerLeaf("intermediate")},
      {root, intermediate}, {"issuer_unknown"});
  add("chain incomplete", {ServerLeaf("intermediate")}, {root}, {"issuer_unknown"});
  add("chain in the wrong order",
      {ServerLeaf("lower"), intermediate, Intermediate("lower", "intermediate")}, {root}, {})
      .warnings = {"issuer_unknown"};
  add("root in place of the leaf", {[] {
        Wanted wanted = Root("root");
        wanted.names = {kLoopback};
        return wanted;
      }()},
      {root}, {"usage_not_allowed"})
      .key = "root";
  add("CA of the same name with another key", {leaf([](Wanted& w) {
        w.issuer_key = "other root";
        w.with_authority_key_id = false;
      })},
      {root}, {"signature_invalid"});
  add("another authority", {leaf([](Wanted&) {}, "stranger")}, {root}, {"issuer_unknown"});
  add("intermediate trusted alone", {ServerLeaf("intermediate"), intermediate}, {intermediate},
      {"issuer_unknown"});
  add("expired leaf", {leaf([](Wanted& w) {
        w.from = kNow - 100 * kDay;
        w.to = kNow - kDay;
      })},
      {root}, {"certificate_expired"});
  add("expired intermediate",
      {ServerLeaf("intermediate"),
       [&] {
         Wanted wanted = intermediate;
         wanted.from = kNow - 100 * kDay;
         wanted.to = kNow - kDay;
         return wanted;
       }()},
      {root}, {"certificate_expired"});
  add("expired CA", {ServerLeaf()}, {[&] {
        Wanted wanted = root;
        wanted.to = kNow - kDay;
        return wanted;
      }()},
      {"certificate_expired"});
  add("soon expired", {leaf([](Wanted& w) {
        w.from = kNow - 300 * kDay;
        w.to = kNow + 5 * kDay;
      })},
      {root}, {})
      .warnings = {"certificate_expired"};
  add("not yet valid", {leaf([](Wanted& w) {
        w.from = kNow + kDay;
        w.to = kNow + 10 * kDay;
      })},
      {root}, {"certificate_not_yet_valid"});
  add("expired and for another name", {leaf([](Wanted& w) {
        w.from = kNow - 100 * kDay;
        w.to = kNow - kDay;
        w.names = {{AlternativeName::Kind::kDns, "other.example"}};
      })},
      {root}, {"name_mismatch", "certificate_expired"});
  add("a common name only", {leaf([](Wanted& w) {
        w.subject = "127.0.0.1";
        w.key = "server";
        w.names = {};
      })},
      {root}, {"names_missing"});
  add("an address that is not among the names", {leaf([](Wanted& w) { w.names = {kLocalhost}; })},
      {root}, {"name_mismatch"});
  add("an address as a DNS name", {leaf([](Wanted& w) {
        w.names = {{AlternativeName::Kind::kDns, "127.0.0.1"}};
      })},
      {root}, {"name_mismatch"});
  const auto wildcard = [](Wanted& w) {
    w.names = {{AlternativeName::Kind::kDns, "*.example.com"}};
  };
  add("a wildcard", {leaf(wildcard)}, {root}, {}).server_name = "a.example.com";
  add("a wildcard for one label", {leaf(wildcard)}, {root}, {"name_mismatch"}).server_name =
      "a.b.example.com";
  add("another name expected", {ServerLeaf()}, {root}, {"name_mismatch"}).server_name =
      "db.example.com";
  add("usage missing", {leaf([](Wanted& w) { w.extended_key_usage = {kClientAuth}; })}, {root},
      {"usage_not_allowed"});
  add("self-signed", {leaf([](Wanted& w) { w.issuer_key = "server"; }, "server")}, {root},
      {"certificate_self_signed"});
  add("named like its CA", {leaf([](Wanted& w) {
        w.subject = "root";
        w.key = "server";
      })},
      {root}, {"certificate_self_signed"});
  add("SHA-1", {leaf([](Wanted& w) { w.sha1 = true; })}, {root}, {"algorithm_not_allowed"});
  add("issued by a leaf",
      {leaf([](Wanted&) {}, "middle"),
       [] {
         Wanted wanted = Leaf("root");
         wanted.subject = "middle";
         return wanted;
       }()},
      {root}, {"not_a_certificate_authority"});
  return cases;
}

TEST(EndpointDoctorTest, EveryFaultOfAChainIsFound) {
  for (const ChainCase& fault : ChainCases()) {
    SCOPED_TRACE(fault.name);
    const auto make = [](const std::vector<Wanted>& wanted) {
      std::vector<Certificate> out;
      for (const Wanted& one : wanted) out.push_back(Make(one));
      return out;
    };
    TlsServer server({.chain = make(fault.chain), .key = fault.key});
    Client client;
    client.Trust(make(fault.trust));
    if (!fault.server_name.empty()) {
      client.options.server_name = *AlternativeName::Parse(fault.server_name);
    }
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), fault.faults) << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), fault.warnings) << Text(diagnosis);
    for (const Finding& finding : diagnosis.findings) {
      EXPECT_FALSE(finding.title.empty() || finding.fix.empty());
    }
  }
}

TEST(EndpointDoctorTest, TheSealedListsOfTheAuthorityCount) {
  struct Case {
    std::string name;
    WantedCrl crl;
    Codes faults;
    Codes warnings = {};
  };
  for (const Case& one : std::vector<Case>{
           {"current", {}, {}},
           {"revoked", {.revoked = {{4711, 1}}}, {"certificate_revoked"}},
           {"expired", {.from = kNow - 9 * kDay, .to = kNow - kDay}, {"crl_expired"}},
           {"of another authority",
            {.issuer = "stranger"},
            {},
            {"issuer_unknown", "revocation_unknown"}},
       }) {
    SCOPED_TRACE(one.name);
    Wanted leaf = ServerLeaf();
    leaf.serial = 4711;
    TlsServer server({.chain = {Make(leaf)}});
    Client client;
    client.Trust({Make(OldRoot())});
    client.Check(MakeCrl(one.crl));
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), one.faults) << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), one.warnings) << Text(diagnosis);
  }
}

TEST(EndpointDoctorTest, AWeakKeyIsFound) {
  Client client;
  client.Trust({Make(OldRoot())});
  client.patient.GiveKey("ca.key", "root");
  client.patient.Run(
      "openssl req -new -newkey rsa:1024 -noenc -keyout weak.key -out weak.csr -subj /CN=server && "
      "echo subjectAltName=IP:127.0.0.1 > names && openssl x509 -req -in weak.csr -CA ca.pem "
      "-CAkey ca.key -days 3650 -extfile names -out weak.pem");
  const absl::StatusOr<Certificate> leaf =
      Certificate::FromPem(*ReadFile(client.patient.Path("weak.pem")));
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  client.options.now = leaf->validity().not_before + Seconds(60);
  TlsServer server({.chain = {*leaf}, .key_pem = *ReadFile(client.patient.Path("weak.key"))});
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{"key_too_weak"}) << Text(diagnosis);
}

TEST(EndpointDoctorTest, AServerThatIsTrustedByItsVeryCertificateIsHealthy) {
  Wanted wanted = ServerLeaf("server");
  wanted.issuer_key = "server";
  const Certificate leaf = Make(wanted);
  TlsServer server({.chain = {leaf}});
  Client client;
  client.Trust({leaf});
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
}

TEST(EndpointDoctorTest, WithoutATrustBundleTheChainIsJudgedByItself) {
  TlsServer server(
      {.chain = {Make(ServerLeaf("intermediate")), Make(Intermediate("intermediate", "root"))}});
  Client client;
  Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
  EXPECT_EQ(Warnings(diagnosis), Codes{"issuer_unknown"});
  EXPECT_EQ(Seen(diagnosis, "judged by"), "nobody: the chain by itself");

  // By the system's authorities, when they know it.
  client.patient.Give("system.pem", {Make(OldRoot())});
  client.options.system_trust_files = {client.patient.Path("none.pem"),
                                       client.patient.Path("system.pem")};
  diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
  EXPECT_EQ(Warnings(diagnosis), Codes{});
  EXPECT_TRUE(Seen(diagnosis, "judged by").starts_with("the authorities of this system (1 in "));
}

TEST(EndpointDoctorTest, EveryAddressOfTheNameIsLookedAt) {
  Wanted expired = ServerLeaf();
  expired.from = kNow - 100 * kDay;
  expired.to = kNow - kDay;
  const TlsServer good({.chain = {Make(ServerLeaf())}});
  const TlsServer old({.chain = {Make(expired)}}, 2, good.port());
  const TcpServer mute([](const Visitor& visitor) { visitor.Receive(); }, 3, good.port());
  Client client;
  client.Trust({Make(OldRoot())});
  // Nobody listens at the last.
  client.options.addresses = {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"};
  const Diagnosis diagnosis = client.Examine(good.port(), "localhost");
  const std::string subject = "localhost:" + std::to_string(good.port()) + " at 127.0.0.";
  std::vector<std::string> subjects;
  for (const Finding& finding : diagnosis.findings) {
    if (finding.severity == Severity::kFault)
      subjects.push_back(finding.subject.substr(0, subject.size() + 1));
  }
  EXPECT_EQ(Faults(diagnosis), (Codes{"certificate_expired", "handshake_failed"}))
      << Text(diagnosis);
  EXPECT_EQ(subjects, (std::vector<std::string>{subject + "2", subject + "3"}));
  EXPECT_NE(Text(diagnosis).find("note connection_failed"), std::string::npos) << Text(diagnosis);
}

struct ClientCase {
  std::string name;
  TlsServerOptions server;
  std::vector<Wanted> shown;
  Codes faults;
  std::string wish;
  Codes warnings = {};
};

std::vector<ClientCase> ClientCases() {
  const Certificate root = Make(OldRoot());
  const auto asking = [&](int verify, int most = TLS1_3_VERSION) {
    return TlsServerOptions{.chain = {Make(ServerLeaf())},
                            .most = most,
                            .verify = verify,
                            .client_authorities = {root}};
  };
  constexpr int kOptional = SSL_VERIFY_PEER;
  constexpr int kRequired = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  std::vector<ClientCase> cases;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const std::string by = version == TLS1_2_VERSION ? ", TLS 1.2" : ", TLS 1.3";
    const Wanted good = ClientLeaf();
    Wanted expired = good;
    expired.from = kNow - 100 * kDay;
    expired.to = kNow - kDay;
    Wanted server_only = good;
    server_only.extended_key_usage = {kServerAuth};
    cases.push_back({"required and none given" + by,
                     asking(kRequired, version),
                     {},
                     {"client_certificate_missing"},
                     "required, none shown"});
    cases.push_back({"required and given" + by,
                     asking(kRequired, version),
                     {good},
                     {},
                     "required, ours accepted"});
    cases.push_back({"optional and none given" + by,
                     asking(kOptional, version),
                     {},
                     {},
                     "optional, none shown"});
    cases.push_back({"optional and given" + by,
                     asking(kOptional, version),
                     {good},
                     {},
                     "optional, ours accepted"});
    cases.push_back({"of another authority" + by,
                     asking(kRequired, version),
                     {ClientLeaf("stranger")},
                     {"peer_rejected_certificate"},
                     "required, ours refused"});
    cases.push_back({"of another authority, where it is optional" + by,
                     asking(kOptional, version),
                     {ClientLeaf("stranger")},
                     {"peer_rejected_certificate"},
                     "optional, ours refused"});
    cases.push_back({"of a root that is only called alike" + by,
                     asking(kRequired, version),
                     {[] {
                       Wanted wanted = ClientLeaf();
                       wanted.issuer_key = "other root";
                       return wanted;
                     }()},
                     {"peer_rejected_certificate"},
                     "required, ours refused"});
    cases.push_back({"without its intermediate" + by,
                     asking(kRequired, version),
                     {ClientLeaf("intermediate")},
                     {"peer_rejected_certificate"},
                     "required, ours refused"});
    cases.push_back({"with its intermediate" + by,
                     asking(kRequired, version),
                     {ClientLeaf("intermediate"), Intermediate("intermediate", "root")},
                     {},
                     "required, ours accepted"});
    cases.push_back({"expired" + by,
                     asking(kRequired, version),
                     {expired},
                     {"certificate_expired", "peer_rejected_certificate"},
                     "required, ours refused"});
    cases.push_back({"for servers only" + by,
                     asking(kRequired, version),
                     {server_only},
                     {"usage_not_allowed", "peer_rejected_certificate"},
                     "required, ours refused"});
    ClientCase clock{"expired by the server's clock" + by,
                     asking(kRequired, version),
                     {good},
                     {"peer_rejected_certificate"},
                     "required, ours refused"};
    clock.server.clock = kNow + 365 * kDay;
    cases.push_back(clock);
    ClientCase revoked{"revoked" + by,
                       asking(kRequired, version),
                       {good},
                       {"peer_rejected_certificate"},
                       "required, ours refused"};
    revoked.shown[0].serial = 99;
    revoked.server.client_crls = {MakeCrl({.revoked = {{99, 0}}})};
    cases.push_back(revoked);
    ClientCase unnamed{"accepted, of an authority that is not named" + by,
                       asking(kRequired, version),
                       {ClientLeaf("stranger")},
                       {},
                       "required, ours accepted",
                       {"peer_rejected_certificate"}};
    unnamed.server.accepts_any = true;
    cases.push_back(unnamed);
  }
  return cases;
}

TEST(EndpointDoctorTest, WhatTheServerHasAgainstTheClientIsFound) {
  for (const ClientCase& one : ClientCases()) {
    SCOPED_TRACE(one.name);
    TlsServer server(one.server);
    Client client;
    client.Trust({Make(OldRoot())});
    std::vector<Certificate> shown;
    for (const Wanted& wanted : one.shown) shown.push_back(Make(wanted));
    if (!shown.empty()) client.Show(shown);
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), one.faults) << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), one.warnings) << Text(diagnosis);
    EXPECT_EQ(Seen(diagnosis, "client certificate"), one.wish);
    EXPECT_EQ(Seen(diagnosis, "accepted authorities"), "'CN=root'");
  }
}

TEST(EndpointDoctorTest, NginxSaysInHttpWhatItHasAgainstTheClient) {
  TlsServerOptions nginx{
      .chain = {Make(ServerLeaf())}, .verify = SSL_VERIFY_PEER, .accepts_any = true};
  nginx.answer = [](SSL* ssl) -> std::optional<std::string> {
    X509* shown = SSL_get1_peer_certificate(ssl);
    if (shown == nullptr) return HttpAnswer(400, "No required SSL certificate was sent");
    X509_free(shown);
    return HttpAnswer(400, "<title>400 The SSL certificate error</title>");
  };
  for (const std::vector<std::string>& alpn :
       {std::vector<std::string>{"http/1.1"}, std::vector<std::string>{"h2", "http/1.1"}}) {
    nginx.alpn = alpn;
    TlsServer server(nginx);
    Client client;
    client.Trust({Make(OldRoot())});
    Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{"client_certificate_missing"}) << Text(diagnosis);
    client.Show({Make(ClientLeaf())});
    diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{"peer_rejected_certificate"}) << Text(diagnosis);
    EXPECT_EQ(Seen(diagnosis, "client certificate"), "required, ours refused");
  }
}

TEST(EndpointDoctorTest, NginxAsTrothConfiguresItSaysWhatIsWrongWithTheCertificate) {
  const auto saying = [](const std::string& body) {
    TlsServerOptions nginx{
        .chain = {Make(ServerLeaf())}, .verify = SSL_VERIFY_PEER, .accepts_any = true};
    nginx.answer = [body](SSL*) { return HttpAnswer(400, body, "text/plain"); };
    return nginx;
  };
  Client client;
  client.Trust({Make(OldRoot())});
  {
    TlsServer server(saying("certificate: NONE\n"));
    EXPECT_EQ(Faults(client.Examine(server.port())), Codes{"client_certificate_missing"});
  }
  client.Show({Make(ClientLeaf())});
  TlsServer server(saying("certificate: FAILED:certificate revoked\n"));
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{"peer_rejected_certificate"}) << Text(diagnosis);
  EXPECT_NE(Text(diagnosis).find("certificate revoked"), std::string::npos) << Text(diagnosis);
}

TEST(EndpointDoctorTest, TheClientsOwnFaultsAreToldAsItsOwn) {
  TlsServer server({.chain = {Make(ServerLeaf())},
                    .verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                    .client_authorities = {Make(OldRoot())}});
  Client client;
  client.Trust({Make(OldRoot())});
  client.Show({Make(ClientLeaf())}, "another key");
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(FaultsOf(diagnosis), Codes{"key_mismatch client.key"}) << Text(diagnosis);
  EXPECT_EQ(Seen(diagnosis, "client certificate"), "required, none shown");
}

TEST(EndpointDoctorTest, ClocksThatDifferAreNoticed) {
  TlsServerOptions options{.chain = {Make(ServerLeaf())}};
  options.answer = [](SSL*) {
    return HttpAnswer(200, "", "text/plain", "Mon, 15 Jun 2026 02:00:00 GMT");
  };
  TlsServer server(options);
  Client client;
  client.Trust({Make(OldRoot())});
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_TRUE(diagnosis.healthy()) << Text(diagnosis);
  EXPECT_EQ(Warnings(diagnosis), Codes{"certificate_not_yet_valid"});

  // This machine is behind: everything seems to be of the future.
  client.options.now = kNow - 4000 * kDay;
  const Diagnosis behind = client.Examine(server.port());
  EXPECT_EQ(Faults(behind), Codes{"certificate_not_yet_valid"}) << Text(behind);
}

TEST(EndpointDoctorTest, AGuardsRefusalKeepsItsReason) {
  const auto refusing = [](const std::string& code) {
    TlsServerOptions options{.chain = {Make(ServerLeaf())}};
    options.answer = [code](SSL*) {
      return HttpAnswer(403, R"({"code":")" + code + R"(","detail":"you may not"})",
                        "application/problem+json");
    };
    return options;
  };
  Client client;
  client.Trust({Make(OldRoot())});
  {
    TlsServer server(refusing("role_not_allowed"));
    EXPECT_EQ(Faults(client.Examine(server.port())), Codes{"role_not_allowed"});
  }
  {
    TlsServerOptions behind_nginx{.chain = {Make(ServerLeaf())}};
    behind_nginx.answer = [](SSL*) {
      return HttpAnswer(403, "you may not [troth:role_not_allowed]\n", "text/plain");
    };
    TlsServer server(behind_nginx);
    EXPECT_EQ(Faults(client.Examine(server.port())), Codes{"role_not_allowed"});
  }
  TlsServer server(refusing("no_rule_matches"));
  EXPECT_EQ(Faults(client.Examine(server.port())), Codes{});
  EXPECT_EQ(Warnings(client.Examine(server.port())), Codes{"no_rule_matches"});
  client.options.path = "/packets";
  EXPECT_EQ(Faults(client.Examine(server.port())), Codes{"no_rule_matches"});
}

TEST(EndpointDoctorTest, GrpcNeedsHttp2) {
  Client client;
  client.Trust({Make(OldRoot())});
  std::vector<EndpointCall> calls;
  client.options.call = [&](const EndpointCall& call) -> absl::StatusOr<std::string> {
    calls.push_back({.target = call.target, .method = call.method});
    return "SERVING";
  };
  {
    TlsServer server({.chain = {Make(ServerLeaf())}, .alpn = {"h2"}});
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0].target, "ipv4:127.0.0.1:" + std::to_string(server.port()));
    EXPECT_EQ(calls[0].method, kHealthMethod);
    EXPECT_EQ(Seen(diagnosis, "call"), "passed: SERVING");
  }
  TlsServer server({.chain = {Make(ServerLeaf())}});
  EXPECT_EQ(Faults(client.Examine(server.port())), Codes{"protocol_mismatch"});
}

TEST(EndpointDoctorTest, WhatACallSaysIsJudged) {
  struct Case {
    absl::Status status;
    Codes faults;
    Codes warnings = {};
  };
  TlsServer server({.chain = {Make(ServerLeaf())}, .alpn = {"h2"}});
  for (const Case& one : std::vector<Case>{
           {absl::UnimplementedError("unknown service"), {}},
           {absl::NotFoundError("unknown service"), {}},
           {MakeError(Reason::kRoleNotAllowed, "you may not"), {}, {"role_not_allowed"}},
           {MakeError(Reason::kRuleDenied, "you may \x1b[2J not"), {"rule_denied"}},
           {MakeError(Reason::kNoRuleMatches, "nobody may"), {}, {"no_rule_matches"}},
           {MakeError(Reason::kPeerNotAuthenticated, "who"), {}, {"peer_not_authenticated"}},
           {absl::PermissionDeniedError("no"), {}, {"role_not_allowed"}},
           {absl::UnauthenticatedError("no"), {}, {"peer_not_authenticated"}},
           {absl::DeadlineExceededError(""), {"request_timeout"}},
           {absl::UnavailableError("gone"), {"connection_failed"}},
       }) {
    Client client;
    client.Trust({Make(OldRoot())});
    client.options.call = [&](const EndpointCall&) -> absl::StatusOr<std::string> {
      return one.status;
    };
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), one.faults) << one.status << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), one.warnings) << one.status << Text(diagnosis);
    EXPECT_EQ(Text(diagnosis).find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace troth
