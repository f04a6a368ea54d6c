#include "troth/rpc/handshake_log.h"

#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <mutex>

#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::TestAuthority;

class HandshakeLog : public ::testing::Test {
 protected:
  void SetUp() override {
    EnableHandshakeLog({.on_failure = [this](const HandshakeFailure& failure) {
      const std::lock_guard lock(mutex_);
      failures_.push_back(failure.reason);
    }});
  }
  void TearDown() override { EnableHandshakeLog({}); }
  bool Saw(Reason reason) {
    return testing::Eventually([&] {
      const std::lock_guard lock(mutex_);
      return std::ranges::find(failures_, reason) != failures_.end();
    });
  }

  const TestAuthority ours_{"ours"};
  const KeyPair server_ = ours_.Issue({.common_name = "server", .names = {"127.0.0.1"}});
  testing::LogCapture log_;

 private:
  std::mutex mutex_;
  std::vector<Reason> failures_;  // guarded by mutex_
};

TEST_F(HandshakeLog, SaysThatAClientShowedNoCertificate) {
  testing::TestServer server(ServerCredentials(testing::SourceOf(server_, ours_.Pem()),
                                               testing::GuardOf(testing::kAuthenticatedMayAll)));
  const auto trusting = MemoryIdentitySource::Create(testing::TrustOnly(ours_.Pem()));
  EXPECT_FALSE(
      testing::Say(testing::Connect(server.target(), ChannelCredentials(trusting))).status.ok());
  EXPECT_TRUE(Saw(Reason::kClientCertificateMissing)) << log_.text();
  EXPECT_TRUE(log_.Has("reason=client_certificate_missing"));
  EXPECT_TRUE(log_.Has("fix="));
}

TEST_F(HandshakeLog, SaysThatAClientsCertificateDidNotVerify) {
  testing::TestServer server(ServerCredentials(testing::SourceOf(server_, ours_.Pem()),
                                               testing::GuardOf(testing::kAuthenticatedMayAll)));
  const auto self = testing::SourceOf(testing::SelfSigned({.common_name = "x"}), ours_.Pem());
  EXPECT_FALSE(
      testing::Say(testing::Connect(server.target(), ChannelCredentials(self))).status.ok());
  EXPECT_TRUE(Saw(Reason::kHandshakeFailed)) << log_.text();
  EXPECT_TRUE(log_.Has("did not verify")) << log_.text();
  EXPECT_TRUE(log_.Has("Verification::kAtFirstCall")) << log_.text();
}

TEST_F(HandshakeLog, SaysThatAClientSpeaksNoTls) {
  testing::TestServer server(ServerCredentials(testing::SourceOf(server_, ours_.Pem()),
                                               testing::GuardOf(testing::kAuthenticatedMayAll)));
  EXPECT_FALSE(testing::Say(testing::Connect(server.target(), grpc::InsecureChannelCredentials()))
                   .status.ok());
  EXPECT_TRUE(Saw(Reason::kProtocolMismatch)) << log_.text();
}

TEST_F(HandshakeLog, PassesTheRestOfGrpcsLogOn) {
  gpr_log(GPR_ERROR, "something %s", "else");
  EXPECT_TRUE(log_.Has("something else")) << log_.text();
  EXPECT_TRUE(log_.Has("source=grpc"));
}

TEST_F(HandshakeLog, IsNotFloodedByFailures) {
  constexpr int kMany = 200;
  for (int i = 0; i < kMany; ++i) {
    gpr_log("/tsi/ssl_transport_security.cc", 1, GPR_LOG_SEVERITY_ERROR, "%s",
            "Handshake failed: peer did not return a certificate");
  }
  const std::string text = log_.text();
  int lines = 0;
  for (size_t at = 0; (at = text.find("client_certificate_missing", at)) != std::string::npos;
       ++at) {
    ++lines;
  }
  EXPECT_GE(lines, 1);
  EXPECT_LE(lines, 20) << "ten a second, in at most two seconds";
}

}  // namespace
}  // namespace troth
