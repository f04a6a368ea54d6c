#include <gtest/gtest.h>

#include <string>

#include "troth/http/http_testing.h"

namespace troth {
namespace {

using testing::MovedClock;
using testing::Must;
using testing::RawConnection;
using testing::RawTls;
using testing::ThePki;

constexpr std::string_view kPolicy = R"(
[roles]
operator = { dns = "operator" }
blocked  = { dns = "blocked" }

[[rules]]
methods = ["GET /open", "PUT /open"]
allow   = ["anyone"]
deny    = ["blocked"]

[[rules]]
methods = ["GET /closed", "PUT /closed"]
allow   = ["authenticated"]

[[rules]]
methods = ["GET /admin"]
allow   = ["operator"]
)";

class HttpServerGuardTest : public ::testing::Test {
 protected:
  HttpServerGuardTest() {
    GuardOptions options;
    options.policy_text = kPolicy;
    options.clock = &clock_;
    guard_ = Must(Guard::Create(std::move(options)));
    auto with_guard = testing::Https();
    with_guard.guard = guard_;
    server_ = testing::StartServer(std::move(with_guard));
  }

  // "200 name of the peer", or "401 reason".
  static std::string Say(HttpClient& client, const HttpServer& server, const std::string& path) {
    const auto answer = testing::Get(client, server, path);
    if (!answer.ok()) return std::string(answer.status().message());
    const std::string status = std::to_string(answer->status) + " ";
    if (answer->status == 200) {
      const size_t begin = answer->body.find(path) + path.size() + 1;
      return status + answer->body.substr(begin, answer->body.size() - begin - 1);
    }
    const std::string key = "\"code\":\"";
    const size_t begin = answer->body.find(key) + key.size();
    return status + answer->body.substr(begin, answer->body.find('"', begin) - begin);
  }
  std::string Say(std::shared_ptr<const Identity> identity, const std::string& path) const {
    return Say(*testing::NewClient(testing::Trusting(std::move(identity))), *server_, path);
  }

  MovedClock clock_;
  std::shared_ptr<Guard> guard_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerGuardTest, CallersWithoutACertificateAreAnonymous) {
  EXPECT_EQ(Say(nullptr, "/open"), "200 anonymous");
  EXPECT_EQ(Say(nullptr, "/closed"), "401 peer_not_authenticated");
}

TEST_F(HttpServerGuardTest, CallersWithAGoodCertificateAreTheirPeer) {
  EXPECT_EQ(Say(ThePki().NewIdentity("device-7"), "/open"), "200 device-7");
  EXPECT_EQ(Say(ThePki().NewIdentity("device-7"), "/closed"), "200 device-7");
  EXPECT_EQ(Say(ThePki().NewIdentity("operator"), "/admin"), "200 operator");
}

TEST_F(HttpServerGuardTest, ACertificateThatIsNotTrustedMakesItsHolderAnonymous) {
  struct Row {
    std::shared_ptr<const Identity> identity;
    std::string code;
  };
  const Validity past = {testing::Now() - std::chrono::hours(48),
                         testing::Now() - std::chrono::hours(24)};
  const Validity future = {testing::Now() + std::chrono::hours(24),
                           testing::Now() + std::chrono::hours(48)};
  const testing::Pki other;
  for (const auto& [identity, code] :
       {Row{ThePki().IdentityOf(ThePki().Issue("old", past)), "certificate_expired"},
        Row{ThePki().IdentityOf(ThePki().Issue("new", future)), "certificate_not_yet_valid"},
        Row{other.NewIdentity("stranger"), "signature_invalid"}}) {
    EXPECT_EQ(Say(identity, "/open"), "200 anonymous") << code;
    // Refused, they are told what is wrong with it.
    EXPECT_EQ(Say(identity, "/closed"), "401 " + code);
  }
}

TEST_F(HttpServerGuardTest, WhoIsRefusedByARuleDoesNotGetInAsNobody) {
  EXPECT_EQ(Say(ThePki().NewIdentity("blocked"), "/open"), "403 rule_denied");
  EXPECT_EQ(Say(ThePki().NewIdentity("device-7"), "/admin"), "403 role_not_allowed");
}

TEST_F(HttpServerGuardTest, EachRequestOfAConnectionIsJudgedAnew) {
  const auto client = testing::NewClient(testing::Trusting(ThePki().NewIdentity("device-7")));
  EXPECT_EQ(Say(*client, *server_, "/closed"), "200 device-7");
  clock_.Move(std::chrono::hours(48));
  EXPECT_EQ(Say(*client, *server_, "/closed"), "401 certificate_expired");
  EXPECT_EQ(Say(*client, *server_, "/open"), "200 anonymous");
  clock_.Move(-std::chrono::hours(48));
  // A refusal holds for a while.
  EXPECT_EQ(server_->Statistics().accepted, 1U);
}

TEST_F(HttpServerGuardTest, SpellingsOfAPathAreOneMethod) {
  EXPECT_EQ(Say(nullptr, "/clos%65d"), "401 peer_not_authenticated");
  RawTls raw(*server_);
  raw.Send("GET https://localhost/cl%6Fsed?x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(raw.ReceiveStatus(), 401);
  raw.Send("GET /open?x=/closed HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(raw.ReceiveStatus(), 200);
}

TEST_F(HttpServerGuardTest, ARefusedRequestCostsNoMoreThanASmallBody) {
  const std::string put = "PUT /closed HTTP/1.1\r\nHost: a\r\n";
  {  // Small: read to its end, the connection goes on.
    RawTls raw(*server_);
    raw.Send(put + "Content-Length: 5\r\n\r\nhello");
    EXPECT_EQ(raw.ReceiveStatus(), 401);
    raw.Send(put + "Content-Length: 5\r\n\r\nhe");
    raw.Send("llo");
    EXPECT_EQ(raw.ReceiveStatus(), 401);
    raw.Send("GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(raw.ReceiveStatus(), 200);
  }
  for (const std::string fields :
       {"Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n",
        "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"}) {
    RawTls raw(*server_);
    raw.Send(put + fields);
    const std::string answer = raw.ReceiveAnswer();
    EXPECT_EQ(RawConnection::StatusOf(answer), 401) << fields;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << fields;
    EXPECT_EQ(raw.ReceiveAll(), "") << fields;
  }
}

TEST_F(HttpServerGuardTest, APlainPortGuardsWithoutCertificates) {
  const auto plain = testing::StartServer({.guard = guard_});
  RawConnection raw(*plain);
  raw.Send("GET /open HTTP/1.1\r\nHost: a\r\n\r\nGET /closed HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(raw.ReceiveStatus(), 200);
  EXPECT_EQ(raw.ReceiveStatus(), 401);
}

}  // namespace
}  // namespace troth
