#include "bench/issue/load.h"

#include <openssl/ssl.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/load/window.h"

namespace bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::use_awaitable;
using asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;
template <typename T>
using Task = asio::awaitable<T>;

class Run {
 public:
  Run(const IssueLoad& load, Protocol& protocol)
      : load_(load), protocol_(protocol), window_(load.servers), next_(load.first) {
    tls_.set_verify_mode(asio::ssl::verify_none);
    SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(tls_.native_handle(), SSL_SESS_CACHE_OFF);
  }

  Measurement Measure() {
    result_.latencies.reserve(1 << 17);
    for (int i = 0; i < load_.connections; ++i) Spawn(load_.tls ? Work<Tls>() : Work<Plain>());
    Spawn(Watch());
    context_.run();
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_);
  }

 private:
  void Spawn(Task<void> task) {
    asio::co_spawn(context_, std::move(task), [this](const std::exception_ptr& failure) {
      if (!failure || failure_) return;
      failure_ = failure;
      context_.stop();
    });
  }

  Task<void> Watch() {
    asio::steady_timer timer(context_);
    timer.expires_after(load_.warm_up);
    co_await timer.async_wait(use_awaitable);
    window_.Open();
    open_ = true;
    timer.expires_after(load_.window);
    co_await timer.async_wait(use_awaitable);
    open_ = false;
    window_.Close(result_);
    context_.stop();
  }

  // A connection and what was read of it too early.
  struct Plain {
    explicit Plain(Run& run) : socket(run.context_) {}
    tcp::socket& lowest() { return socket; }
    Task<void> Shake() { co_return; }
    tcp::socket socket;
    boost::beast::flat_buffer buffer;
  };
  struct Tls {
    explicit Tls(Run& run) : socket(run.context_, run.tls_) {
      SSL_set_tlsext_host_name(socket.native_handle(), "localhost");
    }
    tcp::socket& lowest() { return socket.next_layer(); }
    Task<void> Shake() {
      co_await socket.async_handshake(asio::ssl::stream_base::client, use_awaitable);
    }
    asio::ssl::stream<tcp::socket> socket;
    boost::beast::flat_buffer buffer;
  };

  template <typename Connection>
  Task<std::unique_ptr<Connection>> Connect() {
    auto connection = std::make_unique<Connection>(*this);
    const tcp::endpoint to(asio::ip::address_v4::loopback(), load_.port);
    co_await connection->lowest().async_connect(to, use_awaitable);
    connection->lowest().set_option(tcp::no_delay(true));
    co_await connection->Shake();
    co_return connection;
  }

  // One certificate after the other.
  template <typename Connection>
  Task<void> Work() {
    std::unique_ptr<Connection> connection;
    while (true) {
      const std::unique_ptr<Exchange> exchange = protocol_.Begin(next_++);
      Step step{.request = exchange->First()};
      const auto start = SteadyClock::now();
      bool answered = false;
      while (!answered) {
        if (connection == nullptr) connection = co_await Connect<Connection>();
        co_await asio::async_write(connection->socket, asio::buffer(step.request), use_awaitable);
        http::response_parser<http::string_body> answer;
        co_await http::async_read(connection->socket, connection->buffer, answer, use_awaitable);
        if (!load_.keep || !answer.get().keep_alive()) connection.reset();
        std::optional<Step> next = exchange->Next(answer.get().result_int(), answer.get().body());
        answered = !next.has_value();
        if (answered) break;
        step = *std::move(next);
        asio::steady_timer timer(context_, step.after);
        co_await timer.async_wait(use_awaitable);
      }
      if (open_) result_.latencies.push_back(SteadyClock::now() - start);
    }
  }

  const IssueLoad& load_;
  Protocol& protocol_;
  // First among what uses it, so that it goes last.
  asio::io_context context_{1};
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  Window window_;
  Measurement result_;
  std::exception_ptr failure_;
  std::uint64_t next_;
  bool open_ = false;
};

}  // namespace

Measurement MeasureIssuing(const IssueLoad& load, Protocol& protocol) {
  return Run(load, protocol).Measure();
}

}  // namespace bench
