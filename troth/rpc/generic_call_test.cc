#include "troth/rpc/generic_call.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::TestAuthority;

class GenericCalls : public ::testing::Test {
 protected:
  std::string Call(const std::string& method, const std::shared_ptr<const Identity>& identity,
                   std::string_view policy = testing::kAuthenticatedMayAll) {
    testing::TestServer running(
        ServerCredentials(testing::SourceOf(server_, ours_.Pem()), testing::GuardOf(policy),
                          {.client_certificate = ClientCertificate::kVerifyIfGiven}));
    const absl::StatusOr<std::string> answer = CallMethod({.target = running.target(),
                                                           .server_name = "localhost",
                                                           .server_certificate = pin_,
                                                           .identity = identity,
                                                           .method = method});
    if (answer.ok()) return "ok";
    return ReasonOf(answer.status()).has_value() ? testing::CodeOfAnswer(answer.status())
                                                 : absl::StatusCodeToString(answer.status().code());
  }

  const TestAuthority ours_{"ours"};
  const KeyPair server_ = ours_.Issue({.common_name = "s", .names = {"localhost"}});
  const std::shared_ptr<const Identity> client_ =
      testing::IdentityOf(ours_.Issue({.common_name = "client", .names = {"client"}}), ours_.Pem());
  Sha256Digest pin_ = server_.certificate.fingerprint();
};

TEST_F(GenericCalls, ReachAMethodByItsName) {
  EXPECT_EQ(Call("/troth.testing.Talk/Say", client_), "ok");
  EXPECT_EQ(Call("/troth.testing.Talk/Sing", client_), "UNIMPLEMENTED");
}

TEST_F(GenericCalls, KeepTheReasonOfARefusal) {
  EXPECT_EQ(Call("/troth.testing.Talk/Say", testing::TrustOnly("")), "peer_not_authenticated");
  pin_[0] ^= 1;
  EXPECT_EQ(Call("/troth.testing.Talk/Say", client_), "peer_not_pinned");
}

TEST_F(GenericCalls, EndInTime) {
  // A port that takes connections and says nothing.
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listening, 4), 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  const auto begin = std::chrono::steady_clock::now();
  const absl::StatusOr<std::string> answer =
      CallMethod({.target = "ipv4:127.0.0.1:" + std::to_string(ntohs(address.sin_port)),
                  .server_certificate = pin_,
                  .identity = client_,
                  .method = "/a.B/C",
                  .timeout = std::chrono::milliseconds(300)});
  EXPECT_FALSE(answer.ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  close(listening);
}

}  // namespace
}  // namespace troth
