// What a gRPC server logs and a client is told when TLS between them goes wrong, as far as gRPC
// lets either know.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "troth/rpc/handshake_log.h"
#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::Must;
using testing::TestAuthority;

struct World {
  TestAuthority ours{"ours"};
  TestAuthority other{"other"};
  KeyPair server = ours.Issue({.common_name = "server", .names = {"localhost", "127.0.0.1"}});
  KeyPair foreign_server = other.Issue({.common_name = "server", .names = {"127.0.0.1"}});
  KeyPair client = ours.Issue({.common_name = "client", .names = {"client"}});
  KeyPair foreign = other.Issue({.common_name = "foreign", .names = {"foreign"}});
  KeyPair self_signed = testing::SelfSigned({.common_name = "self", .names = {"self"}});
  KeyPair old = WithChange([](CertificateTemplate& what) {
    what.validity = {.not_before = Clock::System().Now() - std::chrono::minutes(50),
                     .not_after = Clock::System().Now() - std::chrono::minutes(10)};
  });
  KeyPair for_servers = WithChange(
      [](CertificateTemplate& what) { what.extended_key_usage = {std::string(kServerAuthOid)}; });

  KeyPair WithChange(const std::function<void(CertificateTemplate&)>& change) const {
    const PrivateKey key = Must(PrivateKey::Generate(KeyType::kP256));
    CertificateTemplate what = testing::LeafTemplate(
        {.common_name = "odd", .names = {"odd", "127.0.0.1"}}, key.public_key());
    change(what);
    Certificate leaf = Must(Issue(what, ours.signer()));
    std::string pem = leaf.ToPem();
    return {std::move(leaf), std::string(key.ToPem().Reveal()), std::move(pem)};
  }
};

const World& TheWorld() {
  static const World* const world = new World;
  return *world;
}

using Channel = std::shared_ptr<grpc::ChannelCredentials>;

Channel Anonymous() {
  return ChannelCredentials(
      MemoryIdentitySource::Create(testing::TrustOnly(TheWorld().ours.Pem())));
}
Channel ShowingIt(const KeyPair& pair, ChannelOptions options = {}) {
  return ChannelCredentials(MemoryIdentitySource::Create(Must(Identity::Create(
                                {.certificate_pem = pair.chain_pem,
                                 .private_key_pem = pair.key_pem,
                                 .trust_bundle_pem = TheWorld().ours.Pem(),
                                 .allow_untrusted_chain = true},
                                pair.certificate.validity().not_before + Seconds(1)))),
                            std::move(options));
}

struct Fault {
  std::string_view name;
  Channel channel;
  std::string_view client;               // the reason code of the call
  std::string_view log;                  // that of the line in the log
  const KeyPair* certificate = nullptr;  // the server's, where it is not the world's
};

void ExpectEach(Verification verification, const std::vector<Fault>& faults) {
  const World& world = TheWorld();
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.name);
    const testing::LogCapture log;
    EnableHandshakeLog({});
    const KeyPair& certificate = fault.certificate == nullptr ? world.server : *fault.certificate;
    testing::TestServer server(ServerCredentials(testing::SourceOf(certificate, world.ours.Pem()),
                                                 testing::GuardOf(testing::kAuthenticatedMayAll),
                                                 {.verification = verification}));
    ASSERT_TRUE(server.started());
    const testing::Answer answer = testing::Say(testing::Connect(server.target(), fault.channel));
    EXPECT_EQ(testing::CodeOfAnswer(answer.status), fault.client) << answer.raw.error_message();
    EXPECT_EQ(server.service.calls, 0);
    EXPECT_FALSE(FixOf(answer.status).empty());
    const std::string reason = "reason=" + std::string(fault.log) + " ";
    EXPECT_TRUE(testing::Eventually([&] { return log.Has(reason); })) << log.text();
    // Where TLS does not say what is wrong with a certificate, the line says how to find out.
    const bool is_known = fault.log != CodeOf(Reason::kHandshakeFailed);
    EXPECT_TRUE(
        log.Has(is_known ? InfoOf(*ReasonFromCode(fault.log)).fix : "Verification::kAtFirstCall"))
        << log.text();
  }
}

TEST(HandshakeFaults, AtTheHandshakeGrpcTellsAServerThatItFailedAndAClientThatItEnded) {
  const World& world = TheWorld();
  constexpr std::string_view dead = "handshake_failed";
  ExpectEach(Verification::kAtHandshake,
             {
                 {"no certificate", Anonymous(), dead, "client_certificate_missing"},
                 {"of another authority", ShowingIt(world.foreign), dead, dead},
                 {"self-signed", ShowingIt(world.self_signed), dead, dead},
                 {"expired", ShowingIt(world.old), dead, dead},
                 {"for servers", ShowingIt(world.for_servers), dead, dead},
                 {"no TLS", grpc::InsecureChannelCredentials(), dead, "protocol_mismatch"},
             });
}

TEST(HandshakeFaults, AtTheFirstCallBothSidesKnow) {
  const World& world = TheWorld();
  ExpectEach(
      Verification::kAtFirstCall,
      {
          {"no certificate", Anonymous(), "peer_not_authenticated", "peer_not_authenticated"},
          {"of another authority", ShowingIt(world.foreign), "issuer_unknown", "issuer_unknown"},
          {"self-signed", ShowingIt(world.self_signed), "certificate_self_signed",
           "certificate_self_signed"},
          {"expired", ShowingIt(world.old), "certificate_expired", "certificate_expired"},
          {"for servers", ShowingIt(world.for_servers), "usage_not_allowed", "usage_not_allowed"},
      });
}

TEST(HandshakeFaults, AClientSaysWhyItRefusesTheServer) {
  const World& world = TheWorld();
  ExpectEach(Verification::kAtHandshake,
             {
                 {"another name", ShowingIt(world.client, {.server = ExpectDnsName("db.example")}),
                  "name_mismatch", "name_mismatch"},
                 {"of another authority", ShowingIt(world.client), "issuer_unknown",
                  "issuer_unknown", &world.foreign_server},
             });
}

}  // namespace
}  // namespace troth
