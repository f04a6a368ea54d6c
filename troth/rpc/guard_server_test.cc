// GuardServer: limits, registered methods, ports without a guard.
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <gtest/gtest.h>

#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::Talk;
using testing::TestAuthority;
using testing::Text;

class GuardServerTest : public ::testing::Test {
 protected:
  std::shared_ptr<grpc::ServerCredentials> Server(const std::shared_ptr<Guard>& guard) const {
    return ServerCredentials(server_, guard);
  }
  const TestAuthority ours_{"ours"};
  const std::shared_ptr<MemoryIdentitySource> server_ = testing::SourceOf(
      ours_.Issue({.common_name = "server", .names = {"127.0.0.1"}}), ours_.Pem());
  const std::shared_ptr<MemoryIdentitySource> client_ =
      testing::SourceOf(ours_.Issue({.common_name = "client", .names = {"client"}}), ours_.Pem());
  const std::shared_ptr<Guard> guard_ = testing::GuardOf(testing::kAuthenticatedMayAll);
};

TEST_F(GuardServerTest, StartsWhenEveryPortIsGuarded) {
  const testing::TestServer server(Server(guard_), [&](grpc::ServerBuilder& builder) {
    GuardServer(builder, guard_);
    builder.AddListeningPort("127.0.0.1:0", Server(guard_));
  });
  ASSERT_TRUE(server.started());
  EXPECT_TRUE(
      testing::Say(testing::Connect(server.target(), ChannelCredentials(client_))).status.ok());
}

TEST_F(GuardServerTest, DoesNotStartWithAPortThatItsGuardDoesNotProtect) {
  const auto other = testing::GuardOf(testing::kAnyoneMayAll);
  const std::shared_ptr<grpc::ServerCredentials> unguarded[] = {
      grpc::InsecureServerCredentials(),
      Server(other),
  };
  for (const auto& credentials : unguarded) {
    for (const bool guard_first : {true, false}) {
      const testing::LogCapture log;
      const testing::TestServer server(Server(guard_), [&](grpc::ServerBuilder& builder) {
        if (guard_first) GuardServer(builder, guard_);
        builder.AddListeningPort("127.0.0.1:0", credentials);
        if (!guard_first) GuardServer(builder, guard_);
      });
      EXPECT_FALSE(server.started());
      EXPECT_TRUE(log.Has("reason=connection_not_guarded")) << log.text();
    }
  }
}

TEST_F(GuardServerTest, TellsTheGuardWhichMethodsThereAreForLint) {
  const auto guard = testing::GuardOf(
      "[[rules]]\nmethods = [\"/troth.testing.Talk/Say\"]\nallow = [\"authenticated\"]\n");
  const testing::LogCapture log;
  const testing::TestServer server(
      Server(guard), [&](grpc::ServerBuilder& builder) { GuardServer(builder, guard); });
  ASSERT_TRUE(server.started());
  EXPECT_TRUE(log.Has("/troth.testing.Talk/Chat")) << log.text();
  EXPECT_FALSE(log.Has("/troth.testing.Talk/Say")) << log.text();
}

TEST_F(GuardServerTest, LimitsTheCallsThatAConnectionHasOpen) {
  testing::TestServer server(Server(guard_), [&](grpc::ServerBuilder& builder) {
    GuardServer(builder, guard_, {.max_concurrent_calls_per_connection = 2});
  });
  const auto channel = testing::Connect(server.target(), ChannelCredentials(client_));
  const auto stub = Talk::NewStub(channel);
  // Two streams that stay open.
  grpc::ClientContext contexts[2];
  std::unique_ptr<grpc::ClientReaderWriter<Text, Text>> streams[2];
  Text text;
  for (int i = 0; i < 2; ++i) {
    streams[i] = stub->Chat(&contexts[i]);
    ASSERT_TRUE(streams[i]->Write(text));
    ASSERT_TRUE(streams[i]->Read(&text));
  }
  // A third call waits, until one of them ends.
  std::atomic<bool> done = false;
  grpc::Status status;
  std::thread third([&] {
    grpc::ClientContext context;
    Text reply;
    status = stub->Say(&context, text, &reply);
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(done);
  streams[0]->WritesDone();
  EXPECT_TRUE(streams[0]->Finish().ok());
  third.join();
  EXPECT_TRUE(status.ok());
  streams[1]->WritesDone();
  EXPECT_TRUE(streams[1]->Finish().ok());
}

}  // namespace
}  // namespace troth
