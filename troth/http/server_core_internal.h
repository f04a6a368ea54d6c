// What the threads of a server share, and how they are told things.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/http/body_share_internal.h"
#include "troth/http/connection_book_internal.h"
#include "troth/http/listen_socket.h"
#include "troth/http/message.h"
#include "troth/http/request_parser_internal.h"
#include "troth/http/server.h"
#include "troth/http/server_log_internal.h"
#include "troth/http/tls_context_internal.h"

namespace troth {

struct ServerCore {
  ServerCore(HttpServerOptions given, HttpHandler handler_of_requests)
      : options(std::move(given)),
        handler(std::move(handler_of_requests)),
        log(options.name),
        book(static_cast<size_t>(options.threads), options.limits.connections,
             options.limits.connections_per_address) {}

  const HttpServerOptions options;
  const HttpHandler handler;
  std::shared_ptr<GuardedPort> guard;     // null: everybody is let in
  std::unique_ptr<TlsContextSource> tls;  // null: plain HTTP
  ServerLog log;
  ConnectionBook book;
  // Bytes of all bodies. Requests may outlive the server.
  const std::shared_ptr<std::atomic<size_t>> bodies = std::make_shared<std::atomic<size_t>>(0);

  std::atomic<std::uint64_t> accepted{0}, refused{0}, handshakes_failed{0}, requests{0},
      timed_out{0};

  // For Shutdown, which waits until no connection is open.
  std::mutex mutex;
  std::condition_variable gone;
};

class Connection;

// One request and its answer.
struct Exchange {
  explicit Exchange(std::shared_ptr<std::atomic<size_t>> bodies) : body_share(std::move(bodies)) {}

  HttpRequest request;
  BodyShare body_share;
  std::optional<RequestParser> parser;  // until the request is whole
  std::chrono::steady_clock::time_point begin;

  // The rest is for the connection's thread alone.
  Connection* connection = nullptr;     // null once it has gone
  std::optional<HttpResponse> refusal;  // what the guard says
  bool in_handler = false;              // the handler is running right now ...
  std::optional<HttpResponse> answer;   // ... and has answered already
};

// A new connection for a thread.
struct NewConnection {
  Arrival arrival;
  ConnectionBook::Room room = ConnectionBook::Room::kThere;
};
// A handler's answer, from another thread or later.
struct Answer {
  std::shared_ptr<Exchange> exchange;
  HttpResponse response;
};
enum class Order {
  kCloseOldest,  // waiting connection: descriptors are short
  kDrain,        // take no more requests
  kStop,         // close everything, and end
};
using Message = std::variant<NewConnection, Answer, Order>;

// Messages for a thread. Thread-safe.
class Mailbox {
 public:
  // `wake` is called by Push for the first message after a TakeAll.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // False once it is closed: the message is lost.
  bool Push(Message message);
  std::vector<Message> TakeAll();
  // Nothing is taken any more, and `wake` not called.
  void Close();

  // The mailbox of the thread that runs; null outside a server's threads.
  static const Mailbox*& OfThisThread();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;     // guarded by mutex_; empty: closed
  std::vector<Message> messages_;  // guarded by mutex_
};

// What a handler answers by. The last copy that goes without an answer answers 500.
HttpRespond MakeRespond(std::shared_ptr<Mailbox> mailbox, std::shared_ptr<Exchange> exchange);

}  // namespace troth
