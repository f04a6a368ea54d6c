#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "troth/http/http_testing.h"

namespace troth {
namespace {

using testing::Https;
using testing::LogText;
using testing::RawConnection;
using testing::RawTls;
using testing::StartServer;
using testing::ThePki;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(HttpServerTlsTest, SpeaksTls12And13AndNothingOlder) {
  const auto server = StartServer(Https());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTls raw(*server, {.most = version});
    ASSERT_TRUE(raw.shook_hands()) << version;
    EXPECT_EQ(SSL_version(raw.ssl()), version);
    raw.Send(kGet);
    EXPECT_EQ(raw.ReceiveStatus(), 200);
  }
  EXPECT_FALSE(RawTls(*server, {.most = TLS1_1_VERSION}).shook_hands());
  EXPECT_TRUE(testing::Eventually([&] { return server->Statistics().handshakes_failed == 1; }));
}

TEST(HttpServerTlsTest, NoSessionIsResumed) {
  const auto server = StartServer(Https());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTls first(*server, {.most = version});
    first.Send(kGet);
    ASSERT_EQ(first.ReceiveStatus(), 200);
    SSL_SESSION* const session = SSL_get1_session(first.ssl());
    EXPECT_EQ(SSL_SESSION_has_ticket(session), 0) << version;
    RawTls second(*server, {.most = version, .session = session});
    EXPECT_TRUE(second.shook_hands()) << version;
    EXPECT_EQ(SSL_session_reused(second.ssl()), 0) << version;
    SSL_SESSION_free(session);
  }
}

TEST(HttpServerTlsTest, NothingIsRenegotiated) {
  const auto server = StartServer(Https());
  RawTls raw(*server, {.most = TLS1_2_VERSION});
  ASSERT_TRUE(raw.shook_hands());
  SSL_renegotiate(raw.ssl());
  EXPECT_NE(SSL_do_handshake(raw.ssl()), 1);
}

TEST(HttpServerTlsTest, ProtocolsAreChosenByAlpn) {
  const auto server = StartServer(Https());
  RawTls both(*server, {.wire_protocols = "\x02h2\x08http/1.1"});
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(both.ssl(), &chosen, &length);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), length), "http/1.1");
  EXPECT_FALSE(RawTls(*server, {.wire_protocols = "\x02h2"}).shook_hands());
}

TEST(HttpServerTlsTest, TheWholeChainIsShownWithTheRootAtItsEnd) {
  const auto options = Https();
  const auto server = StartServer(options);
  const RawTls raw(*server);
  const std::vector<Sha256Digest> expected = {options.identity->Current()->leaf().fingerprint(),
                                              ThePki().issuer.certificate().fingerprint(),
                                              ThePki().root.certificate().fingerprint()};
  EXPECT_EQ(raw.shown(), expected);
}

TEST(HttpServerTlsTest, AnyCertificateIsAskedForAndNoAuthorityNamed) {
  const auto server = StartServer(Https());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const RawTls raw(*server, {.most = version});
    EXPECT_TRUE(raw.was_asked());
    const STACK_OF(X509_NAME)* const authorities = SSL_get0_peer_CA_list(raw.ssl());
    EXPECT_TRUE(authorities == nullptr || sk_X509_NAME_num(authorities) == 0);
  }
}

// What an unknown client shows is kept as long as its connection.
TEST(HttpServerTlsTest, AClientMayShowACertificateAndNotAHeapOfBytes) {
  const auto server = StartServer(Https());
  const PrivateKey key = *PrivateKey::Generate(KeyType::kP256);
  const auto shook_hands = [&](int names) {
    const Validity validity = testing::ValidNow();
    CertificateTemplate what{.serial = SerialNumber::Generate(validity.not_before),
                             .subject = *DistinguishedName::FromCommonName("client"),
                             .validity = validity,
                             .public_key = key.public_key()};
    for (int i = 0; i < names; ++i) {
      what.alternative_names.push_back(
          {AlternativeName::Kind::kDns, std::string(50, 'a') + std::to_string(i) + ".example.org"});
    }
    const auto identity = testing::Must(
        Identity::Create({.certificate_pem = testing::Must(IssueSelfSigned(what, key)).ToPem(),
                          .private_key_pem = key.ToPem().Reveal(),
                          .trust_bundle_pem = ThePki().root.pem(),
                          .allow_untrusted_chain = true},
                         validity.not_before + Seconds(1)));
    return RawTls(*server, {.identity = identity, .most = TLS1_2_VERSION}).shook_hands();
  };
  EXPECT_TRUE(shook_hands(100));
  EXPECT_FALSE(shook_hands(300));
}

TEST(HttpServerTlsTest, ANewIdentityServesTheConnectionsThatComeAfterIt) {
  const auto source = MemoryIdentitySource::Create(ThePki().NewIdentity("localhost"));
  const auto server = StartServer({.identity = source});
  RawTls before(*server);
  const auto newer = ThePki().NewIdentity("localhost");
  source->Set(newer);
  RawTls after(*server);
  EXPECT_NE(before.shown().at(0), newer->leaf().fingerprint());
  EXPECT_EQ(after.shown().at(0), newer->leaf().fingerprint());
  for (RawTls* const raw : {&before, &after}) {
    raw->Send(kGet);
    EXPECT_EQ(raw->ReceiveStatus(), 200);
  }
}

TEST(HttpServerTlsTest, AnIdentityThatCannotServeReplacesNothing) {
  const LogText log;
  const auto source = MemoryIdentitySource::Create(ThePki().NewIdentity("localhost"));
  const auto server = StartServer({.identity = source});
  source->Set(
      testing::Must(Identity::Create({.trust_bundle_pem = ThePki().root.pem()}, testing::Now())));
  EXPECT_TRUE(log.SoonHas("reason=certificate_missing"));
  EXPECT_TRUE(RawTls(*server).shook_hands());
}

TEST(HttpServerTlsTest, PlainHttpIsToldToUseHttps) {
  const LogText log;
  const auto server = StartServer(Https());
  RawConnection raw(*server);
  raw.Send(kGet);
  const std::string answer = raw.ReceiveAll();
  EXPECT_EQ(RawConnection::StatusOf(answer), 400);
  EXPECT_NE(answer.find("https://"), std::string::npos) << answer;
  EXPECT_TRUE(log.SoonHas("drop=plain_http reason=protocol_mismatch address=127.0.0.1:"));
}

TEST(HttpServerTlsTest, WhatIsNoTlsIsDropped) {
  const LogText log;
  const auto server = StartServer(Https());
  RawConnection garbage(*server);
  garbage.Send(std::string("\0\1\2\3", 4));
  EXPECT_TRUE(garbage.IsClosed());
  EXPECT_TRUE(log.SoonHas("drop=not_tls reason=protocol_mismatch"));

  RawConnection broken(*server);
  broken.Send("\x16\x03\x01 this is no ClientHello");
  broken.Send(std::string(10'000, 'x'));
  EXPECT_TRUE(broken.IsClosed());
  EXPECT_TRUE(log.SoonHas("drop=handshake_failed reason="));
  EXPECT_EQ(server->Statistics().handshakes_failed, 2U);
}

TEST(HttpServerTlsTest, AClientThatRefusesTheServerIsLoggedWithItsAlert) {
  const LogText log;
  const auto server = StartServer(Https());
  const TestAuthority other("other", testing::ValidForYears());
  const auto client =
      testing::NewClient({.trust = {.bundle = TrustBundle::FromCertificates({other.certificate()})},
                          .server_name = "localhost"});
  EXPECT_EQ(testing::CodeOfResult(testing::Get(*client, *server)), "issuer_unknown");
  EXPECT_TRUE(log.SoonHas("unknown ca")) << log.text();
}

TEST(HttpServerTlsTest, TheFirstRequestDoesNotWaitForADelayedAcknowledgement) {
  const auto server = StartServer(Https());
  auto quickest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    RawTls raw(*server);  // with Nagle's algorithm
    const auto begin = std::chrono::steady_clock::now();
    raw.Send(kGet);
    ASSERT_EQ(raw.ReceiveStatus(), 200);
    quickest = std::min(quickest, std::chrono::steady_clock::now() - begin);
  }
  EXPECT_LT(quickest, std::chrono::milliseconds(30));
}

TEST(HttpServerTlsTest, AFloodOfKeyUpdatesIsServedOn) {
  const auto server = StartServer(Https());
  RawTls raw(*server, {.most = TLS1_3_VERSION});
  for (int i = 0; i < 2000; ++i) {
    SSL_key_update(raw.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(raw.ssl());
  }
  raw.Send(kGet);
  EXPECT_EQ(raw.ReceiveStatus(), 200);
}

}  // namespace
}  // namespace troth
