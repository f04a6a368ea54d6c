// What a server logs and a client is told when TLS between them goes wrong: for each fault a reason
// of the table, and what to do.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "troth/http/http_testing.h"

namespace troth {
namespace {

using testing::LogText;
using testing::Must;
using testing::RawConnection;
using testing::RawTls;
using testing::ThePki;

constexpr std::string_view kPolicy =
    "[[rules]]\nmethods = [\"GET /\"]\nallow = [\"authenticated\"]\n";

// An identity with a chain of one, trusted by nobody or by the tests' root.
std::shared_ptr<const Identity> IdentityOf(const Leaf& leaf, const std::string& bundle) {
  return Must(Identity::Create({.certificate_pem = leaf.certificate_pem,
                                .private_key_pem = leaf.key_pem,
                                .trust_bundle_pem = bundle,
                                .allow_untrusted_chain = true},
                               leaf.certificate.validity().not_before + Seconds(1)));
}

// A certificate of the tests' issuer for one usage.
std::shared_ptr<const Identity> IdentityFor(const std::string& usage) {
  const TestAuthority& issuer = ThePki().issuer;
  const Signer signer = Must(Signer::Create(
      issuer.certificate(), Must(PrivateKey::FromPem(issuer.key().ToPem().Reveal()))));
  const PrivateKey key = Must(PrivateKey::Generate(KeyType::kP256));
  const Certificate leaf =
      Must(Issue({.serial = SerialNumber::Generate(testing::Now()),
                  .subject = Must(DistinguishedName::FromCommonName("localhost")),
                  .validity = testing::ValidNow(),
                  .public_key = key.public_key(),
                  .alternative_names = {{AlternativeName::Kind::kDns, "localhost"}},
                  .extended_key_usage = {usage}},
                 signer));
  return ThePki().IdentityOf({leaf, leaf.ToPem(), std::string(key.ToPem().Reveal())});
}

const Validity& Past() {
  static const Validity past = {testing::Now() - std::chrono::hours(48),
                                testing::Now() - std::chrono::hours(24)};
  return past;
}

std::shared_ptr<const Identity> Stranger() {
  static const TestAuthority authority("stranger-ca", testing::ValidForYears());
  return IdentityOf(
      authority.IssueLeaf({.common_name = "localhost", .validity = testing::ValidNow()}),
      authority.pem());
}

struct Fault {
  std::string_view name;
  // Calls the server at an address, and says the reason code that the client was given; empty for
  // clients that are not ours.
  std::function<std::string(const HttpServer&)> call;
  std::string_view client;                        // that code
  std::string_view server;                        // the reason of the server's line
  std::shared_ptr<const Identity> identity = {};  // the server's; ThePki's unless given
};

// The code of an answer or of a failure, each with what to do.
std::string CodeOfCall(const HttpServer& server, HttpClientOptions options) {
  const auto answer = testing::Get(*testing::NewClient(std::move(options)), server);
  if (!answer.ok()) {
    EXPECT_FALSE(FixOf(answer.status()).empty());
    EXPECT_NE(ToStd(answer.status().message()).find("https://"), std::string_view::npos)
        << "whom it is about: " << answer.status();
    return std::string(CodeOf(answer.status()));
  }
  for (const ReasonInfo& info : AllReasons()) {
    if (answer->body.find("\"code\":\"" + std::string(info.code) + "\"") == std::string::npos) {
      continue;
    }
    EXPECT_NE(answer->body.find(info.fix), std::string::npos) << answer->body;
    return std::string(info.code);
  }
  return "ok";
}

std::function<std::string(const HttpServer&)> CallAs(std::shared_ptr<const Identity> identity) {
  return [identity = std::move(identity)](const HttpServer& server) {
    return CodeOfCall(server, testing::Trusting(identity));
  };
}

std::string ShakeHands(const HttpServer& server, const RawTls::Options& options) {
  EXPECT_FALSE(RawTls(server, options).shook_hands());
  return "";
}

std::vector<Fault> Faults() {
  return {
      {"a client without a certificate", CallAs(nullptr), "peer_not_authenticated",
       "peer_not_authenticated"},
      {"a client's certificate of another authority", CallAs(Stranger()), "issuer_unknown",
       "issuer_unknown"},
      {"a client's certificate that has expired",
       CallAs(ThePki().IdentityOf(ThePki().Issue("old", Past()))), "certificate_expired",
       "certificate_expired"},
      {"a client's certificate that is for servers",
       CallAs(IdentityFor(std::string(kServerAuthOid))), "usage_not_allowed", "usage_not_allowed"},
      {"a server of another name",
       [](const HttpServer& server) {
         auto options = testing::Trusting();
         options.server_name = "db.example";
         return CodeOfCall(server, std::move(options));
       },
       "name_mismatch", "peer_rejected_certificate"},
      {"a server of another authority", CallAs(nullptr), "issuer_unknown",
       "peer_rejected_certificate", Stranger()},
      {"a server's certificate that has expired", CallAs(nullptr), "certificate_expired",
       "peer_rejected_certificate", ThePki().IdentityOf(ThePki().Issue("localhost", Past()))},
      {"a server's certificate that is for clients", CallAs(nullptr), "usage_not_allowed",
       "peer_rejected_certificate", IdentityFor(std::string(kClientAuthOid))},
      {"plain HTTP to a port of HTTPS",
       [](const HttpServer& server) {
         RawConnection raw(server);
         raw.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
         EXPECT_EQ(raw.ReceiveStatus(), 400);
         return std::string();
       },
       "", "protocol_mismatch"},
      {"neither TLS nor HTTP",
       [](const HttpServer& server) {
         RawConnection raw(server);
         raw.Send(std::string("\0\1\2\3", 4));
         EXPECT_TRUE(raw.IsClosed());
         return std::string();
       },
       "", "protocol_mismatch"},
      {"a client of TLS 1.0",
       [](const HttpServer& server) { return ShakeHands(server, {.most = TLS1_VERSION}); }, "",
       "protocol_mismatch"},
      {"a client that speaks HTTP/2 only",
       [](const HttpServer& server) { return ShakeHands(server, {.wire_protocols = "\x02h2"}); },
       "", "protocol_mismatch"},
      {"a client that hangs up",
       [](const HttpServer& server) {
         RawConnection raw(server);
         raw.Send("\x16\x03\x01");
         raw.Hangup();
         return std::string();
       },
       "", "handshake_failed"},
  };
}

// The line of `text` that has the reason.
std::string LineWith(const std::string& text, const std::string& reason) {
  const size_t at = text.find("reason=" + reason + " ");
  if (at == std::string::npos) return {};
  const size_t before = text.rfind('\n', at);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

TEST(HandshakeFaultsTest, EachIsToldOnBothSidesWithItsReasonAndItsFix) {
  for (const Fault& fault : Faults()) {
    SCOPED_TRACE(fault.name);
    const LogText log;
    GuardOptions guard;
    guard.policy_text = kPolicy;
    auto options = testing::Https();
    options.guard = Must(Guard::Create(std::move(guard)));
    if (fault.identity != nullptr) options.identity = MemoryIdentitySource::Create(fault.identity);
    const auto server = testing::StartServer(std::move(options));
    EXPECT_EQ(fault.call(*server), fault.client);
    const std::string reason(fault.server);
    EXPECT_TRUE(log.SoonHas("reason=" + reason + " ")) << log.text();
    const std::string line = LineWith(log.text(), reason);
    EXPECT_NE(line.find(InfoOf(*ReasonFromCode(reason)).fix), std::string::npos) << line;
    EXPECT_NE(line.find("address=127.0.0.1:"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace troth
