// Pings and their server together, in the three modes.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <thread>

#include "echo/echo.grpc.pb.h"
#include "examples/sping/ping_client.h"
#include "examples/sping/pong_server.h"
#include "troth/authz/guard.h"
#include "troth/base/reason.h"
#include "troth/pki/issue.h"

namespace troth::sping {
namespace {

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    std::abort();
  }
  return *std::move(result);
}

// One authority, with identities that it makes.
class Authority {
 public:
  explicit Authority(const std::string& common_name = "ca")
      : key_(Must(PrivateKey::Generate(KeyType::kP256))) {
    CertificateTemplate what = Template(common_name, key_.public_key());
    what.basic_constraints = BasicConstraints{.is_ca = true};
    what.extended_key_usage.clear();
    certificate_.emplace(Must(IssueSelfSigned(what, key_)));
  }

  std::shared_ptr<IdentitySource> Make(const std::string& name) {
    const PrivateKey key = Must(PrivateKey::Generate(KeyType::kP256));
    CertificateTemplate what = Template(name, key.public_key());
    what.alternative_names = {Must(AlternativeName::Parse(name)),
                              Must(AlternativeName::Parse("127.0.0.1"))};
    const Signer signer =
        Must(Signer::Create(*certificate_, Must(PrivateKey::FromPem(key_.ToPem().Reveal()))));
    const Certificate leaf = Must(Issue(what, signer));
    return Source(leaf.ToPem(), std::string(key.ToPem().Reveal()));
  }
  std::shared_ptr<IdentitySource> TrustOnly() { return Source("", ""); }

 private:
  static CertificateTemplate Template(const std::string& name, const PublicKey& key) {
    const Time now = Clock::System().Now();
    return {.serial = SerialNumber::Generate(now),
            .subject = Must(DistinguishedName::FromCommonName(name)),
            .validity = {.not_before = now - std::chrono::hours(1),
                         .not_after = now + std::chrono::hours(24)},
            .public_key = key,
            .extended_key_usage = {std::string(kServerAuthOid), std::string(kClientAuthOid)}};
  }
  std::shared_ptr<IdentitySource> Source(const std::string& certificate, const std::string& key) {
    return MemoryIdentitySource::Create(
        Must(Identity::Create({.certificate_pem = certificate,
                               .private_key_pem = key,
                               .trust_bundle_pem = certificate_->ToPem()},
                              Clock::System().Now())));
  }

  PrivateKey key_;
  std::optional<Certificate> certificate_;
};

std::shared_ptr<Guard> GuardWith(std::string_view policy) {
  GuardOptions options;
  options.policy_text = policy;
  return Must(Guard::Create(std::move(options)));
}

// A server that runs while it lives.
class Running {
 public:
  explicit Running(PongOptions options) : server_(Must(PongServer::Start(std::move(options)))) {
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~Running() {
    server_->Stop();
    thread_.join();
  }
  std::string target() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  PongServer& server() { return *server_; }

 private:
  std::unique_ptr<PongServer> server_;
  std::thread thread_;
};

std::unique_ptr<PingClient> Client(const Running& server, std::shared_ptr<IdentitySource> identity,
                                   const std::string& sender = "tester",
                                   const std::string& server_name = "") {
  return Must(PingClient::Create({.target = server.target(),
                                  .identity = std::move(identity),
                                  .server_name = server_name,
                                  .sender = sender}));
}

std::string CodeOfPing(PingClient& client) {
  const absl::StatusOr<Pong> pong = client.Ping(1);
  return pong.ok() ? "ok" : std::string(CodeOf(pong.status()));
}

class Sping : public ::testing::Test {
 protected:
  Authority authority_;
  std::shared_ptr<IdentitySource> server_ = authority_.Make("localhost");
  std::shared_ptr<IdentitySource> client_ = authority_.Make("client");
};

TEST_F(Sping, CountsTogetherInEachMode) {
  const struct {
    PongOptions server;
    std::shared_ptr<IdentitySource> client;
  } modes[] = {
      {{}, nullptr},
      {{.identity = server_,
        .guard = GuardWith(kAnyoneMayPing),
        .client_certificate = ClientCertificate::kDontRequest},
       authority_.TrustOnly()},
      {{.identity = server_, .guard = GuardWith(kAuthenticatedMayPing)}, client_},
  };
  for (const auto& mode : modes) {
    const Running server(mode.server);
    const auto client = Client(server, mode.client);
    for (int run = 0; run < 2; ++run) {
      for (int i = 1; i <= 200; ++i) {  // more than there are slots
        const Pong pong = Must(client->Ping(i));
        ASSERT_TRUE(pong.in_sequence) << i;
        ASSERT_EQ(pong.counted, i);
        ASSERT_GT(pong.round_trip.count(), 0);
      }
    }
  }
}

TEST_F(Sping, SaysWhenAPingWasLostOnTheWay) {
  const Running server({});
  const auto client = Client(server, nullptr);
  EXPECT_TRUE(Must(client->Ping(1)).in_sequence);
  const Pong pong = Must(client->Ping(3));
  EXPECT_FALSE(pong.in_sequence);
  EXPECT_EQ(pong.counted, 2);
}

TEST_F(Sping, RefusesWithReasons) {
  const Running server({.identity = server_, .guard = GuardWith(kAuthenticatedMayPing)});
  Authority other("other");
  EXPECT_EQ(CodeOfPing(*Client(server, client_, "x", "elsewhere")), "name_mismatch");
  EXPECT_EQ(CodeOfPing(*Client(server, other.Make("client"))), "issuer_unknown");
  EXPECT_EQ(CodeOfPing(*Client(server, client_, "x", "localhost")), "ok");
  EXPECT_EQ(CodeOfPing(*Client(server, client_, "x", "spiffe://example/x")), "name_mismatch");
  const std::string pin = "sha256:" + FormatFingerprint(server_->Current()->leaf().fingerprint());
  EXPECT_EQ(CodeOfPing(*Client(server, client_, "x", pin)), "ok");

  const Running nobody({.identity = server_,
                        .guard = GuardWith("[roles]\nb = { dns = \"b\" }\n"
                                           "[[rules]]\nmethods = [\"/*\"]\n"
                                           "allow = [\"b\"]\n")});
  EXPECT_EQ(CodeOfPing(*Client(nobody, client_)), "role_not_allowed");

  const Running explains({.identity = server_,
                          .guard = GuardWith(kAuthenticatedMayPing),
                          .verify_at_first_call = true});
  EXPECT_EQ(CodeOfPing(*Client(explains, authority_.TrustOnly())), "peer_not_authenticated");
}

TEST_F(Sping, RefusesServerNamesThatAreNone) {
  for (const char* name : {"spiffe://", "sha256:12"}) {
    const auto client = PingClient::Create({.target = "localhost:1", .server_name = name});
    EXPECT_EQ(CodeOf(client.status()), "usage_error") << name;
  }
}

TEST_F(Sping, RefusesNamesThatFillItsMemory) {
  const Running server({});
  const auto longest = Client(server, nullptr, std::string(256, 'x'));
  EXPECT_TRUE(longest->Ping(1).ok());
  const auto longer = Client(server, nullptr, std::string(257, 'x'));
  EXPECT_EQ(longer->Ping(1).status().code(), absl::StatusCode::kInvalidArgument);
  const auto huge = Client(server, nullptr, std::string(100'000, 'x'));
  EXPECT_EQ(huge->Ping(1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(longest->Ping(2).ok());
}

TEST_F(Sping, ReturnsTheTimeAsItCame) {
  const Running server({});
  const auto stub = echo::SecurePing::NewStub(
      grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials()));
  const auto ask = [&](const echo::Ping& ping) {
    grpc::ClientContext context;
    echo::Pong pong;
    EXPECT_TRUE(stub->Echo(&context, ping, &pong).ok());
    return pong;
  };
  echo::Ping ping;
  ping.mutable_sent()->set_seconds(-7);
  ping.mutable_sent()->set_nanoseconds(1LL << 40);
  for (int i = 0; i < 150; ++i) {  // each slot has answered before
    EXPECT_EQ(ask(ping).sent().seconds(), -7);
    EXPECT_EQ(ask(ping).sent().nanoseconds(), 1LL << 40);
    EXPECT_FALSE(ask(echo::Ping()).has_sent());
  }
}

TEST_F(Sping, AnswersManyAtOnce) {
  const Running server({.identity = server_, .guard = GuardWith(kAuthenticatedMayPing)});
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto client = Client(server, client_, "sender " + std::to_string(t));
      for (int i = 1; i <= 100; ++i) {
        if (Must(client->Ping(i)).in_sequence) ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 800);
}

TEST_F(Sping, StopsBeforeDuringAndAfterRunning) {
  { const auto never_run = Must(PongServer::Start({})); }
  {
    const auto stopped_first = Must(PongServer::Start({}));
    stopped_first->Stop();
    stopped_first->Run();
  }
  std::unique_ptr<PingClient> client;
  {
    Running server({});
    client = Client(server, nullptr);
    EXPECT_TRUE(client->Ping(1).ok());
    server.server().Stop();
    server.server().Stop();
  }
  EXPECT_FALSE(client->Ping(2).ok());
}

TEST_F(Sping, SaysWhyItDoesNotStart) {
  const Running first({});
  const auto code = [](const PongOptions& options) {
    return std::string(CodeOf(PongServer::Start(options).status()));
  };
  EXPECT_EQ(code({.address = first.target()}), "connection_failed");
  EXPECT_EQ(code({.identity = server_}), "configuration_invalid");
  EXPECT_EQ(code({.identity = authority_.TrustOnly(), .guard = GuardWith(kAnyoneMayPing)}),
            "certificate_missing");
}

}  // namespace
}  // namespace troth::sping
