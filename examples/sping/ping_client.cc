#include "examples/sping/ping_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "echo/echo.grpc.pb.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/call_status.h"
#include "troth/rpc/credentials.h"

namespace troth::sping {
namespace {

absl::StatusOr<ExpectedServer> ParseServerName(const std::string& name) {
  if (name.empty()) return ExpectedServer();
  if (name.starts_with("spiffe://")) {
    const absl::StatusOr<SpiffeId> id = SpiffeId::Parse(name);
    if (!id.ok()) return MakeError(Reason::kUsageError, ToStd(id.status().message()));
    return ExpectSpiffeId(*id);
  }
  if (ToLowerAscii(name).starts_with("sha256:")) {
    const std::optional<Sha256Digest> digest = ParseFingerprint(name);
    if (digest.has_value()) return ExpectPinned({*digest});
    return MakeError(
        Reason::kUsageError,
        "'" + Printable(name) + "' is no fingerprint; expected sha256: and 64 hexadecimal digits");
  }
  return ExpectDnsName(name);
}

class PingClientImpl final : public PingClient {
 public:
  PingClientImpl(PingOptions options, ExpectedServer server) : options_(std::move(options)) {
    grpc::ChannelArguments arguments;
    // A server that comes back is noticed within a few pings. (The minimum of the backoff stays,
    // for gRPC takes it as the time that a connection may take.)
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    std::shared_ptr<grpc::ChannelCredentials> credentials =
        options_.identity == nullptr
            ? grpc::InsecureChannelCredentials()
            : ChannelCredentials(options_.identity,
                                 {.server = std::move(server), .crl_files = options_.crl_files});
    channel_ = grpc::CreateCustomChannel(options_.target, credentials, arguments);
    stub_ = echo::SecurePing::NewStub(channel_);
  }

  absl::StatusOr<Pong> Ping(std::int64_t sequence) override {
    using std::chrono::steady_clock;
    using std::chrono::system_clock;
    grpc::ClientContext context;
    const system_clock::time_point now = system_clock::now();
    const system_clock::time_point deadline = now + options_.timeout;
    context.set_deadline(deadline);
    AwaitConnection(deadline);
    echo::Ping ping;
    ping.set_sender(options_.sender);
    ping.set_sseq(sequence);
    const auto since_epoch = now.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
    ping.mutable_sent()->set_seconds(seconds.count());
    ping.mutable_sent()->set_nanoseconds(
        std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch - seconds).count());
    echo::Pong pong;
    const steady_clock::time_point begin = steady_clock::now();
    SetCurrent(&context);
    const grpc::Status status = stub_->Echo(&context, ping, &pong);
    SetCurrent(nullptr);
    const auto round_trip = steady_clock::now() - begin;
    if (!status.ok()) return StatusOfCall(status);
    return sping::Pong{
        .in_sequence = pong.success(), .counted = pong.rseq(), .round_trip = round_trip};
  }

  void Cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (current_ != nullptr) current_->TryCancel();
  }

 private:
  // A round trip does not count the handshake. Why there is no connection is told by the call.
  void AwaitConnection(std::chrono::system_clock::time_point deadline) {
    constexpr auto kSlice = std::chrono::milliseconds(50);  // until a Cancel is noticed
    grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    while ((state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) && !IsCancelled()) {
      const auto now = std::chrono::system_clock::now();
      if (now >= deadline) return;
      channel_->WaitForStateChange(state, std::min(deadline, now + kSlice));
      state = channel_->GetState(true);
    }
  }

  bool IsCancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  void SetCurrent(grpc::ClientContext* context) {
    const std::lock_guard lock(mutex_);
    current_ = context;
    if (context != nullptr && cancelled_) context->TryCancel();
  }

  const PingOptions options_;
  std::mutex mutex_;
  grpc::ClientContext* current_ = nullptr;  // guarded by mutex_
  bool cancelled_ = false;                  // guarded by mutex_
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<echo::SecurePing::Stub> stub_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PingClient>> PingClient::Create(PingOptions options) {
  absl::StatusOr<ExpectedServer> server = ParseServerName(options.server_name);
  if (!server.ok()) return server.status();
  return std::make_unique<PingClientImpl>(std::move(options), *std::move(server));
}

}  // namespace troth::sping
