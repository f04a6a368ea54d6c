#include "troth/server/native/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>
#include <sys/types.h>

#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/credentials.h"
#include "troth/server/native/local_socket.h"
#include "troth/server/native/remote_listener.h"
#include "troth/server/native/service.h"

namespace troth::native {
namespace {

// A request for a certificate is at most 64 KiB.
constexpr int kLongestMessage = 256 << 10;
constexpr int kCallsPerConnection = 64;
constexpr int kHandshakeMs = 10'000;
constexpr int kIdleMs = 5 * 60'000;
// Whoever vanished without a word, as watchers do, is noticed after this.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// Clients may ask as often whether the server is still there.
constexpr int kLeastPingIntervalMs = 20'000;
// What connections may hold, and threads of operators' calls.
constexpr size_t kMemory = size_t{64} << 20;
constexpr int kThreads = 24;

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kLongestMessage);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  grpc::ResourceQuota quota("troth.native");
  quota.Resize(kMemory);
  quota.SetMaxThreads(kThreads);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

absl::Status CheckListen(std::string_view listen) {
  const size_t colon = listen.rfind(':');
  int port = -1;
  if (colon != std::string_view::npos && colon != 0) {
    const char* end = listen.data() + listen.size();
    const auto [read, error] = std::from_chars(listen.data() + colon + 1, end, port);
    if (error != std::errc() || read != end) port = -1;
  }
  if (port >= 0 && port <= 65535 && listen.find('/') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kUsageError,
                   "expected ADDRESS:PORT such as 127.0.0.1:8444, got '" + Printable(listen) + "'");
}

// The operator behind a call over TLS: the guard has let the peer's role in, and the authority
// looks whether it still knows the certificate.
Service::OperatorOf RemoteOperator(Authority& authority) {
  return [&authority](const grpc::ServerContextBase& context) -> absl::StatusOr<std::string> {
    const std::shared_ptr<const Peer> peer = PeerOf(context);
    if (!peer->certificate.has_value()) {
      return MakeError(Reason::kPeerNotAuthenticated, "this call needs an admin's certificate");
    }
    if (absl::Status issued = authority.CheckIssued(*peer->certificate); !issued.ok()) {
      return issued;
    }
    // Trust, lists or policy have changed since the guard let the call in.
    if (!peer->verified) {
      return MakeError(Reason::kPeerNotVerified,
                       "the caller's certificate is no longer trusted; call again to learn why");
    }
    return peer->Describe();
  };
}

// Who made the connections over the Unix socket. gRPC calls a connection that it was given by the
// number of its descriptor ("fd:7").
class LocalUsers {
 public:
  void Set(int descriptor, std::optional<uid_t> user) {
    const std::lock_guard lock(mutex_);
    users_[descriptor] = user;
  }
  std::string Describe(std::string_view peer) const {
    constexpr std::string_view kPrefix = "fd:";
    int descriptor = -1;
    if (peer.starts_with(kPrefix)) {
      std::from_chars(peer.data() + kPrefix.size(), peer.data() + peer.size(), descriptor);
    }
    const std::lock_guard lock(mutex_);
    const auto user = users_.find(descriptor);
    if (user == users_.end() || !user->second.has_value()) return "local admin";
    return "local admin (uid " + std::to_string(*user->second) + ")";
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, std::optional<uid_t>> users_;  // guarded by mutex_; as many as descriptors
};

class ServerImpl final : public Server {
 public:
  ServerImpl(Authority& authority, ServerOptions options)
      : options_(std::move(options)),
        remote_service_(authority, RemoteOperator(authority)),
        local_service_(authority, [this](const grpc::ServerContextBase& context) {
          return local_users_.Describe(context.peer());
        }) {}

  ~ServerImpl() override { Shutdown(std::chrono::milliseconds(0)); }

  absl::Status Begin() {
    if (!options_.listen.empty()) {
      if (absl::Status status = ListenRemotely(); !status.ok()) return status;
    }
    if (!options_.socket.empty()) return ListenLocally();
    return absl::OkStatus();
  }

  std::uint16_t port() const override {
    const std::lock_guard lock(mutex_);
    return remote_listener_ == nullptr ? 0 : remote_listener_->port();
  }

  void Shutdown(std::chrono::milliseconds patience) override {
    const std::lock_guard lock(mutex_);
    // No connection is handed over to a server that has ended.
    remote_listener_.reset();
    listener_.reset();
    remote_service_.EndStreams();
    local_service_.EndStreams();
    const auto deadline = std::chrono::system_clock::now() + patience;
    for (std::unique_ptr<grpc::Server>* server : {&remote_, &local_}) {
      if (*server == nullptr) continue;
      (*server)->Shutdown(deadline);
      (*server)->Wait();
      server->reset();
    }
  }

 private:
  absl::Status ListenRemotely() {
    if (absl::Status status = CheckListen(options_.listen); !status.ok()) return status;
    if (options_.identity == nullptr || options_.guard == nullptr) {
      return MakeError(Reason::kUsageError,
                       "a native server over TLS needs an identity and a guard");
    }
    // gRPC would start without the listener.
    if (!options_.identity->Current()->has_certificate()) {
      return MakeError(Reason::kCertificateMissing,
                       "a native server over TLS needs a certificate and its key, and its identity "
                       "has none");
    }
    grpc::ServerBuilder builder;
    SetLimits(builder);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
    // Verified after the handshake, so that a caller learns why it is refused.
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        ServerCredentials(options_.identity, options_.guard,
                          {.client_certificate = ClientCertificate::kVerifyIfGiven,
                           .verification = Verification::kAtFirstCall}));
    GuardServer(builder, options_.guard,
                {.max_concurrent_calls_per_connection = kCallsPerConnection});
    builder.RegisterService(&remote_service_);
    remote_ = builder.BuildAndStart();
    if (remote_ == nullptr) {
      return MakeError(Reason::kConnectionFailed,
                       "cannot start the server for gRPC; the log says more");
    }
    auto listener =
        RemoteListener::Start({.listen = options_.listen}, [this](Descriptor connection) {
          grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters made;
          made.fd = connection.Release();
          acceptor_->HandleNewConnection(&made);
        });
    if (!listener.ok()) return listener.status();
    remote_listener_ = *std::move(listener);
    return absl::OkStatus();
  }

  absl::Status ListenLocally() {
    grpc::ServerBuilder builder;
    SetLimits(builder);
    builder.RegisterService(&local_service_);
    local_ = builder.BuildAndStart();
    if (local_ == nullptr) {
      return MakeError(Reason::kConnectionFailed, "cannot start the local admin's server");
    }
    auto listener = LocalListener::Start(options_.socket, [this](Descriptor connection) {
      local_users_.Set(connection.number(), UserOf(connection.number()));
      grpc::AddInsecureChannelFromFd(local_.get(), connection.Release());
    });
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    return absl::OkStatus();
  }

  const ServerOptions options_;
  LocalUsers local_users_;
  Service remote_service_, local_service_;

  mutable std::mutex mutex_;  // of Shutdown
  std::unique_ptr<grpc::Server> remote_, local_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<LocalListener> listener_;
  std::unique_ptr<RemoteListener> remote_listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Authority& authority, ServerOptions options) {
  auto server = std::make_unique<ServerImpl>(authority, std::move(options));
  if (absl::Status status = server->Begin(); !status.ok()) return status;
  return server;
}

}  // namespace troth::native
