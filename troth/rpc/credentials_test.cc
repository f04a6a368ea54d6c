// Every style of service and every kind of call is guarded, and what cannot be guarded does not
// start.
#include "troth/rpc/credentials.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <gtest/gtest.h>

#include "troth/rpc/rpc_testing.h"

namespace troth {
namespace {

using testing::KeyPair;
using testing::Talk;
using testing::TestAuthority;
using testing::Text;

constexpr std::string_view kSayOnly =
    "[roles]\nsayer = { dns = \"sayer\" }\nother = { dns = \"other\" }\n"
    "[[rules]]\nmethods = [\"/troth.testing.Talk/*\"]\nallow = [\"sayer\"]\n";

class Credentials : public ::testing::Test {
 protected:
  std::shared_ptr<grpc::ServerCredentials> Server(std::string_view policy,
                                                  ServerOptions options = {}) {
    return ServerCredentials(testing::SourceOf(server_, ours_.Pem()), testing::GuardOf(policy),
                             options);
  }
  std::shared_ptr<grpc::ChannelCredentials> Client(const KeyPair& pair,
                                                   ChannelOptions options = {}) {
    return ChannelCredentials(testing::SourceOf(pair, ours_.Pem()), std::move(options));
  }

  // Calls each kind of method with `channel` and gives the answers, one a kind.
  static std::vector<std::string> CallEveryKind(const std::shared_ptr<grpc::Channel>& channel) {
    std::vector<std::string> answers;
    const auto add = [&](const grpc::Status& status) {
      answers.push_back(testing::CodeOfAnswer(StatusOfCall(status)));
    };
    const auto stub = Talk::NewStub(channel);
    Text text;
    text.set_text("x");
    {
      grpc::ClientContext context;
      Text reply;
      add(stub->Say(&context, text, &reply));
    }
    {
      grpc::ClientContext context;
      Text reply;
      const auto reader = stub->Listen(&context, text);
      while (reader->Read(&reply)) {
      }
      add(reader->Finish());
    }
    {
      grpc::ClientContext context;
      Text reply;
      const auto writer = stub->Tell(&context, &reply);
      writer->Write(text);
      writer->WritesDone();
      add(writer->Finish());
    }
    {
      grpc::ClientContext context;
      Text reply;
      const auto stream = stub->Chat(&context);
      stream->Write(text);
      stream->WritesDone();
      while (stream->Read(&reply)) {
      }
      add(stream->Finish());
    }
    return answers;
  }

  const TestAuthority ours_{"ours"};
  const KeyPair server_ =
      ours_.Issue({.common_name = "server", .names = {"localhost", "127.0.0.1"}});
  const KeyPair sayer_ = ours_.Issue({.common_name = "sayer", .names = {"sayer"}});
  const KeyPair other_ = ours_.Issue({.common_name = "other", .names = {"other"}});
  const std::vector<std::string> all_ok_ = {"ok", "ok", "ok", "ok"};
  const std::vector<std::string> all_refused_ = std::vector<std::string>(4, "role_not_allowed");
};

TEST_F(Credentials, GuardASyncService) {
  testing::TestServer server(Server(kSayOnly));
  ASSERT_TRUE(server.started());
  EXPECT_EQ(CallEveryKind(testing::Connect(server.target(), Client(sayer_))), all_ok_);
  EXPECT_EQ(server.service.calls, 4);
  EXPECT_EQ(CallEveryKind(testing::Connect(server.target(), Client(other_))), all_refused_);
  EXPECT_EQ(server.service.calls, 4);
}

TEST_F(Credentials, GuardACallbackService) {
  class Service final : public Talk::CallbackService {
   public:
    grpc::ServerUnaryReactor* Say(grpc::CallbackServerContext* context, const Text* /*request*/,
                                  Text* reply) override {
      reply->set_text(PeerOf(*context)->Describe());
      auto* reactor = context->DefaultReactor();
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
    grpc::ServerBidiReactor<Text, Text>* Chat(grpc::CallbackServerContext* context) override {
      class Reactor final : public grpc::ServerBidiReactor<Text, Text> {
       public:
        explicit Reactor(std::string name) {
          text_.set_text(std::move(name));
          StartWrite(&text_);
        }
        void OnWriteDone(bool /*ok*/) override { Finish(grpc::Status::OK); }
        void OnDone() override { delete this; }

       private:
        Text text_;
      };
      return new Reactor(PeerOf(*context)->Describe());
    }
  } service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", Server(kSayOnly), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const std::string target = "127.0.0.1:" + std::to_string(port);

  const auto allowed = testing::Connect(target, Client(sayer_));
  EXPECT_EQ(testing::Say(allowed).text, "sayer");
  const auto stub = Talk::NewStub(allowed);
  grpc::ClientContext context;
  Text text;
  const auto stream = stub->Chat(&context);
  EXPECT_TRUE(stream->Read(&text));
  EXPECT_EQ(text.text(), "sayer");
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(CallEveryKind(testing::Connect(target, Client(other_))), all_refused_);
}

TEST_F(Credentials, GuardAnAsyncService) {
  Talk::AsyncService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", Server(kSayOnly), &port);
  builder.RegisterService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const std::string target = "127.0.0.1:" + std::to_string(port);

  struct Waiting {
    grpc::ServerContext context;
    Text request;
    grpc::ServerAsyncResponseWriter<Text> writer{&context};
  } waiting;
  service.RequestSay(&waiting.context, &waiting.request, &waiting.writer, queue.get(), queue.get(),
                     &waiting);
  std::atomic<int> handled = 0;
  std::thread poller([&] {
    void* tag = nullptr;
    bool ok = false;
    while (queue->Next(&tag, &ok)) {
      if (!ok || tag != &waiting || handled != 0) continue;
      ++handled;
      Text reply;
      reply.set_text(PeerOf(waiting.context)->Describe());
      waiting.writer.Finish(reply, grpc::Status::OK, nullptr);
    }
  });
  EXPECT_EQ(testing::CodeOfAnswer(testing::Say(testing::Connect(target, Client(other_))).status),
            "role_not_allowed");
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(testing::Say(testing::Connect(target, Client(sayer_))).text, "sayer");
  EXPECT_EQ(handled, 1);
  server->Shutdown(std::chrono::system_clock::now());
  queue->Shutdown();
  poller.join();
}

// One call of `method` with no message worth reading.
std::string CallByName(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, method, &queue);
  void* tag = nullptr;
  bool ok = false;
  stream->StartCall(nullptr);
  queue.Next(&tag, &ok);
  stream->WritesDone(nullptr);
  queue.Next(&tag, &ok);
  grpc::Status status;
  stream->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return "unimplemented";
  return testing::CodeOfAnswer(StatusOfCall(status));
}

TEST_F(Credentials, GuardHealthReflectionAndUnknownMethodsByRulesLikeAnyOther) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  const std::string policy = std::string(kSayOnly) +
                             "[[rules]]\nmethods = [\"/grpc.health.v1.Health/*\", "
                             "\"/grpc.reflection.v1alpha.ServerReflection/*\", \"/un.Known/*\"]\n"
                             "allow = [\"other\"]\n";
  testing::TestServer server(Server(policy));
  grpc::EnableDefaultHealthCheckService(false);
  ASSERT_TRUE(server.started());
  const auto allowed = testing::Connect(server.target(), Client(other_));
  const auto refused = testing::Connect(server.target(), Client(sayer_));
  const std::string health = "/grpc.health.v1.Health/Check";
  const std::string reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_NE(CallByName(allowed, health), "role_not_allowed");
  EXPECT_EQ(CallByName(allowed, reflection), "ok");
  EXPECT_EQ(CallByName(allowed, "/un.Known/Method"), "unimplemented");
  EXPECT_EQ(CallByName(refused, health), "role_not_allowed");
  EXPECT_EQ(CallByName(refused, reflection), "role_not_allowed");
  EXPECT_EQ(CallByName(refused, "/un.Known/Method"), "role_not_allowed");
  EXPECT_EQ(CallByName(allowed, "/no.Rule/Method"), "no_rule_matches");
}

TEST_F(Credentials, RefusalsSayCodeReasonAndFix) {
  testing::TestServer server(Server(kSayOnly));
  const testing::Answer answer = testing::Say(testing::Connect(server.target(), Client(other_)));
  EXPECT_EQ(answer.raw.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(answer.raw.error_message().ends_with("[troth:role_not_allowed]"))
      << answer.raw.error_message();
}

TEST_F(Credentials, TellTheHandlerWhoCalls) {
  testing::TestServer server(Server(testing::kAuthenticatedMayAll));
  EXPECT_EQ(testing::Say(testing::Connect(server.target(), Client(sayer_))).text, "sayer");
  const std::lock_guard lock(server.service.mutex);
  const Peer& peer = *server.service.last_peer;
  ASSERT_TRUE(peer.certificate.has_value());
  EXPECT_EQ(*peer.certificate, sayer_.certificate);
  EXPECT_TRUE(peer.verified);
  EXPECT_TRUE(peer.address.starts_with("ipv4:127.0.0.1:")) << peer.address;
}

TEST_F(Credentials, TellWhichPortsOfOneProcessVerified) {
  testing::TestServer verifying(Server(testing::kAuthenticatedMayAll));
  testing::TestServer asking(Server(testing::kAnyoneMayAll,
                                    {.client_certificate = ClientCertificate::kRequestUnverified}));
  const auto verified_of = [&](testing::TestServer& server) {
    EXPECT_TRUE(testing::Say(testing::Connect(server.target(), Client(sayer_))).status.ok());
    const std::lock_guard lock(server.service.mutex);
    EXPECT_TRUE(server.service.last_peer->certificate.has_value());
    return server.service.last_peer->verified;
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(verified_of(verifying));
    EXPECT_FALSE(verified_of(asking));
  }
}

TEST_F(Credentials, OfAnotherMakerHaveAnonymousPeersWithAnAddress) {
  testing::TestServer server(grpc::InsecureServerCredentials());
  ASSERT_TRUE(server.started());
  EXPECT_EQ(
      testing::Say(testing::Connect(server.target(), grpc::InsecureChannelCredentials())).text,
      "anonymous");
  const std::lock_guard lock(server.service.mutex);
  EXPECT_FALSE(server.service.last_peer->verified);
  EXPECT_TRUE(server.service.last_peer->address.starts_with("ipv4:127.0.0.1:"));
}

TEST_F(Credentials, ServeTwoPortsEachWithItsOwnCertificates) {
  const auto source = testing::SourceOf(server_, ours_.Pem());
  const auto credentials =
      ServerCredentials(source, testing::GuardOf(testing::kAuthenticatedMayAll));
  int second_port = 0;
  testing::TestServer server(credentials, [&](grpc::ServerBuilder& builder) {
    builder.AddListeningPort("127.0.0.1:0", credentials, &second_port);
  });
  ASSERT_TRUE(server.started());
  const KeyPair renewed =
      ours_.Issue({.common_name = "renewed", .names = {"localhost", "127.0.0.1"}});
  source->Set(testing::IdentityOf(renewed, ours_.Pem()));
  const auto pin = ExpectPinned({renewed.certificate.fingerprint()});
  for (const int port : {server.port(), second_port}) {
    const auto channel =
        testing::Connect("127.0.0.1:" + std::to_string(port), Client(sayer_, {.server = pin}));
    EXPECT_TRUE(testing::Say(channel).status.ok()) << testing::Say(channel).status;
  }
}

// Why a server did not start.
struct RefusedStart {
  const char* name;
  std::function<std::shared_ptr<grpc::ServerCredentials>()> credentials;
  std::string_view reason;
};

TEST_F(Credentials, ThatCannotProtectDoNotStart) {
  const auto guard = testing::GuardOf(testing::kAuthenticatedMayAll);
  const RefusedStart rows[] = {
      {"no identity", [&] { return ServerCredentials(nullptr, guard); }, "configuration_invalid"},
      {"no guard",
       [&] { return ServerCredentials(testing::SourceOf(server_, ours_.Pem()), nullptr); },
       "configuration_invalid"},
      {"an identity without certificate",
       [&] {
         return ServerCredentials(MemoryIdentitySource::Create(testing::TrustOnly(ours_.Pem())),
                                  guard);
       },
       "certificate_missing"},
      {"nobody to trust", [&] { return ServerCredentials(testing::SourceOf(server_, ""), guard); },
       "configuration_invalid"},
      {"nobody to trust at the first call",
       [&] {
         return ServerCredentials(testing::SourceOf(server_, ""), guard,
                                  {.verification = Verification::kAtFirstCall});
       },
       "configuration_invalid"},
      {"another processor in the guard's place",
       [&] {
         class Processor final : public grpc::AuthMetadataProcessor {
          public:
           grpc::Status Process(const InputMetadata& /*metadata*/, grpc::AuthContext* /*context*/,
                                OutputMetadata* /*consumed*/,
                                OutputMetadata* /*response*/) override {
             return grpc::Status::OK;
           }
         };
         auto credentials = ServerCredentials(testing::SourceOf(server_, ours_.Pem()), guard);
         credentials->SetAuthMetadataProcessor(std::make_shared<Processor>());
         return credentials;
       },
       "configuration_invalid"},
  };
  for (const RefusedStart& row : rows) {
    const testing::LogCapture log;
    const testing::TestServer server(row.credentials());
    EXPECT_FALSE(server.started()) << row.name;
    EXPECT_TRUE(log.Has("reason=" + std::string(row.reason))) << row.name << "\n" << log.text();
  }
}

TEST_F(Credentials, SayThatAPortIsTaken) {
  const testing::TestServer first(Server(testing::kAuthenticatedMayAll));
  ASSERT_TRUE(first.started());
  const testing::LogCapture log;
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(first.target(), Server(testing::kAuthenticatedMayAll));
  EXPECT_EQ(builder.BuildAndStart(), nullptr);
  EXPECT_TRUE(log.Has("reason=connection_failed")) << log.text();
}

TEST_F(Credentials, OfAServerOutliveTheirMaker) {
  std::unique_ptr<testing::TestServer> server;
  {
    auto source = testing::SourceOf(server_, ours_.Pem());
    auto guard = testing::GuardOf(testing::kAuthenticatedMayAll);
    server = std::make_unique<testing::TestServer>(
        ServerCredentials(std::move(source), std::move(guard)));
  }
  EXPECT_TRUE(testing::Say(testing::Connect(server->target(), Client(sayer_))).status.ok());
}

TEST_F(Credentials, SpeakTls12AndNotOlder) {
  testing::TestServer server(
      Server(testing::kAnyoneMayAll, {.client_certificate = ClientCertificate::kDontRequest}));
  const auto speaks = [&](const std::string& version) {
    const std::string command = "(sleep 0.3; echo Q) | timeout 10 openssl s_client -connect " +
                                server.target() + " -alpn h2 " + version + " >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  };
  EXPECT_TRUE(speaks("-tls1_3"));
  EXPECT_TRUE(speaks("-tls1_2"));
  EXPECT_FALSE(speaks("-tls1_1 -cipher ALL:@SECLEVEL=0"));
}

}  // namespace
}  // namespace troth
