#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>

#include <optional>
#include <stdexcept>

#include "bench/load/measurement.h"
#include "bench/load/window.h"
#include "echo/echo.grpc.pb.h"

namespace bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A sender with one ping in flight.
class Sender {
 public:
  Sender(echo::SecurePing::Stub& stub, grpc::CompletionQueue& queue, int number)
      : stub_(stub), queue_(queue) {
    ping_.set_sender("load-" + std::to_string(number));
    ping_.mutable_sent()->set_seconds(1);
    ping_.set_ttl(64);
  }

  void Send() {
    ping_.set_sseq(ping_.sseq() + 1);
    context_.emplace();
    sent_ = SteadyClock::now();
    reader_ = stub_.AsyncEcho(&*context_, ping_, &queue_);
    reader_->Finish(&pong_, &status_, this);
  }

  // Empty when the pong is the answer to the ping.
  std::string Fault() const {
    if (!status_.ok()) return "a call failed: " + status_.error_message();
    if (pong_.success() && pong_.sseq() == ping_.sseq()) return "";
    return "a wrong pong: " + pong_.ShortDebugString();
  }
  SteadyClock::time_point sent() const { return sent_; }

 private:
  echo::SecurePing::Stub& stub_;
  grpc::CompletionQueue& queue_;
  echo::Ping ping_;
  echo::Pong pong_;
  grpc::Status status_;
  SteadyClock::time_point sent_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<echo::Pong>> reader_;
};

}  // namespace

Measurement MeasureCalls(const Load& load) {
  const auto channel = grpc::CreateChannel(load.target, load.credentials);
  const auto stub = echo::SecurePing::NewStub(channel);
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Sender>> senders;
  for (int i = 0; i < load.at_once; ++i) {
    senders.push_back(std::make_unique<Sender>(*stub, queue, i));
    senders.back()->Send();
  }

  Measurement result;
  result.latencies.reserve(1 << 20);
  Window window({load.server});
  bool open = false;
  const auto opens = SteadyClock::now() + load.warm_up;
  auto closes = SteadyClock::time_point::max();
  void* tag = nullptr;
  bool ok = false;
  std::string fault;
  while (queue.Next(&tag, &ok)) {
    Sender& sender = *static_cast<Sender*>(tag);
    fault = sender.Fault();
    if (!fault.empty()) break;
    const auto now = SteadyClock::now();
    if (open) {
      result.latencies.push_back(now - sender.sent());
      if (now >= closes) break;
    } else if (now >= opens) {
      open = true;
      closes = now + load.window;
      window.Open();
    }
    sender.Send();
  }
  if (open) window.Close(result);

  // The calls that are still in flight end before what they write into.
  for (int left = load.at_once - 1; left > 0; --left) queue.Next(&tag, &ok);
  if (!fault.empty()) throw std::runtime_error(fault);
  return result;
}

}  // namespace bench
