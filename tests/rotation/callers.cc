#include "tests/rotation/callers.h"

#include <grpcpp/create_channel.h>

#include <chrono>
#include <limits>

#include "echo/echo.grpc.pb.h"

namespace rotation {
namespace {

constexpr int kCallsBeforeReconnecting = 25;
// Between two calls of a connection: 50 connections without a pause would measure the machine.
constexpr std::chrono::milliseconds kPause{4};

}  // namespace

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address,
                                          const std::shared_ptr<grpc::ChannelCredentials>& how) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, how, arguments);
}

Seen CallOnce(grpc::Channel& channel, const Sequence& servers) {
  // The stub must not keep the channel: whoever calls decides when it closes.
  const std::shared_ptr<grpc::Channel> borrowed(std::shared_ptr<void>(), &channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  echo::Ping ping;
  echo::Pong pong;
  const grpc::Status status = echo::SecurePing::NewStub(borrowed)->Echo(&context, ping, &pong);
  if (!status.ok()) return {.failure = status.error_message()};

  Seen seen{.client = static_cast<int>(pong.rseq())};
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  const std::vector<grpc::string_ref> leaf = auth->FindPropertyValues("x509_pem_cert");
  if (leaf.size() == 1) seen.server = servers.IndexOf({leaf[0].data(), leaf[0].size()});
  if (seen.server < 0) seen.failure = "the server showed a strange certificate";
  if (seen.client < 0) seen.failure = "the server saw a strange certificate, or none verified";
  return seen;
}

Callers::Callers(Options options) : options_(std::move(options)) {
  for (int i = 0; i < options_.steady + options_.reconnecting; ++i) {
    const int calls_each =
        i < options_.steady ? std::numeric_limits<int>::max() : kCallsBeforeReconnecting;
    threads_.emplace_back([this, calls_each] { Work(calls_each); });
  }
}

Callers::~Callers() { Stop(); }

void Callers::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::string Callers::first_failure() const {
  const std::lock_guard lock(mutex_);
  return first_failure_;
}

void Callers::Fail(const std::string& what) {
  ++failed_;
  const std::lock_guard lock(mutex_);
  if (first_failure_.empty()) first_failure_ = what;
}

void Callers::Work(int calls_each) {
  int newest_client = -1;
  while (!stop_) {
    const int newest_server = options_.newest_server();
    const auto channel = NewChannel(options_.address, options_.credentials);
    ++connections_;
    Seen first;
    for (int i = 0; i < calls_each && !stop_; ++i) {
      const Seen seen = CallOnce(*channel, *options_.servers);
      ++calls_;
      if (!seen.failure.empty()) {
        Fail(seen.failure);
      } else if (i == 0) {
        first = seen;
        if (seen.server < newest_server) {
          Fail("a new connection got server certificate " + std::to_string(seen.server) + " when " +
               std::to_string(newest_server) + " was in force");
        }
        if (seen.client < newest_client) Fail("the client went back to an older certificate");
        newest_client = seen.client;
      } else if (seen.server != first.server || seen.client != first.client) {
        Fail("certificates changed on an open connection: it was lost and made anew");
      }
      std::this_thread::sleep_for(kPause);
    }
  }
}

}  // namespace rotation
