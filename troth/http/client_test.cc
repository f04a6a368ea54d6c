#include "troth/http/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "troth/http/http_testing.h"
#include "troth/http/tls_bytes_testing.h"
#include "troth/http/tls_context_internal.h"

namespace troth {
namespace {

using std::chrono::milliseconds;
using testing::CodeOfResult;
using testing::Get;
using testing::Https;
using testing::NewClient;
using testing::StartServer;
using testing::ThePki;
using testing::Trusting;
using testing::UrlOf;

// A server that does with its first connection what the test says.
class OddServer {
 public:
  explicit OddServer(std::function<void(int)> serve) {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    bind(listening_, reinterpret_cast<sockaddr*>(&at), sizeof at);
    listen(listening_, 8);
    getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &length);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const int connection = accept(listening_, nullptr, nullptr);
      if (connection < 0) return;
      serve(connection);
      close(connection);
    });
  }
  OddServer(const OddServer&) = delete;
  OddServer& operator=(const OddServer&) = delete;
  ~OddServer() {
    shutdown(listening_, SHUT_RDWR);
    thread_.join();
    close(listening_);
  }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

  static void Drain(int connection) {
    std::array<char, 4096> buffer{};
    while (recv(connection, buffer.data(), buffer.size(), 0) > 0) {
    }
  }
  static void Say(int connection, std::string_view text) {
    send(connection, text.data(), text.size(), MSG_NOSIGNAL);
  }

 private:
  int listening_ = -1;
  int port_ = 0;
  std::thread thread_;
};

TEST(HttpClientTest, NeedsExactlyOneTrust) {
  const Sha256Digest digest{};
  for (const HttpTrust& trust :
       {HttpTrust{}, HttpTrust{.bundle = ThePki().bundle(), .system = true},
        HttpTrust{.root_fingerprint = digest, .system = true},
        HttpTrust{.bundle = ThePki().bundle(), .root_fingerprint = digest},
        HttpTrust{.bundle = TrustBundle()}}) {
    EXPECT_EQ(CodeOfResult(HttpClient::Create({.trust = trust})), "usage_error");
  }
}

TEST(HttpClientTest, AnIdentitySourceStandsForTrustAndIdentity) {
  HttpClientOptions options;
  options.identity_source = MemoryIdentitySource::Create(ThePki().NewIdentity("device-7"));
  EXPECT_EQ(CodeOfResult(HttpClient::Create(options)), "ok");
  options.identity = ThePki().NewIdentity("device-8");
  EXPECT_EQ(CodeOfResult(HttpClient::Create(options)), "usage_error");
  options.identity = nullptr;
  options.trust.bundle = ThePki().bundle();
  EXPECT_EQ(CodeOfResult(HttpClient::Create(options)), "usage_error");
}

// A server that knows its clients, and a client whose identity changes.
class RotatingHttpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    GuardOptions guard;
    guard.policy_text = "[[rules]]\nmethods = [\"GET /\"]\nallow = [\"anyone\"]\n";
    auto options = Https();
    options.guard = testing::Must(Guard::Create(std::move(guard)));
    server_ = StartServer(std::move(options), [](const auto& request, const auto& respond) {
      respond(
          HttpResponse{.body = request->peer == nullptr
                                   ? "none"
                                   : request->peer->certificate.value().serial_number().ToHex()});
    });
    HttpClientOptions client;
    client.identity_source = source_;
    client.server_name = "localhost";
    client_ = NewClient(std::move(client));
  }
  // The serial number of the certificate that the server saw; the reason when there was no answer.
  std::string Seen() {
    const auto answer = Get(*client_, *server_);
    return answer.ok() ? answer->body : CodeOfResult(answer);
  }
  static std::string SerialOf(const Identity& identity) {
    return identity.leaf().serial_number().ToHex();
  }

  std::shared_ptr<const Identity> first_ = ThePki().NewIdentity("device-7");
  std::shared_ptr<MemoryIdentitySource> source_ = MemoryIdentitySource::Create(first_);
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(RotatingHttpClientTest, TheNextRequestShowsARenewedCertificate) {
  EXPECT_EQ(Seen(), SerialOf(*first_));
  EXPECT_EQ(Seen(), SerialOf(*first_));
  EXPECT_EQ(server_->Statistics().accepted, 1U);  // kept while nothing changes
  const auto renewed = ThePki().NewIdentity("device-7");
  source_->Set(renewed);
  EXPECT_EQ(Seen(), SerialOf(*renewed));
  EXPECT_EQ(Seen(), SerialOf(*renewed));
  EXPECT_EQ(server_->Statistics().accepted, 2U);
  EXPECT_TRUE(testing::Eventually([&] { return server_->Statistics().open == 1; }));
}

TEST_F(RotatingHttpClientTest, AKeptConnectionDoesNotOutliveTheTrustThatItWasMadeWith) {
  const TestAuthority other("other", testing::ValidForYears());
  const auto trusting = [](const std::string& pem) {
    Identity::Parts parts;
    parts.trust_bundle_pem = pem;
    return testing::Must(Identity::Create(parts, testing::Now()));
  };
  EXPECT_EQ(Seen(), SerialOf(*first_));
  source_->Set(trusting(other.pem()));
  EXPECT_EQ(Seen(), "issuer_unknown");
  source_->Set(trusting(ThePki().root.pem()));
  EXPECT_EQ(Seen(), "none");
  source_->Set(first_);
  EXPECT_EQ(Seen(), SerialOf(*first_));
}

TEST(HttpClientTest, BelievesServersAsItsTrustSays) {
  const auto server = StartServer(Https());
  const TestAuthority other("other", testing::ValidForYears());
  const auto ask = [&](HttpTrust trust, const std::string& name) {
    return CodeOfResult(Get(*NewClient({.trust = std::move(trust), .server_name = name}), *server));
  };
  const HttpTrust bundle = {.bundle = ThePki().bundle()};
  const HttpTrust fingerprint = {.root_fingerprint = ThePki().root.certificate().fingerprint()};
  EXPECT_EQ(ask(bundle, "localhost"), "ok");
  EXPECT_EQ(ask(fingerprint, "localhost"), "ok");
  EXPECT_EQ(ask(bundle, ""), "name_mismatch");  // it is not called 127.0.0.1
  EXPECT_EQ(ask(fingerprint, "ca.example"), "name_mismatch");
  EXPECT_EQ(ask({.bundle = TrustBundle::FromCertificates({other.certificate()})}, "localhost"),
            "issuer_unknown");
  EXPECT_EQ(ask({.root_fingerprint = other.certificate().fingerprint()}, "localhost"),
            "issuer_unknown");
  EXPECT_EQ(ask({.system = true}, "localhost"), "issuer_unknown");
}

TEST(HttpClientTest, RefusesServersWhoseTimeIsNotNow) {
  const auto source = MemoryIdentitySource::Create(ThePki().NewIdentity("localhost"));
  const auto server = StartServer({.identity = source});
  source->Set(
      ThePki().IdentityOf(ThePki().Issue("localhost", {testing::Now() - std::chrono::hours(3),
                                                       testing::Now() - std::chrono::hours(1)})));
  EXPECT_EQ(CodeOfResult(Get(*NewClient(), *server)), "certificate_expired");
  source->Set(
      ThePki().IdentityOf(ThePki().Issue("localhost", {testing::Now() + std::chrono::hours(1),
                                                       testing::Now() + std::chrono::hours(3)})));
  EXPECT_EQ(CodeOfResult(Get(*NewClient(), *server)), "certificate_not_yet_valid");
}

TEST(HttpClientTest, SendsAndReceivesTheWholeMessage) {
  std::shared_ptr<const HttpRequest> seen;
  const auto server = StartServer(
      {.identity = Https().identity, .threads = 1}, [&](const auto& request, const auto& respond) {
        seen = request;
        respond(HttpResponse{.status = 418,
                             .fields = {{"X-One", "1"}, {"X-Two", ""}, {"X-One", "2"}},
                             .body = "body"});
      });
  auto options = Trusting();
  options.user_agent = "troth-test/1 (client-7)";
  const auto client = NewClient(std::move(options));
  const auto answer = client->Send({.method = "PATCH",
                                    .url = UrlOf(*server, "/a%20b?c=%2F"),
                                    .fields = {{"If-Modified-Since", "yesterday"}, {"Empty", ""}},
                                    .body = std::string("a\0b", 3)});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 418);
  EXPECT_EQ(answer->body, "body");
  const HttpRequest fields{.fields = answer->fields};
  EXPECT_EQ(fields.Field("x-one"), "1");
  EXPECT_EQ(fields.Field("x-two"), "");
  EXPECT_EQ(std::ranges::count(answer->fields, std::pair<std::string, std::string>("X-One", "2")),
            1);
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->method, "PATCH");
  EXPECT_EQ(seen->target, "/a%20b?c=%2F");
  EXPECT_EQ(seen->body, std::string("a\0b", 3));
  EXPECT_EQ(seen->Field("User-Agent"), "troth-test/1 (client-7)");
  EXPECT_EQ(seen->Field("If-Modified-Since"), "yesterday");
  EXPECT_EQ(seen->Field("Empty"), "");
  EXPECT_EQ(seen->Field("Content-Type"), std::nullopt);
  EXPECT_EQ(seen->Field("Expect"), std::nullopt);
}

TEST(HttpClientTest, LargeBodiesAreSentWithoutWaiting) {
  std::atomic<bool> expects = true;
  auto options = Https();
  options.limits.body_bytes = size_t{8} << 20;
  const auto server =
      StartServer(std::move(options), [&](const auto& request, const auto& respond) {
        expects = request->Field("Expect").has_value();
        respond(HttpResponse{.body = std::to_string(request->body.size())});
      });
  const auto answer = NewClient()->Send(
      {.method = "PUT", .url = UrlOf(*server, "/"), .body = std::string(5'000'000, 'x')});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "5000000");
  EXPECT_FALSE(expects);
}

TEST(HttpClientTest, MethodsAreSentAsTheyAre) {
  const auto server = StartServer(Https());
  const auto client = NewClient();
  for (const std::string method : {"GET", "POST", "HEAD", "PUT", "DELETE", "GET", "OPTIONS"}) {
    const auto answer = client->Send({.method = method, .url = UrlOf(*server, "/")});
    ASSERT_TRUE(answer.ok()) << method << answer.status();
    EXPECT_EQ(answer->body, method == "HEAD" ? "" : method + " / anonymous ");
  }
  EXPECT_EQ(server->Statistics().accepted, 1U);
}

TEST(HttpClientTest, ComesBackWhenTheServerHasClosedItsConnection) {
  auto options = Https();
  options.limits.idle = milliseconds(40);
  const auto server = StartServer(std::move(options));
  const auto client = NewClient();
  for (int i = 0; i < 2; ++i) {
    const auto answer =
        client->Send({.method = "POST", .url = UrlOf(*server, "/"), .body = "again"});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(testing::Eventually([&] { return server->Statistics().open == 0; }));
  }
  EXPECT_EQ(server->Statistics().accepted, 2U);
}

TEST(HttpClientTest, FollowsNoRedirectAndUsesNoProxy) {
  const auto server = StartServer(Https(), [](const auto& /*request*/, const auto& respond) {
    respond(HttpResponse{.status = 302, .fields = {{"Location", "https://127.0.0.1:1/"}}});
  });
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) {
    setenv(name, "http://127.0.0.1:1", 1);
  }
  const auto answer = Get(*NewClient(), *server);
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) unsetenv(name);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 302);
}

TEST(HttpClientTest, MisuseIsToldBeforeAnythingIsSent) {
  const auto server = StartServer(Https());
  const auto client = NewClient();
  const std::string good = UrlOf(*server, "/");
  for (const HttpClientRequest& request :
       {HttpClientRequest{.url = ""}, HttpClientRequest{.url = "http://" + server->address()},
        HttpClientRequest{.url = "ftp://a/"}, HttpClientRequest{.url = "ca.example:8443"},
        HttpClientRequest{.url = "https://user:secret@127.0.0.1/"},
        HttpClientRequest{.url = "https://a b/"}, HttpClientRequest{.url = good + "\r\nX: y"},
        HttpClientRequest{.method = "GET /x", .url = good},
        HttpClientRequest{.method = "", .url = good},
        HttpClientRequest{.url = good, .fields = {{"X", "a\r\nY: b"}}},
        HttpClientRequest{.url = good, .fields = {{"X: y", "a"}}},
        HttpClientRequest{.url = good, .fields = {{"", "a"}}}}) {
    const auto answer = client->Send(request);
    EXPECT_EQ(CodeOfResult(answer), "usage_error") << request.url;
    EXPECT_EQ(std::string(answer.status().message()).find("secret"), std::string::npos);
  }
  EXPECT_EQ(server->Statistics().accepted, 0U);
}

TEST(HttpClientTest, AnswersThatAreTooLargeAreRefused) {
  const auto server = StartServer(Https(), [](const auto& request, const auto& respond) {
    respond(HttpResponse{.body = std::string(request->path == "/large" ? 1001 : 1000, 'x')});
  });
  auto options = Trusting();
  options.max_body_bytes = 1000;
  const auto client = NewClient(std::move(options));
  EXPECT_EQ(CodeOfResult(Get(*client, *server, "/large")), "response_too_large");
  EXPECT_EQ(CodeOfResult(Get(*client, *server, "/")), "ok");
}

TEST(HttpClientTest, ShowsItsCertificateWhenAsked) {
  const auto server = StartServer(Https(), [](const auto& request, const auto& respond) {
    respond(HttpResponse{.body = request->peer == nullptr ? "" : request->peer->Describe()});
  });
  GuardOptions guard;
  guard.policy_text = "[[rules]]\nmethods = [\"GET /\"]\nallow = [\"authenticated\"]\n";
  auto options = Https();
  options.guard = testing::Must(Guard::Create(std::move(guard)));
  const auto guarded = StartServer(std::move(options));
  const auto client = NewClient(Trusting(ThePki().NewIdentity("device-7")));
  EXPECT_EQ(Get(*client, *guarded)->body, "GET / device-7 ");
  EXPECT_EQ(Get(*NewClient(), *guarded)->status, 401);
}

TEST(HttpClientTest, FailuresOfTheNetworkSayWhatToDo) {
  auto options = Trusting();
  options.timeout = milliseconds(300);
  const auto client = NewClient(options);
  std::string closed;
  {
    const auto server = StartServer(Https());
    closed = UrlOf(*server, "/");
  }
  EXPECT_EQ(CodeOfResult(client->Send({.url = closed})), "connection_failed");
  options.server_name = "";
  EXPECT_EQ(CodeOfResult(NewClient(options)->Send({.url = "https://no-such-host.invalid/"})),
            "connection_failed");

  std::vector<HttpRespond> kept;
  const auto slow =
      StartServer(Https(), [&](const auto&, const auto& respond) { kept.push_back(respond); });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOfResult(Get(*client, *slow)), "connection_failed");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));

  const OddServer silent(OddServer::Drain);
  EXPECT_EQ(CodeOfResult(client->Send({.url = silent.url()})), "connection_failed");
}

TEST(HttpClientTest, ARequestThatIsGivenUpEndsWithinASecondOrTwo) {
  const OddServer silent(OddServer::Drain);  // accepts, and never says a word
  std::atomic<bool> give_up = false;
  auto options = Trusting();
  options.give_up = [&] { return give_up.load(); };
  const auto client = NewClient(options);
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(50));
    give_up = true;
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOfResult(client->Send({.url = silent.url()})), "connection_failed");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));  // of 30
  later.join();
}

TEST(HttpClientTest, ServersThatSpeakSomethingElseAreRecognized) {
  const auto client = NewClient();
  const auto plain = StartServer({});
  EXPECT_EQ(CodeOfResult(Get(*client, *plain)), "protocol_mismatch");
  const OddServer ssh([](int connection) {
    OddServer::Say(connection, "SSH-2.0-OpenSSH_9.2\r\n");
    OddServer::Drain(connection);
  });
  EXPECT_EQ(CodeOfResult(client->Send({.url = ssh.url()})), "protocol_mismatch");
  const OddServer rude([](int /*connection*/) {});
  EXPECT_EQ(CodeOfResult(client->Send({.url = rude.url()})), "handshake_failed");
}

TEST(HttpClientTest, WhatItRefusesItselfIsNotTakenForTheServersRefusal) {
  const OddServer spoilt([](int connection) {
    OddServer::Say(connection, testing::FlightWithSpoiltCertificate());
    OddServer::Drain(connection);
  });
  EXPECT_EQ(CodeOfResult(NewClient()->Send({.url = spoilt.url()})), "handshake_failed");
}

// Shakes hands as "localhost" on a connection, then does what the test says.
struct OddTls {
  int most = TLS1_3_VERSION;
  bool strict = false;  // insists on a client certificate of the system's roots, as nginx may
  std::string says = {};
  bool hangs_up = false;  // as soon as the request comes

  void operator()(int connection) const {
    const auto identity = ThePki().NewIdentity("localhost");
    const TlsContext context = testing::Must(MakeTlsContext(*identity, testing::Now()));
    SSL_CTX_set_max_proto_version(context.get(), most);
    if (most < TLS1_2_VERSION) {
      SSL_CTX_set_min_proto_version(context.get(), most);
      SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
    }
    SSL_CTX_set_cert_verify_callback(context.get(), nullptr, nullptr);
    SSL_CTX_set_verify(context.get(),
                       strict ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                       nullptr);
    SSL* const ssl = SSL_new(context.get());
    SSL_set_fd(ssl, connection);
    if (SSL_accept(ssl) == 1) {
      std::array<char, 4096> request{};
      SSL_read(ssl, request.data(), request.size());
      // The client may hang up in the middle of it.
      signal(SIGPIPE, SIG_IGN);
      SSL_write(ssl, says.data(), static_cast<int>(says.size()));
      signal(SIGPIPE, SIG_DFL);
    }
    if (!hangs_up) {
      // The client may still be writing its request.
      shutdown(connection, SHUT_WR);
      OddServer::Drain(connection);
    }
    SSL_free(ssl);
  }
};

TEST(HttpClientTest, AServerOfAnOldTlsIsToldFromOneThatHangsUp) {
  EXPECT_EQ(CodeOfResult(NewClient()->Send({.url = OddServer(OddTls{.most = TLS1_VERSION}).url()})),
            "protocol_mismatch");
}

TEST(HttpClientTest, WhatAServerSaysOfOurCertificateIsTold) {
  const auto stranger = testing::Pki().NewIdentity("stranger");
  EXPECT_EQ(CodeOfResult(NewClient()->Send({.url = OddServer(OddTls{.strict = true}).url()})),
            "client_certificate_missing");
  EXPECT_EQ(CodeOfResult(NewClient()->Send(
                {.url = OddServer(OddTls{.most = TLS1_2_VERSION, .strict = true}).url()})),
            "handshake_failed");  // an alert that says nothing
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(
        CodeOfResult(NewClient(Trusting(stranger))
                         ->Send({.url = OddServer(OddTls{.most = version, .strict = true}).url()})),
        "peer_rejected_certificate");
  }
}

TEST(HttpClientTest, AnswersThatAreNoHttpAreMalformed) {
  const auto client = NewClient();
  for (const std::string answer : {"nonsense\r\n\r\n", "HTTP/1.1 nonsense\r\n\r\n"}) {
    const OddServer odd(OddTls{.says = answer});
    EXPECT_EQ(CodeOfResult(client->Send({.url = odd.url()})), "response_malformed") << answer;
  }
  const OddServer short_of(OddTls{.says = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"});
  EXPECT_EQ(CodeOfResult(client->Send({.url = short_of.url()})), "connection_failed");
  const OddServer endless(OddTls{.says = "HTTP/1.1 200 OK\r\nX: " + std::string(300'000, 'x')});
  EXPECT_NE(CodeOfResult(client->Send({.url = endless.url()})), "ok");
}

TEST(HttpClientTest, AServerThatHangsUpDuringAnUploadDoesNotEndTheProgram) {
  for (int i = 0; i < 5; ++i) {
    const OddServer odd(OddTls{.hangs_up = true});
    EXPECT_EQ(CodeOfResult(NewClient()->Send(
                  {.method = "PUT", .url = odd.url(), .body = std::string(20'000'000, 'x')})),
              "connection_failed");
  }
}

}  // namespace
}  // namespace troth
