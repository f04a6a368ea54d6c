#include "examples/sping/pong_server.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "echo/echo.grpc.pb.h"
#include "examples/sping/sequence_counter.h"
#include "troth/base/reason.h"
#include "troth/rpc/credentials.h"

namespace troth::sping {
namespace {

// How many calls wait in gRPC at once. More than that many wait their turn inside it.
constexpr size_t kSlots = 128;
constexpr int kLargestPing = 4 << 10;  // bytes
constexpr auto kGrace = std::chrono::seconds(5);

struct Call {
  grpc::ServerContext context;
  grpc::ServerAsyncResponseWriter<echo::Pong> writer{&context};
};

// Where one call at a time lives. The messages keep their memory from call to call.
struct Slot {
  echo::Ping ping;
  echo::Pong pong;
  bool answering = false;
  std::optional<Call> call;
};

class PongServerImpl final : public PongServer {
 public:
  // Null when gRPC does not start; it, or the credentials, have logged why.
  static std::unique_ptr<PongServerImpl> Start(const PongOptions& options) {
    std::unique_ptr<PongServerImpl> server(new PongServerImpl);
    grpc::ServerBuilder builder;
    // What is counted and compressed for nobody costs every call.
    builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(kLargestPing);
    builder.RegisterService(&server->service_);
    server->queue_ = builder.AddCompletionQueue();
    if (options.credentials != nullptr) {
      builder.AddListeningPort(options.address, options.credentials, &server->port_);
    } else if (options.identity == nullptr) {
      builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(), &server->port_);
    } else {
      builder.AddListeningPort(
          options.address,
          ServerCredentials(
              options.identity, options.guard,
              {.client_certificate = options.client_certificate,
               .verification = options.verify_at_first_call ? Verification::kAtFirstCall
                                                            : Verification::kAtHandshake}),
          &server->port_);
      GuardServer(builder, options.guard);
    }
    server->server_ = builder.BuildAndStart();
    if (server->server_ == nullptr) return nullptr;
    return server;
  }

  ~PongServerImpl() override {
    Stop();
    // What Run has not fetched, when it never ran.
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      if (tag == nullptr) queue_->Shutdown();
    }
  }

  int port() const override { return port_; }

  void Run() override {
    for (Slot& slot : slots_) Arm(slot);
    void* tag = nullptr;
    bool ok = false;
    bool stopping = false;
    while (queue_->Next(&tag, &ok)) {
      if (tag == nullptr) {
        // Here, in the thread that arms, because a queue that is shut down takes nothing more.
        stopping = true;
        queue_->Shutdown();
        continue;
      }
      Slot& slot = *static_cast<Slot*>(tag);
      if (slot.answering) {
        if (!stopping) Arm(slot);
      } else if (ok) {
        slot.answering = true;
        Answer(slot);
      }
    }
  }

  void Stop() override {
    const std::lock_guard lock(stop_mutex_);
    if (stopped_) return;
    stopped_ = true;
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + kGrace);
    stop_.Set(queue_.get(), gpr_now(GPR_CLOCK_MONOTONIC), nullptr);
  }

 private:
  PongServerImpl() = default;

  void Arm(Slot& slot) {
    slot.answering = false;
    slot.call.emplace();
    service_.RequestEcho(&slot.call->context, &slot.ping, &slot.call->writer, queue_.get(),
                         queue_.get(), &slot);
  }

  void Answer(Slot& slot) {
    const std::string& sender = slot.ping.sender();
    if (sender.size() > SequenceCounter::kLongestSender) {
      slot.call->writer.FinishWithError(
          {grpc::StatusCode::INVALID_ARGUMENT,
           "the sender's name has " + std::to_string(sender.size()) + " bytes, expected at most " +
               std::to_string(SequenceCounter::kLongestSender) + "; choose a shorter one"},
          &slot);
      return;
    }
    const std::int64_t count = counter_.Count(sender, slot.ping.sseq());
    slot.pong.set_success(slot.ping.sseq() == count);
    slot.pong.set_sseq(slot.ping.sseq());
    slot.pong.set_rseq(count);
    if (slot.ping.has_sent()) {
      *slot.pong.mutable_sent() = slot.ping.sent();
    } else {
      slot.pong.clear_sent();
    }
    slot.call->writer.Finish(slot.pong, grpc::Status::OK, &slot);
  }

  echo::SecurePing::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::array<Slot, kSlots> slots_;
  SequenceCounter counter_;  // of the thread in Run
  grpc::Alarm stop_;         // comes out of the queue with a null tag
  std::mutex stop_mutex_;
  bool stopped_ = false;  // guarded by stop_mutex_
};

}  // namespace

absl::StatusOr<std::unique_ptr<PongServer>> PongServer::Start(const PongOptions& options) {
  if ((options.identity == nullptr) != (options.guard == nullptr)) {
    return MakeError(Reason::kConfigurationInvalid,
                     "an identity and a guard belong together; give both or neither");
  }
  if (options.identity != nullptr) {
    const std::shared_ptr<const Identity> identity = options.identity->Current();
    if (!identity->has_certificate()) {
      return MakeError(Reason::kCertificateMissing,
                       "a server needs a certificate and its key, and the identity has none");
    }
    if (VerifiesPeers(options.client_certificate) && identity->trust_bundle().empty()) {
      return MakeError(Reason::kConfigurationInvalid,
                       "client certificates are to be verified and there is no trust bundle to "
                       "verify them with; give a trust bundle");
    }
  }
  std::unique_ptr<PongServer> server = PongServerImpl::Start(options);
  if (server == nullptr || server->port() == 0) {
    return MakeError(
        Reason::kConnectionFailed,
        "cannot listen on " + options.address +
            "; another program listens there, or it is not an address of this machine");
  }
  return server;
}

}  // namespace troth::sping
