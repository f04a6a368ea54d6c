// Identities, trust, time and policy change while connections are open.
#include <grpc/grpc_security.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "troth/base/file.h"
#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::TestAuthority;

class Rotation : public ::testing::Test {
 protected:
  KeyPair NewServer(const std::string& name) const {
    return ours_.Issue({.common_name = name, .names = {name, "localhost", "127.0.0.1"}});
  }
  std::shared_ptr<grpc::Channel> ConnectExpecting(const testing::TestServer& server,
                                                  const KeyPair& expected) const {
    return testing::Connect(
        server.target(),
        ChannelCredentials(client_,
                           {.server = ExpectPinned({expected.certificate.fingerprint()})}));
  }

  const TestAuthority ours_{"ours"};
  const TestAuthority other_{"other"};
  const std::shared_ptr<MemoryIdentitySource> server_ =
      testing::SourceOf(NewServer("server"), ours_.Pem());
  const std::shared_ptr<MemoryIdentitySource> client_ =
      testing::SourceOf(ours_.Issue({.common_name = "client", .names = {"client"}}), ours_.Pem());
};

TEST_F(Rotation, AServersNextConnectionUsesItsNewCertificate) {
  testing::TestServer server(
      ServerCredentials(server_, testing::GuardOf(testing::kAuthenticatedMayAll)));
  const auto open = testing::Connect(server.target(), ChannelCredentials(client_));
  ASSERT_TRUE(testing::Say(open).status.ok());
  for (int i = 0; i < 20; ++i) {
    const KeyPair renewed = NewServer("server" + std::to_string(i));
    server_->Set(testing::IdentityOf(renewed, ours_.Pem()));
    EXPECT_TRUE(testing::Say(ConnectExpecting(server, renewed)).status.ok()) << i;
    EXPECT_TRUE(testing::Say(open).status.ok()) << "an open connection stays";
  }
}

TEST_F(Rotation, AServerThatAsksWithoutVerifyingHasItsNewCertificateWithinTwoSeconds) {
  testing::TestServer server(ServerCredentials(server_,
                                               testing::GuardOf(testing::kAuthenticatedMayAll),
                                               {.verification = Verification::kAtFirstCall}));
  const KeyPair renewed = NewServer("renewed");
  server_->Set(testing::IdentityOf(renewed, ours_.Pem()));
  EXPECT_TRUE(testing::Eventually(
      [&] { return testing::Say(ConnectExpecting(server, renewed)).status.ok(); },
      std::chrono::milliseconds(2500)));
}

TEST_F(Rotation, AClientsNewConnectionsUseItsNewCertificateWithinTwoSeconds) {
  testing::TestServer server(
      ServerCredentials(server_, testing::GuardOf(testing::kAuthenticatedMayAll)));
  const auto credentials = ChannelCredentials(client_);
  ASSERT_EQ(testing::Say(testing::Connect(server.target(), credentials)).text, "client");
  client_->Set(testing::IdentityOf(ours_.Issue({.common_name = "renewed", .names = {"renewed"}}),
                                   ours_.Pem()));
  EXPECT_TRUE(testing::Eventually(
      [&] {
        const testing::Answer answer = testing::Say(testing::Connect(server.target(), credentials));
        EXPECT_TRUE(answer.status.ok()) << answer.status;
        return answer.text == "renewed";
      },
      std::chrono::milliseconds(2500)));
}

TEST_F(Rotation, AClientTrustsANewAuthorityAtOnce) {
  const KeyPair foreign = other_.Issue({.common_name = "s", .names = {"127.0.0.1"}});
  testing::TestServer server(ServerCredentials(testing::SourceOf(foreign, ours_.Pem()),
                                               testing::GuardOf(testing::kAuthenticatedMayAll)));
  const auto credentials = ChannelCredentials(client_);
  const auto ask = [&] {
    return testing::CodeOfAnswer(
        testing::Say(testing::Connect(server.target(), credentials)).status);
  };
  EXPECT_EQ(ask(), "issuer_unknown");
  const KeyPair same = ours_.Issue({.common_name = "client", .names = {"client"}});
  client_->Set(testing::IdentityOf(same, ours_.Pem() + other_.Pem()));
  EXPECT_EQ(ask(), "ok");
}

TEST_F(Rotation, ANewSnapshotWithoutACertificateChangesNothing) {
  testing::TestServer server(
      ServerCredentials(server_, testing::GuardOf(testing::kAuthenticatedMayAll)));
  const auto credentials = ChannelCredentials(client_);
  const testing::LogCapture log;
  server_->Set(testing::TrustOnly(ours_.Pem()));
  client_->Set(testing::TrustOnly(ours_.Pem()));
  EXPECT_EQ(testing::Say(testing::Connect(server.target(), credentials)).text, "client");
  EXPECT_TRUE(log.Has("the newest identity cannot serve")) << log.text();
  EXPECT_TRUE(log.Has("a channel keeps its old certificate")) << log.text();
}

TEST_F(Rotation, WithdrawnTrustRefusesTheNextCallOnAnOpenConnection) {
  for (const Verification verification : {Verification::kAtHandshake, Verification::kAtFirstCall}) {
    const auto source = testing::SourceOf(NewServer("server"), ours_.Pem() + other_.Pem());
    testing::TestServer server(ServerCredentials(
        source, testing::GuardOf(testing::kAuthenticatedMayAll), {.verification = verification}));
    const auto foreign = testing::SourceOf(
        other_.Issue({.common_name = "foreign", .names = {"foreign"}}), ours_.Pem());
    const auto open = testing::Connect(server.target(), ChannelCredentials(foreign));
    ASSERT_EQ(testing::Say(open).text, "foreign");
    source->Set(testing::IdentityOf(NewServer("server"), ours_.Pem()));
    EXPECT_EQ(testing::CodeOfAnswer(testing::Say(open).status), "issuer_unknown");
    EXPECT_EQ(testing::Say(open).raw.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
}

TEST_F(Rotation, AnExpiredCertificateRefusesTheNextCallOnAnOpenConnection) {
  testing::MovedClock clock;
  testing::TestServer server(
      ServerCredentials(server_, testing::GuardOf(testing::kAuthenticatedMayAll, clock)));
  const auto open = testing::Connect(server.target(), ChannelCredentials(client_));
  ASSERT_TRUE(testing::Say(open).status.ok());
  clock.Move(testing::hours(23));
  EXPECT_TRUE(testing::Say(open).status.ok());
  clock.Move(testing::hours(2));
  EXPECT_EQ(testing::CodeOfAnswer(testing::Say(open).status), "certificate_expired");
}

TEST_F(Rotation, AChangedPolicyCountsForTheNextCallOnAnOpenConnection) {
  const std::string path =
      ::testing::TempDir() + "troth_rotation_test_" + std::to_string(getpid()) + "_policy.toml";
  ASSERT_TRUE(
      WriteFile(path, testing::kAuthenticatedMayAll, {.overwrite = Overwrite::kReplace}).ok());
  GuardOptions options;
  options.policy_file = path;
  const auto guard = testing::Must(Guard::Create(std::move(options)));
  testing::TestServer server(ServerCredentials(server_, guard));
  const auto open = testing::Connect(server.target(), ChannelCredentials(client_));
  ASSERT_TRUE(testing::Say(open).status.ok());
  ASSERT_TRUE(WriteFile(path,
                        "[roles]\nboss = { dns = \"boss\" }\n[[rules]]\nmethods = [\"/*\"]\n"
                        "allow = [\"boss\"]\n",
                        {.overwrite = Overwrite::kReplace})
                  .ok());
  ASSERT_TRUE(guard->Reload().ok());
  EXPECT_EQ(testing::CodeOfAnswer(testing::Say(open).status), "role_not_allowed");
  std::filesystem::remove(path);
}

class Revocation : public Rotation {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    Revoke({});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // Replaces the list.
  void Revoke(const std::vector<Certificate>& certificates) {
    const Time now = Clock::System().Now();
    CrlTemplate what{.this_update = now - testing::hours(1) + Seconds(number_),
                     .next_update = now + testing::hours(1),
                     .number = ++number_};
    for (const Certificate& certificate : certificates) {
      what.entries.push_back({.serial = certificate.serial_number(), .revoked_at = now});
    }
    ASSERT_TRUE(WriteFile(list_, testing::Must(IssueCrl(what, ours_.signer())).ToPem(),
                          {.overwrite = Overwrite::kReplace})
                    .ok());
  }
  std::shared_ptr<Guard> NewGuard() const {
    GuardOptions options;
    options.policy_text = testing::kAuthenticatedMayAll;
    options.crl_paths = {list_};
    options.poll_interval = std::chrono::milliseconds(50);
    return testing::Must(Guard::Create(std::move(options)));
  }

  const std::string folder_ =
      ::testing::TempDir() + "troth_revocation_test_" + std::to_string(getpid());
  const std::string list_ = folder_ + "/ca.crl";
  std::uint64_t number_ = 0;
  const KeyPair peer_ = ours_.Issue({.common_name = "peer", .names = {"peer"}});
};

TEST_F(Revocation, RefusesTheNextCallOnAnOpenConnection) {
  for (const Verification verification : {Verification::kAtHandshake, Verification::kAtFirstCall}) {
    Revoke({});
    testing::TestServer server(
        ServerCredentials(server_, NewGuard(), {.verification = verification}));
    const auto revoked = testing::Connect(
        server.target(), ChannelCredentials(testing::SourceOf(peer_, ours_.Pem())));
    const auto other = testing::Connect(server.target(), ChannelCredentials(client_));
    ASSERT_EQ(testing::Say(revoked).text, "peer");
    ASSERT_EQ(testing::Say(other).text, "client");
    Revoke({peer_.certificate});
    // By the watched file alone.
    EXPECT_TRUE(testing::Eventually([&] { return !testing::Say(revoked).raw.ok(); }));
    const testing::Answer answer = testing::Say(revoked);
    EXPECT_EQ(testing::CodeOfAnswer(answer.status), "certificate_revoked");
    EXPECT_EQ(answer.raw.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    const int calls = server.service.calls;
    (void)testing::Say(revoked);
    EXPECT_EQ(server.service.calls, calls);
    EXPECT_EQ(testing::Say(other).text, "client");
  }
}

// A client whose connections, one a call, resume the TLS session of the last.
class ResumingClient {
 public:
  ResumingClient(std::string target, const KeyPair& pair, const std::string& roots)
      : target_(std::move(target)) {
    options_.pem_root_certs = roots;
    options_.pem_cert_chain = pair.chain_pem;
    options_.pem_private_key = pair.key_pem;
  }
  ~ResumingClient() { grpc_ssl_session_cache_destroy(sessions_); }
  ResumingClient(const ResumingClient&) = delete;
  ResumingClient& operator=(const ResumingClient&) = delete;

  struct Outcome {
    std::string code;  // as CodeOfAnswer
    std::string text;
    bool resumed = false;
  };
  Outcome Say() const {
    const grpc_arg sessions = grpc_ssl_session_cache_create_channel_arg(sessions_);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetPointerWithVtable(GRPC_SSL_SESSION_CACHE_ARG, sessions.value.pointer.p,
                                   sessions.value.pointer.vtable);
    const auto channel =
        grpc::CreateCustomChannel(target_, grpc::SslCredentials(options_), arguments);
    const auto stub = testing::Talk::NewStub(channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    testing::Text request;
    testing::Text reply;
    Outcome outcome;
    outcome.code = testing::CodeOfAnswer(StatusOfCall(stub->Say(&context, request, &reply)));
    outcome.text = reply.text();
    if (const auto auth = context.auth_context()) {
      const auto values = auth->FindPropertyValues(GRPC_SSL_SESSION_REUSED_PROPERTY);
      outcome.resumed = !values.empty() && values[0] == "true";
    }
    return outcome;
  }

 private:
  const std::string target_;
  grpc::SslCredentialsOptions options_;
  grpc_ssl_session_cache* const sessions_ = grpc_ssl_session_cache_create_lru(10);
};

TEST_F(Revocation, RefusesTheCallsOfAResumedSession) {
  for (const Verification verification : {Verification::kAtHandshake, Verification::kAtFirstCall}) {
    Revoke({});
    const auto guard = NewGuard();
    testing::TestServer server(ServerCredentials(server_, guard, {.verification = verification}));
    const ResumingClient client(server.target(), peer_, ours_.Pem());
    // The ticket of TLS 1.3 comes after the handshake, and the next connection may be too early.
    ASSERT_TRUE(testing::Eventually([&] {
      const auto outcome = client.Say();
      EXPECT_EQ(outcome.code, "ok");
      return outcome.resumed;
    })) << "the test resumes nothing";
    const int calls = server.service.calls;
    Revoke({peer_.certificate});
    ASSERT_TRUE(guard->Reload().ok());
    const auto outcome = client.Say();
    EXPECT_EQ(outcome.code, "certificate_revoked");
    // In the verified modes the ticket has ended with the list; else the session is resumed, and it
    // is the call that is refused.
    EXPECT_EQ(outcome.resumed, verification == Verification::kAtFirstCall);
    EXPECT_EQ(server.service.calls, calls);
  }
}

// What a TLS session of before may do after: nothing by itself. openssl resumes it, or not.
class Resumption : public Rotation {
 protected:
  void SetUp() override {
    const KeyPair client = ours_.Issue({.common_name = "client", .names = {"client"}});
    Write("client.pem", client.chain_pem);
    Write("client.key", client.key_pem);
    Write("ca.pem", ours_.Pem());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(WriteFile(folder_ + "/" + name, text, {.overwrite = Overwrite::kReplace}).ok());
  }
  // What openssl says of a connection: "New" or "Reused".
  std::string Connection(const testing::TestServer& server, const std::string& session) {
    const std::string output = folder_ + "/output";
    const std::string command =
        "cd " + folder_ + " && (sleep 0.4; echo Q) | timeout 20 openssl s_client -connect " +
        server.target() + " -alpn h2 -tls1_2 -cert client.pem -key client.key -CAfile ca.pem " +
        session + " >" + output + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
    const std::string text = testing::Must(ReadFile(output));
    if (text.find("Reused, TLS") != std::string::npos) return "Reused";
    return text.find("New, TLS") != std::string::npos ? "New" : text;
  }

  const std::string folder_ =
      ::testing::TempDir() + "troth_resumption_test_" + std::to_string(getpid());
};

TEST_F(Resumption, ATicketIsGoodUntilTheIdentityOrThePolicyChanges) {
  Write("policy.toml", std::string(testing::kAuthenticatedMayAll));
  GuardOptions options;
  options.policy_file = folder_ + "/policy.toml";
  const auto guard = testing::Must(Guard::Create(std::move(options)));
  testing::TestServer server(ServerCredentials(server_, guard));
  ASSERT_EQ(Connection(server, "-sess_out ticket"), "New");
  EXPECT_EQ(Connection(server, "-sess_in ticket"), "Reused");
  server_->Set(testing::IdentityOf(NewServer("server"), ours_.Pem()));
  EXPECT_EQ(Connection(server, "-sess_in ticket -sess_out ticket"), "New");
  EXPECT_EQ(Connection(server, "-sess_in ticket"), "Reused");
  Write("policy.toml", std::string(testing::kAnyoneMayAll));
  ASSERT_TRUE(guard->Reload().ok());
  EXPECT_EQ(Connection(server, "-sess_in ticket"), "New");
}

// A resumed session brings the client's leaf and nothing else of its chain.
TEST_F(Resumption, AClientBelowAnIntermediateIsRecognised) {
  const TestAuthority issuer("issuer", ours_);
  const KeyPair deep = issuer.Issue({.common_name = "deep", .names = {"deep"}});
  std::atomic<int> reused = 0;
  class Service final : public testing::Talk::Service {
   public:
    explicit Service(std::atomic<int>& reused) : reused_(reused) {}
    grpc::Status Say(grpc::ServerContext* context, const testing::Text* /*request*/,
                     testing::Text* reply) override {
      const auto values =
          context->auth_context()->FindPropertyValues(GRPC_SSL_SESSION_REUSED_PROPERTY);
      if (!values.empty() && values[0] == "true") ++reused_;
      // On a thread that has not seen this connection.
      std::shared_ptr<const Peer> peer;
      std::thread([&] { peer = PeerOf(*context); }).join();
      reply->set_text(peer->Describe() + (peer->verified ? ", verified" : ", not verified"));
      return grpc::Status::OK;
    }

   private:
    std::atomic<int>& reused_;
  } service(reused);
  for (const Verification verification : {Verification::kAtHandshake, Verification::kAtFirstCall}) {
    reused = 0;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(
        "127.0.0.1:0",
        ServerCredentials(server_, testing::GuardOf(testing::kAuthenticatedMayAll),
                          {.verification = verification}),
        &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    ASSERT_NE(server, nullptr);

    const ResumingClient client("127.0.0.1:" + std::to_string(port), deep, ours_.Pem());
    for (int i = 0; i < 4; ++i) {
      const auto outcome = client.Say();
      EXPECT_EQ(outcome.text, "deep, verified") << i << " " << outcome.code;
    }
    EXPECT_GE(reused, 1) << "the test resumed nothing";
    server->Shutdown(std::chrono::system_clock::now());
  }
}

}  // namespace
}  // namespace troth
