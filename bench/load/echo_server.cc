#include "bench/load/echo_server.h"

#include <cstdio>
#include <optional>
#include <stdexcept>
#include <unordered_map>

#include "echo/echo.grpc.pb.h"

namespace bench {
namespace {

struct Server {
  echo::SecurePing::AsyncService service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::unordered_map<std::string, std::int64_t> counts;
};

class Call {
 public:
  explicit Call(Server& server) : server_(server) { Wait(); }

  void Proceed(bool ok) {
    if (!answering_ && ok) {
      answering_ = true;
      std::int64_t& count = server_.counts[ping_.sender()];
      count = ping_.sseq() == 1 ? 1 : count + 1;
      pong_.Clear();
      pong_.set_success(ping_.sseq() == count);
      pong_.set_sseq(ping_.sseq());
      pong_.set_rseq(count);
      if (ping_.has_sent()) *pong_.mutable_sent() = ping_.sent();
      responder_->Finish(pong_, grpc::Status::OK, this);
    } else {
      Wait();
    }
  }

 private:
  void Wait() {
    answering_ = false;
    ping_.Clear();
    responder_.reset();
    context_.emplace();
    responder_.emplace(&*context_);
    server_.service.RequestEcho(&*context_, &ping_, &*responder_, server_.queue.get(),
                                server_.queue.get(), this);
  }

  Server& server_;
  bool answering_ = false;
  echo::Ping ping_;
  echo::Pong pong_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<echo::Pong>> responder_;
};

}  // namespace

void ServeEcho(const std::string& address, std::shared_ptr<grpc::ServerCredentials> credentials) {
  Server server;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, std::move(credentials), &port);
  builder.RegisterService(&server.service);
  server.queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> running = builder.BuildAndStart();
  if (running == nullptr || port == 0) throw std::runtime_error("cannot listen on " + address);
  std::printf("listens on 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 128; ++i) calls.push_back(std::make_unique<Call>(server));
  void* tag = nullptr;
  bool ok = false;
  while (true) {
    if (server.queue->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
  }
}

}  // namespace bench
