// A small service and its client in one program, written as a user of the installed library would:
// certificates made in memory, a server that lets one role call one method, and a client that is
// let in, then refused elsewhere.

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "troth/authz/guard.h"
#include "troth/base/time.h"
#include "troth/identity/identity_source.h"
#include "troth/pki/issue.h"
#include "troth/rpc/credentials.h"

namespace {

constexpr char kClientAuth[] = "1.3.6.1.5.5.7.3.2";
constexpr char kServerAuth[] = "1.3.6.1.5.5.7.3.1";

template <typename T>
T OrDie(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::cerr << result.status() << "\n";
    std::exit(1);
  }
  return *std::move(result);
}

troth::CertificateTemplate TemplateFor(const std::string& common_name,
                                       const troth::PrivateKey& key) {
  const troth::Time now = troth::Clock::System().Now();
  return {.serial = troth::SerialNumber::Generate(now),
          .subject = OrDie(troth::DistinguishedName::FromCommonName(common_name)),
          .validity = {.not_before = now - std::chrono::minutes(5),
                       .not_after = now + std::chrono::hours(1)},
          .public_key = key.public_key()};
}

troth::Signer MakeAuthority() {
  troth::PrivateKey key = OrDie(troth::PrivateKey::Generate(troth::KeyType::kP256));
  troth::CertificateTemplate what = TemplateFor("Consumer CA", key);
  what.basic_constraints = troth::BasicConstraints{.is_ca = true};
  troth::Certificate certificate = OrDie(troth::IssueSelfSigned(what, key));
  return OrDie(troth::Signer::Create(std::move(certificate), std::move(key)));
}

std::shared_ptr<troth::IdentitySource> MakeIdentity(const troth::Signer& authority,
                                                    const std::string& name, const char* usage) {
  const troth::PrivateKey key = OrDie(troth::PrivateKey::Generate(troth::KeyType::kP256));
  troth::CertificateTemplate what = TemplateFor(name, key);
  what.alternative_names = {OrDie(troth::AlternativeName::Parse(name))};
  what.extended_key_usage = {usage};
  const std::string certificate_pem = OrDie(troth::Issue(what, authority)).ToPem();
  const troth::Secret key_pem = key.ToPem();
  return troth::MemoryIdentitySource::Create(
      OrDie(troth::Identity::Create({.certificate_pem = certificate_pem,
                                     .private_key_pem = key_pem.Reveal(),
                                     .trust_bundle_pem = authority.certificate().ToPem()},
                                    troth::Clock::System().Now())));
}

grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const grpc::Slice nothing;
  grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  auto reader = stub.PrepareUnaryCall(&context, method, request, &queue);
  reader->StartCall();
  reader->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

}  // namespace

int main() {
  const troth::Signer authority = MakeAuthority();
  const auto server_identity = MakeIdentity(authority, "localhost", kServerAuth);
  const auto client_identity = MakeIdentity(authority, "client.internal", kClientAuth);
  const auto guard = OrDie(troth::Guard::Create({.policy_text = R"(
[roles]
client = { dns = "client.internal" }

[[rules]]
methods = ["/grpc.health.v1.Health/Check"]
allow = ["client"]
)"}));

  grpc::EnableDefaultHealthCheckService(true);
  grpc::CallbackGenericService others;  // answers UNIMPLEMENTED, and has the server's threads poll
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&others);
  int port = 0;
  builder.AddListeningPort("localhost:0", troth::ServerCredentials(server_identity, guard), &port);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "the server did not start\n";
    return 1;
  }

  const auto channel = grpc::CreateChannel("localhost:" + std::to_string(port),
                                           troth::ChannelCredentials(client_identity));
  const grpc::Status allowed = Call(channel, "/grpc.health.v1.Health/Check");
  const grpc::Status refused = Call(channel, "/grpc.health.v1.Health/List");
  server->Shutdown();

  std::cout << "allowed: " << allowed.error_code() << " " << allowed.error_message() << "\n"
            << "refused: " << refused.error_code() << " " << refused.error_message() << "\n";
  return allowed.ok() && refused.error_code() == grpc::StatusCode::PERMISSION_DENIED ? 0 : 1;
}
