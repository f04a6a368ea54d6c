#include "troth/http/server.h"

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <exception>
#include <future>
#include <system_error>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/http/server_core_internal.h"
#include "troth/http/worker_internal.h"

namespace troth {
namespace {

using boost::asio::posix::descriptor_base;

// Takes new connections, on the first worker's thread. One socket for all threads: with one each
// (SO_REUSEPORT) the kernel deals connections out by hash, unevenly when they are few, and two
// servers of one user could take a port from each other unseen.
class Acceptor {
 public:
  Acceptor(ServerCore& core, const std::vector<std::unique_ptr<Worker>>& workers,
           ListenSocket socket)
      : core_(core),
        workers_(workers),
        socket_(std::move(socket)),
        descriptor_(workers.front()->context()),
        pause_(workers.front()->context()) {
    descriptor_.assign(socket_->descriptor());
  }

  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor() { Stop(); }

  void Start() { Wait(); }
  // On the first worker's thread: listens no more.
  void Stop() {
    pause_.cancel();
    if (!socket_.has_value()) return;
    descriptor_.release();
    socket_.reset();
  }

 private:
  // So many at a time, before connections that are there have their turn.
  static constexpr int kBatch = 64;
  static constexpr std::chrono::milliseconds kPause{50};

  void Wait() {
    descriptor_.async_wait(descriptor_base::wait_read,
                           [this](const boost::system::error_code& error) {
                             if (!error && socket_.has_value()) AcceptSome();
                           });
  }

  void AcceptSome() {
    for (int i = 0; i < kBatch; ++i) {
      int error = 0;
      Arrival arrival = Accept(socket_->descriptor(), error);
      if (error == EAGAIN || error == EWOULDBLOCK) break;
      if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        return Pause(error);
      }
      if (error != 0) continue;  // of that one client alone: see accept(2)
      core_.accepted.fetch_add(1, std::memory_order_relaxed);
      if (arrival.descriptor.number() >= first_for_files_) {
        MakeRoom("descriptors are left for files");
      }
      const ConnectionBook::Admission admission = core_.book.Admit(arrival.group);
      workers_[admission.thread]->mailbox()->Push(
          NewConnection{.arrival = std::move(arrival), .room = admission.room});
    }
    Wait();
  }

  // The client waits in the kernel until there is a descriptor for it.
  void Pause(int error) {
    MakeRoom("no new connections for a moment: " + std::generic_category().message(error));
    pause_.expires_after(kPause);
    pause_.async_wait([this](const boost::system::error_code& failed) {
      if (!failed && socket_.has_value()) AcceptSome();
    });
  }

  void MakeRoom(std::string_view why) {
    core_.log.Add(Drop::kNoDescriptors, socket_->address(), why);
    if (const auto thread = core_.book.ThreadOfOldest()) {
      workers_[*thread]->mailbox()->Push(Order::kCloseOldest);
    }
  }

  ServerCore& core_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  const int first_for_files_ = FirstDescriptorForFiles();
  std::optional<ListenSocket> socket_;
  boost::asio::posix::basic_stream_descriptor<Worker::Executor> descriptor_;
  Worker::Timer pause_;
};

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(HttpServerOptions options, HttpHandler handler)
      : core_(std::move(options), std::move(handler)) {}
  HttpServerImpl(const HttpServerImpl&) = delete;
  HttpServerImpl& operator=(const HttpServerImpl&) = delete;
  ~HttpServerImpl() override { HttpServerImpl::Shutdown(std::chrono::milliseconds(0)); }

  absl::Status Start() {
    if (absl::Status status = Prepare(); !status.ok()) return status;
    absl::StatusOr<ListenSocket> socket = ListenSocket::Open(core_.options.listen);
    if (!socket.ok()) return socket.status();
    address_ = socket->address();
    port_ = socket->port();
    for (int i = 0; i < core_.options.threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(core_, workers_.size()));
    }
    acceptor_ = std::make_unique<Acceptor>(core_, workers_, *std::move(socket));
    acceptor_->Start();
    for (const std::unique_ptr<Worker>& worker : workers_) worker->Start();
    return absl::OkStatus();
  }

  std::string address() const override { return address_; }
  std::uint16_t port() const override { return port_; }

  void Shutdown(std::chrono::milliseconds patience) override {
    const std::lock_guard only(shutdown_mutex_);
    if (std::exchange(stopped_, true) || workers_.empty()) return;
    // A start that failed half way has no thread yet.
    if (acceptor_ != nullptr && workers_.front()->running()) {
      std::promise<void> stopped;
      boost::asio::post(workers_.front()->context(), [&] {
        acceptor_->Stop();
        stopped.set_value();
      });
      stopped.get_future().wait();
    }
    Tell(Order::kDrain);
    {
      std::unique_lock lock(core_.mutex);
      core_.gone.wait_for(lock, patience, [this] { return core_.book.open() == 0; });
    }
    Tell(Order::kStop);
    for (const std::unique_ptr<Worker>& worker : workers_) worker->Join();
  }

  HttpServerStatistics Statistics() const override {
    const auto read = [](const std::atomic<std::uint64_t>& number) {
      return number.load(std::memory_order_relaxed);
    };
    return {.accepted = read(core_.accepted),
            .refused_connections = read(core_.refused),
            .handshakes_failed = read(core_.handshakes_failed),
            .requests = read(core_.requests),
            .timed_out = read(core_.timed_out),
            .open = core_.book.open()};
  }

 private:
  absl::Status Prepare() {
    const HttpServerOptions& options = core_.options;
    if (options.identity != nullptr) {
      auto tls = TlsContextSource::Create(options.identity, *options.clock);
      if (!tls.ok()) return tls.status();
      core_.tls = *std::move(tls);
    }
    if (options.guard == nullptr) return absl::OkStatus();
    std::shared_ptr<IdentitySource> identity = options.identity;
    if (identity == nullptr) {
      // Without TLS there is nobody to verify.
      auto nobody = Identity::Create({}, options.clock->Now());
      if (!nobody.ok()) return nobody.status();
      identity = MemoryIdentitySource::Create(*std::move(nobody), *options.clock);
    }
    core_.guard = options.guard->Protect(
        std::move(identity), options.identity == nullptr ? ClientCertificate::kDontRequest
                                                         : ClientCertificate::kVerifyIfGiven);
    return absl::OkStatus();
  }

  void Tell(Order order) {
    for (const std::unique_ptr<Worker>& worker : workers_) worker->mailbox()->Push(order);
  }

  ServerCore core_;
  std::string address_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Acceptor> acceptor_;  // before the workers, whose context it uses
  std::mutex shutdown_mutex_;
  bool stopped_ = false;  // guarded by shutdown_mutex_
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                              HttpHandler handler) {
  if (options.threads < 1 || handler == nullptr) {
    return MakeError(Reason::kUsageError,
                     "expected a handler and at least one thread to serve HTTP with, got " +
                         std::to_string(options.threads) + " threads" +
                         (handler == nullptr ? " and no handler" : ""));
  }
  try {
    auto server = std::make_unique<HttpServerImpl>(std::move(options), std::move(handler));
    if (absl::Status status = server->Start(); !status.ok()) return status;
    return server;
  } catch (const std::exception& error) {  // Asio's and std::thread's, when the system is full
    return MakeError(Reason::kConnectionFailed,
                     std::string("the server cannot start: ") + error.what());
  }
}

}  // namespace troth
