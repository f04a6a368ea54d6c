// Whom a channel accepts, and what it says of whom it refuses.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "troth/base/file.h"
#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::Must;
using testing::TestAuthority;

class Channels : public ::testing::Test {
 protected:
  testing::Answer Ask(const KeyPair& server, const ExpectedServer& expected,
                      ChannelOptions options = {}) {
    testing::TestServer running(ServerCredentials(testing::SourceOf(server, ours_.Pem()), guard_));
    EXPECT_TRUE(running.started());
    options.server = expected;
    return testing::Say(
        testing::Connect(running.target(), ChannelCredentials(client_, std::move(options))));
  }
  std::string AskFor(const KeyPair& server, const ExpectedServer& expected) {
    return testing::CodeOfAnswer(Ask(server, expected).status);
  }

  const TestAuthority ours_{"ours"};
  const TestAuthority other_{"other"};
  const std::shared_ptr<Guard> guard_ = testing::GuardOf(testing::kAuthenticatedMayAll);
  const std::shared_ptr<MemoryIdentitySource> client_ =
      testing::SourceOf(ours_.Issue({.common_name = "client", .names = {"client"}}), ours_.Pem());
  const KeyPair server_ =
      ours_.Issue({.common_name = "s", .names = {"localhost", "127.0.0.1", "spiffe://example/s"}});
};

TEST_F(Channels, AcceptWhomTheyExpect) {
  EXPECT_EQ(AskFor(server_, ExpectedServer()), "ok");
  EXPECT_EQ(AskFor(server_, ExpectDnsName("localhost")), "ok");
  EXPECT_EQ(AskFor(server_, ExpectDnsName("127.0.0.1")), "ok");
  EXPECT_EQ(AskFor(server_, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://example/s")))), "ok");
  EXPECT_EQ(AskFor(server_, ExpectPinned({server_.certificate.fingerprint()})), "ok");
}

TEST_F(Channels, RefuseEverybodyElseWithTheReason) {
  const KeyPair nameless = ours_.Issue({.common_name = "localhost", .names = {"elsewhere"}});
  EXPECT_EQ(AskFor(nameless, ExpectedServer()), "name_mismatch");
  EXPECT_EQ(AskFor(server_, ExpectDnsName("db")), "name_mismatch");
  EXPECT_EQ(AskFor(server_, ExpectSpiffeId(Must(SpiffeId::Parse("spiffe://example/t")))),
            "name_mismatch");
  EXPECT_EQ(AskFor(server_, ExpectPinned({nameless.certificate.fingerprint()})), "peer_not_pinned");
  const KeyPair foreign = other_.Issue({.common_name = "s", .names = {"127.0.0.1"}});
  EXPECT_EQ(AskFor(foreign, ExpectedServer()), "issuer_unknown");
}

TEST_F(Channels, AcceptASelfSignedServerByItsPinOnly) {
  const KeyPair self = testing::SelfSigned({.common_name = "s", .names = {"127.0.0.1"}});
  EXPECT_EQ(AskFor(self, ExpectPinned({self.certificate.fingerprint()})), "ok");
  EXPECT_EQ(AskFor(self, ExpectedServer()), "certificate_self_signed");
}

TEST_F(Channels, SayInTheStatusAndTheLogWhatWasExpected) {
  const testing::LogCapture log;
  const testing::Answer answer = Ask(server_, ExpectDnsName("db"));
  EXPECT_EQ(answer.raw.error_code(), grpc::StatusCode::UNAVAILABLE);
  for (const std::string& text : {answer.raw.error_message(), log.text()}) {
    EXPECT_NE(text.find("DNS:db"), std::string::npos) << text;
    EXPECT_NE(text.find("DNS:localhost"), std::string::npos) << text;
  }
  EXPECT_NE(answer.raw.error_message().find("[troth:name_mismatch]"), std::string::npos);
  EXPECT_TRUE(log.Has("reason=name_mismatch"));
}

TEST_F(Channels, WithoutACertificateShowNone) {
  testing::TestServer server(ServerCredentials(
      testing::SourceOf(server_, ours_.Pem()), testing::GuardOf(testing::kAnyoneMayAll),
      {.client_certificate = ClientCertificate::kVerifyIfGiven}));
  const auto trusting = MemoryIdentitySource::Create(testing::TrustOnly(ours_.Pem()));
  EXPECT_EQ(testing::Say(testing::Connect(server.target(), ChannelCredentials(trusting))).text,
            "anonymous");
}

TEST_F(Channels, WithoutAnIdentityConnectToNobody) {
  testing::TestServer server(ServerCredentials(
      testing::SourceOf(server_, ours_.Pem()), testing::GuardOf(testing::kAnyoneMayAll),
      {.client_certificate = ClientCertificate::kDontRequest}));
  const auto credentials = ChannelCredentials(nullptr);
  ASSERT_NE(credentials, nullptr);
  EXPECT_EQ(
      testing::CodeOfAnswer(testing::Say(testing::Connect(server.target(), credentials)).status),
      "configuration_invalid");
  EXPECT_EQ(server.service.calls, 0);
}

TEST_F(Channels, TrustNobodyWithoutABundle) {
  testing::TestServer server(ServerCredentials(
      testing::SourceOf(server_, ours_.Pem()), testing::GuardOf(testing::kAnyoneMayAll),
      {.client_certificate = ClientCertificate::kDontRequest}));
  const auto nobody = MemoryIdentitySource::Create(testing::TrustOnly(""));
  EXPECT_EQ(testing::CodeOfAnswer(
                testing::Say(testing::Connect(server.target(), ChannelCredentials(nobody))).status),
            "issuer_unknown");
}

TEST_F(Channels, HeedRevocationListsAndRefuseWithoutOneThatCannotBeRead) {
  const std::string folder =
      ::testing::TempDir() + "troth_channel_test_" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  const Time now = Clock::System().Now();
  const Crl list = Must(
      IssueCrl({.this_update = now - testing::hours(1),
                .next_update = now + testing::hours(1),
                .entries = {{.serial = server_.certificate.serial_number(), .revoked_at = now}}},
               ours_.signer()));
  const std::string path = folder + "/ca.crl";
  ASSERT_TRUE(WriteFile(path, list.ToPem(), {.overwrite = Overwrite::kReplace}).ok());
  EXPECT_EQ(testing::CodeOfAnswer(Ask(server_, {}, {.crl_files = {path}}).status),
            "certificate_revoked");
  EXPECT_EQ(testing::CodeOfAnswer(Ask(server_, {}, {.crl_files = {folder + "/none.crl"}}).status),
            "file_not_found");
  std::filesystem::remove_all(folder);
}

TEST_F(Channels, FollowTheirRevocationListsAndKeepTheLastGoodOnes) {
  const std::string folder =
      ::testing::TempDir() + "troth_channel_lists_test_" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/ca.crl";
  const auto write = [&](const std::string& text) {
    ASSERT_TRUE(WriteFile(path, text, {.overwrite = Overwrite::kReplace}).ok());
  };
  const Time now = Clock::System().Now();
  CrlTemplate what{.this_update = now - testing::hours(2), .next_update = now + testing::hours(1)};
  write(Must(IssueCrl(what, ours_.signer())).ToPem());

  testing::TestServer server(ServerCredentials(testing::SourceOf(server_, ours_.Pem()), guard_));
  const auto credentials = ChannelCredentials(client_, {.crl_files = {path}});
  const auto ask = [&] {
    return testing::CodeOfAnswer(
        testing::Say(testing::Connect(server.target(), credentials)).status);
  };
  EXPECT_EQ(ask(), "ok");
  what.this_update = now - testing::hours(1);
  what.number = 2;
  what.entries = {{.serial = server_.certificate.serial_number(), .revoked_at = now}};
  write(Must(IssueCrl(what, ours_.signer())).ToPem());
  EXPECT_TRUE(testing::Eventually([&] { return ask() == "certificate_revoked"; }));
  const testing::LogCapture log;
  write("not a list");
  EXPECT_TRUE(testing::Eventually([&] { return log.Has("revocation list not in use"); }));
  EXPECT_EQ(ask(), "certificate_revoked");
  std::filesystem::remove_all(folder);
}

TEST_F(Channels, NeverWriteTheKeyToADisk) {
  // The key lies behind a descriptor that has no name in any folder.
  testing::TestServer server(ServerCredentials(testing::SourceOf(server_, ours_.Pem()), guard_));
  const auto channel = testing::Connect(server.target(), ChannelCredentials(client_));
  ASSERT_TRUE(testing::Say(channel).status.ok());
  int in_memory = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (target.starts_with("/memfd:troth")) ++in_memory;
  }
  EXPECT_GE(in_memory, 1);
}

}  // namespace
}  // namespace troth
