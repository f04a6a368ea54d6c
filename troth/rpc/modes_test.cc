// What a client sees in each client-certificate mode, verified at the handshake or at the first
// call.
#include <gtest/gtest.h>

#include <map>

#include "troth/rpc/grpc_compat.h"
#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::TestAuthority;

enum class Caller { kNone, kPinned, kSelfSigned, kForeign, kOurs, kOursByIntermediate };

constexpr std::string_view kCallers[] = {"none",    "pinned", "self-signed",
                                         "foreign", "ours",   "ours by intermediate"};

class Modes : public ::testing::Test {
 protected:
  // Authorities and callers are made once.
  struct World {
    TestAuthority ours{"ours"};
    TestAuthority other{"other"};
    TestAuthority issuer{"issuer", ours};
    KeyPair server = ours.Issue({.common_name = "server", .names = {"localhost", "127.0.0.1"}});
    KeyPair pinned = testing::SelfSigned({.common_name = "pinned", .names = {"pinned"}});
    KeyPair self_signed = testing::SelfSigned({.common_name = "self", .names = {"self"}});
    KeyPair foreign = other.Issue({.common_name = "foreign", .names = {"foreign"}});
    KeyPair client = ours.Issue({.common_name = "client", .names = {"client"}});
    KeyPair deep = issuer.Issue({.common_name = "deep", .names = {"deep"}});
    std::string policy = "[roles]\npinned = { fingerprint = \"" +
                         FormatFingerprint(pinned.certificate.fingerprint()) +
                         "\" }\n[[rules]]\nmethods = [\"/*\"]\nallow = [\"authenticated\", "
                         "\"pinned\"]\n";
  };
  static const World& TheWorld() {
    static const World* const world = new World;
    return *world;
  }

  static std::shared_ptr<const Identity> IdentityOfCaller(Caller caller) {
    const World& world = TheWorld();
    switch (caller) {
      case Caller::kNone:
        return testing::TrustOnly(world.ours.Pem());
      case Caller::kPinned:
        return testing::IdentityOf(world.pinned, world.ours.Pem());
      case Caller::kSelfSigned:
        return testing::IdentityOf(world.self_signed, world.ours.Pem());
      case Caller::kForeign:
        return testing::IdentityOf(world.foreign, world.ours.Pem());
      case Caller::kOurs:
        return testing::IdentityOf(world.client, world.ours.Pem());
      case Caller::kOursByIntermediate:
        return testing::IdentityOf(world.deep, world.ours.Pem());
    }
    return nullptr;
  }

  // The answer to one call on a new connection: "ok", a reason, or "handshake".
  static std::string Call(const testing::TestServer& server, Caller caller) {
    const auto channel = testing::Connect(
        server.target(),
        ChannelCredentials(MemoryIdentitySource::Create(IdentityOfCaller(caller))));
    const testing::Answer answer = testing::Say(channel);
    if (answer.raw.error_code() == grpc::StatusCode::UNAVAILABLE) return "handshake";
    return testing::CodeOfAnswer(answer.status);
  }

  static void ExpectMatrix(Verification verification,
                           const std::map<ClientCertificate, std::vector<std::string>>& expected) {
    const World& world = TheWorld();
    for (const auto& [mode, row] : expected) {
      const auto guard = testing::GuardOf(world.policy);
      testing::TestServer server(
          ServerCredentials(testing::SourceOf(world.server, world.ours.Pem()), guard,
                            {.client_certificate = mode, .verification = verification}));
      ASSERT_TRUE(server.started());
      for (size_t i = 0; i < row.size(); ++i) {
        const int calls_before = server.service.calls;
        EXPECT_EQ(Call(server, static_cast<Caller>(i)), row[i])
            << "mode " << NameOf(mode) << ", caller " << kCallers[i];
        EXPECT_EQ(server.service.calls - calls_before, row[i] == "ok" ? 1 : 0)
            << "mode " << NameOf(mode) << ", caller " << kCallers[i];
      }
    }
  }
};

TEST_F(Modes, VerifiedAtTheHandshake) {
  using enum ClientCertificate;
  const std::string none = "peer_not_authenticated";
  const std::string dead = "handshake";
  const std::string unpinned = "peer_not_pinned";
  ExpectMatrix(
      Verification::kAtHandshake,
      {
          //                    none  pinned  self-signed  foreign   ours      by intermediate
          {kDontRequest, {none, none, none, none, none, none}},
          {kRequestUnverified, {none, "ok", unpinned, unpinned, unpinned, unpinned}},
          {kVerifyIfGiven, {none, dead, dead, dead, "ok", "ok"}},
          {kRequireUnverified, {dead, "ok", unpinned, unpinned, unpinned, unpinned}},
          {kRequire, {dead, dead, dead, dead, "ok", "ok"}},
      });
}

TEST_F(Modes, VerifiedAtTheFirstCallEveryRefusalIsExplained) {
  using enum ClientCertificate;
  const std::string none = "peer_not_authenticated";
  const std::string self = "certificate_self_signed";
  const std::string unpinned = "peer_not_pinned";
  ExpectMatrix(Verification::kAtFirstCall,
               {
                   //                    none  pinned  self-signed  foreign           ours      by
                   //                    intermediate
                   {kDontRequest, {none, none, none, none, none, none}},
                   {kRequestUnverified, {none, "ok", unpinned, unpinned, unpinned, unpinned}},
                   {kVerifyIfGiven, {none, self, self, "issuer_unknown", "ok", "ok"}},
                   {kRequireUnverified, {none, "ok", unpinned, unpinned, unpinned, unpinned}},
                   {kRequire, {none, self, self, "issuer_unknown", "ok", "ok"}},
               });
}

// A certificate with another certificate's key. Identity does not let such a pair come to be, so
// gRPC is given it directly.
TEST_F(Modes, AKeyThatDoesNotMatchNeverGetsThrough) {
  const World& world = TheWorld();
  for (const ClientCertificate mode :
       {ClientCertificate::kRequestUnverified, ClientCertificate::kVerifyIfGiven,
        ClientCertificate::kRequireUnverified, ClientCertificate::kRequire}) {
    const auto guard = testing::GuardOf(world.policy);
    testing::TestServer server(ServerCredentials(testing::SourceOf(world.server, world.ours.Pem()),
                                                 guard, {.client_certificate = mode}));
    ASSERT_TRUE(server.started());
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = world.ours.Pem();
    options.pem_cert_chain = world.client.chain_pem;
    options.pem_private_key = world.pinned.key_pem;
    const auto channel = testing::Connect(server.target(), grpc::SslCredentials(options));
    EXPECT_FALSE(testing::Say(channel).raw.ok()) << NameOf(mode);
    EXPECT_EQ(server.service.calls, 0) << NameOf(mode);
  }
}

// The aggregator's way: TLS without client certificates.
TEST_F(Modes, WithoutClientCertificatesAnyoneMayBeLetIn) {
  const World& world = TheWorld();
  testing::TestServer server(ServerCredentials(
      testing::SourceOf(world.server, ""), testing::GuardOf(testing::kAnyoneMayAll),
      {.client_certificate = ClientCertificate::kDontRequest}));
  ASSERT_TRUE(server.started());
  EXPECT_EQ(Call(server, Caller::kNone), "ok");
  // Nobody asked for it, so nobody saw it.
  EXPECT_EQ(Call(server, Caller::kOurs), "ok");
  const std::lock_guard lock(server.service.mutex);
  EXPECT_FALSE(server.service.last_peer->certificate.has_value());
}

}  // namespace
}  // namespace troth
