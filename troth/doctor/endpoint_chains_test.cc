// What the doctor makes of the chains that servers send when clients do not agree on them.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "troth/doctor/endpoint_client_testing.h"

namespace troth {
namespace {

using namespace testing;  // NOLINT: the helpers of several headers

// A write to a server's closed connection fails; it does not end the test.
const bool kPipesAreQuiet = std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;

Wanted Expired(Wanted wanted) {
  wanted.from = kNow - 100 * kDay;
  wanted.to = kNow - kDay;
  return wanted;
}

// A server that signed its certificate itself; no CA.
Wanted SelfSigned() {
  Wanted wanted = ServerLeaf("server");
  wanted.issuer_key = "server";
  return wanted;
}

// A CA that is used as a server's certificate, as `openssl req -x509` makes one.
Wanted AuthorityAsServer() {
  Wanted wanted = Root("server");
  wanted.names = {kLoopback, kLocalhost};
  wanted.key_usage = 0;
  return wanted;
}

bool Says(const Diagnosis& diagnosis, std::string_view text) {
  return std::ranges::any_of(diagnosis.findings, [&](const Finding& finding) {
    return finding.title.find(text) != std::string::npos ||
           finding.fix.find(text) != std::string::npos;
  });
}

TEST(EndpointChainsTest, WhatNoPathNeedsIsNoFault) {
  // The old root, as another root of before once signed it: the shape of DST Root X3.
  Wanted cross = Intermediate("root", "older root");
  const std::vector<Wanted> cross_signed = {ServerLeaf("intermediate"),
                                            Intermediate("intermediate", "root"), Expired(cross)};
  // An intermediate whose key was replaced, and both are sent.
  Wanted old = Expired(Intermediate("intermediate", "root"));
  old.key = "old intermediate";
  const std::vector<Wanted> replaced = {ServerLeaf("intermediate"), old,
                                        Intermediate("intermediate", "root")};
  for (const std::vector<Wanted>& chain : {cross_signed, replaced}) {
    std::vector<Certificate> sent;
    for (const Wanted& wanted : chain) sent.push_back(Make(wanted));
    TlsServer server({.chain = sent});
    Client client;
    client.Trust({Make(OldRoot())});
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), Codes{"certificate_expired"}) << Text(diagnosis);
    EXPECT_TRUE(Says(diagnosis, "leave it out")) << Text(diagnosis);
  }
}

TEST(EndpointChainsTest, ACertificateThatIsSentTwiceIsAWarning) {
  const Certificate leaf = Make(ServerLeaf("intermediate"));
  TlsServer server({.chain = {leaf, leaf, Make(Intermediate("intermediate", "root"))}});
  Client client;
  client.Trust({Make(OldRoot())});
  const Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
  EXPECT_TRUE(Says(diagnosis, "more than once")) << Text(diagnosis);
  EXPECT_FALSE(Says(diagnosis, "wrong order")) << Text(diagnosis);
}

TEST(EndpointChainsTest, AChainThatRunsInCirclesEnds) {
  Wanted rolled = Intermediate("loop", "loop");
  rolled.key = "new loop";
  rolled.issuer_key = "old loop";
  Wanted leaf = ServerLeaf("loop");
  leaf.issuer_key = "new loop";
  const Certificate again = Make(rolled);
  const Certificate there = Make(Intermediate("there", "back"));
  const Certificate back = Make(Intermediate("back", "there"));
  for (const std::vector<Certificate>& chain :
       {std::vector<Certificate>{Make(leaf), again, again},
        std::vector<Certificate>{Make(leaf), again, again, again, again, again, again},
        std::vector<Certificate>{Make(ServerLeaf("there")), there, back, there, back, there}}) {
    TlsServer server({.chain = chain});
    Client client;
    client.Trust({Make(OldRoot())});
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_FALSE(diagnosis.healthy()) << Text(diagnosis);
    EXPECT_TRUE(Says(diagnosis, "more than once")) << Text(diagnosis);
  }
}

TEST(EndpointChainsTest, ACaThatServesIsToldWhoeverTrustsIt) {
  const Certificate authority = Make(AuthorityAsServer());
  TlsServer server({.chain = {authority}});
  Client client;
  client.Trust({Make(OldRoot())});
  const Diagnosis unknown = client.Examine(server.port());
  EXPECT_EQ(Faults(unknown), Codes{"usage_not_allowed"}) << Text(unknown);

  client.Trust({authority});
  const Diagnosis pinned = client.Examine(server.port());
  EXPECT_EQ(Faults(pinned), Codes{}) << Text(pinned);
  EXPECT_EQ(Warnings(pinned), Codes{"usage_not_allowed"}) << Text(pinned);

  // Its key usage lets no server use it, and the cause is told once.
  Wanted strict = AuthorityAsServer();
  strict.key_usage = kKeyCertSign | kCrlSign;
  TlsServer refused({.chain = {Make(strict)}});
  client.Trust({Make(strict)});
  const Diagnosis diagnosis = client.Examine(refused.port());
  ASSERT_EQ(diagnosis.healthy(), false);
  EXPECT_EQ(std::ranges::count(diagnosis.findings, Severity::kFault, &Finding::severity), 1)
      << Text(diagnosis);
  EXPECT_TRUE(Says(diagnosis, "shows the CA certificate")) << Text(diagnosis);
}

TEST(EndpointChainsTest, WhoRefusesAServerThatIsTrustedByItselfIsTold) {
  Client client;
  {
    const Certificate leaf = Make(SelfSigned());
    TlsServer server({.chain = {leaf}});
    client.Trust({leaf});
    Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), Codes{"certificate_self_signed"}) << Text(diagnosis);

    // By the system's programs it is taken.
    Client of_system;
    of_system.patient.Give("system.pem", {Make(OldRoot()), leaf});
    of_system.options.system_trust_files = {of_system.patient.Path("system.pem")};
    diagnosis = of_system.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
  }
  const Certificate issued = Make(ServerLeaf());
  TlsServer server({.chain = {issued}});
  client.Trust({issued});
  Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
  EXPECT_EQ(Warnings(diagnosis), Codes{"not_a_certificate_authority"}) << Text(diagnosis);
}

TEST(EndpointChainsTest, AChainThatNobodyHereKnowsIsRefusedByThoseWhoTrustTheSystem) {
  Client client;
  client.patient.Give("system.pem", {Make(OldRoot())});
  client.options.system_trust_files = {client.patient.Path("system.pem")};
  {
    // The root is known, and the way to it is not sent.
    TlsServer server({.chain = {Make(ServerLeaf("intermediate"))}});
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{"issuer_unknown"}) << Text(diagnosis);
    EXPECT_TRUE(Says(diagnosis, "--trust-bundle"));
    EXPECT_TRUE(Says(diagnosis, "append the intermediate 'CN=intermediate'"));
  }
  {
    // A private CA that is sent too may be that of the clients.
    TlsServer server({.chain = {Make(ServerLeaf("private")), Make(Root("private"))}});
    const Diagnosis diagnosis = client.Examine(server.port());
    EXPECT_EQ(Faults(diagnosis), Codes{}) << Text(diagnosis);
    EXPECT_EQ(Warnings(diagnosis), Codes{"issuer_unknown"}) << Text(diagnosis);
  }
}

TEST(EndpointChainsTest, AListOfAnotherKeyRevokesNothing) {
  Wanted leaf = ServerLeaf();
  leaf.serial = 4711;
  TlsServer server({.chain = {Make(leaf)}});
  Client client;
  client.Trust({Make(OldRoot())});
  client.Check(MakeCrl({.key = "another root", .revoked = {{4711, 1}}}));
  const Diagnosis diagnosis = client.Examine(server.port());
  // The list is at fault, not the server.
  EXPECT_EQ(Faults(diagnosis), Codes{"signature_invalid"}) << Text(diagnosis);
}

TEST(EndpointChainsTest, ARevokedCertificateOfASecondAddressIsTold) {
  Wanted first = ServerLeaf();
  first.serial = 4711;
  Wanted second = ServerLeaf();
  second.serial = 4712;
  const TlsServer one({.chain = {Make(first)}});
  const TlsServer two({.chain = {Make(second)}}, 2, one.port());
  Client client;
  client.Trust({Make(OldRoot())});
  client.Check(MakeCrl({.revoked = {{4711, 1}, {4712, 1}}}));
  client.options.addresses = {"127.0.0.1", "127.0.0.2"};
  const Diagnosis diagnosis = client.Examine(one.port(), "localhost");
  EXPECT_EQ(std::ranges::count(diagnosis.findings, Reason::kCertificateRevoked, &Finding::reason),
            2)
      << Text(diagnosis);
}

TEST(EndpointChainsTest, AnAuthorityThatIsOnlyCalledLikeTheAcceptedOneIsTold) {
  TlsServer server({.chain = {Make(ServerLeaf())},
                    .verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                    .client_authorities = {Make(OldRoot())}});
  Client client;
  client.Trust({Make(OldRoot())});
  Wanted stranger = ClientLeaf();
  stranger.issuer_key = "another root";
  client.Show({Make(stranger)});
  Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(Faults(diagnosis), Codes{"peer_rejected_certificate"}) << Text(diagnosis);
  EXPECT_TRUE(Says(diagnosis, "is another one than that of this name")) << Text(diagnosis);

  // Without a bundle that holds the authority, the doctor cannot know.
  client.options.trust_bundle = "";
  diagnosis = client.Examine(server.port());
  EXPECT_TRUE(Says(diagnosis, "may have another key")) << Text(diagnosis);
}

TEST(EndpointChainsTest, ABundleWithoutCertificatesSaysNothingOfTheServer) {
  TlsServer server({.chain = {Make(ServerLeaf())}});
  Client client;
  client.options.trust_bundle = client.patient.Path("none.pem");
  Diagnosis diagnosis = client.Examine(server.port());
  EXPECT_EQ(std::ranges::count(diagnosis.findings, Severity::kFault, &Finding::severity), 1)
      << Text(diagnosis);
  EXPECT_EQ(diagnosis.findings.front().subject, client.options.trust_bundle);

  client.patient.GiveKey("other.key", "other");
  client.options.trust_bundle = client.patient.Path("other.key");
  diagnosis = client.Examine(server.port());
  EXPECT_EQ(FaultsOf(diagnosis), Codes{"certificate_missing other.key"}) << Text(diagnosis);
}

}  // namespace
}  // namespace troth
