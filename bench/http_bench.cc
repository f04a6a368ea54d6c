// What a kept-alive HTTPS request costs the server, beside the floor: the same bytes read and
// written by OpenSSL alone, in a loop that does nothing else. CPU of the serving thread only.
#include <benchmark/benchmark.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/base/log.h"
#include "troth/http/http_testing.h"

namespace troth {
namespace {

using testing::RawTls;

// As an enrolment is: a request of 700 bytes, an answer of 1.5 KB.
const std::string& RequestText() {
  static const std::string& text = *new std::string(
      "POST /v1/certificates HTTP/1.1\r\nHost: localhost:8443\r\nUser-Agent: bench\r\n"
      "Content-Type: application/json\r\nContent-Length: 600\r\n\r\n" +
      std::string(600, 'x'));
  return text;
}
const std::string& AnswerBody() {
  static const std::string& text = *new std::string(1500, 'y');
  return text;
}

double SecondsOf(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Drives `connections` in turn, with one request in flight on each.
void Exchange(std::vector<std::unique_ptr<RawTls>>& connections) {
  for (const auto& connection : connections) connection->Send(RequestText());
  for (const auto& connection : connections) connection->ReceiveAnswer();
}

void Run(benchmark::State& state, HttpServerOptions options) {
  options.threads = 1;
  options.access_log = false;
  std::atomic<clockid_t> clock{0};
  const auto server = testing::StartServer(
      std::move(options),
      [&](const std::shared_ptr<const HttpRequest>& /*request*/, const HttpRespond& respond) {
        if (clock == 0) {
          clockid_t own{};
          pthread_getcpuclockid(pthread_self(), &own);
          clock = own;
        }
        respond({.fields = {{"Content-Type", "application/json"}}, .body = AnswerBody()});
      });
  std::vector<std::unique_ptr<RawTls>> connections;
  for (int i = 0; i < state.range(0); ++i) {
    connections.push_back(std::make_unique<RawTls>(
        *server, RawTls::Options{.identity = testing::ThePki().NewIdentity("client")}));
  }
  Exchange(connections);
  for (auto unused : state) {
    const double before = SecondsOf(clock);
    for (int i = 0; i < 50; ++i) Exchange(connections);
    state.SetIterationTime((SecondsOf(clock) - before) /
                           (50 * static_cast<double>(state.range(0))));
  }
}

void ServerRequest(benchmark::State& state) { Run(state, testing::Https()); }

void GuardedServerRequest(benchmark::State& state) {
  GuardOptions options;
  options.policy_text = "[[rules]]\nmethods = [\"POST /v1/*\"]\nallow = [\"authenticated\"]\n";
  auto with_guard = testing::Https();
  with_guard.guard = testing::Must(Guard::Create(options));
  with_guard.guard->RegisterMethods({"POST /v1/certificates"});
  Run(state, std::move(with_guard));
}

// One thread serves one connection after another with blocking reads.
void OpensslFloor(benchmark::State& state) {
  const int listening = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  bind(listening, reinterpret_cast<sockaddr*>(&at), sizeof at);
  listen(listening, 64);
  getsockname(listening, reinterpret_cast<sockaddr*>(&at), &length);
  std::atomic<clockid_t> clock{0};
  const auto identity = testing::ThePki().NewIdentity("localhost");
  std::thread thread([&] {
    clockid_t own{};
    pthread_getcpuclockid(pthread_self(), &own);
    clock = own;
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    const auto* der = reinterpret_cast<const unsigned char*>(identity->leaf().der().data());
    X509* leaf = d2i_X509(nullptr, &der, static_cast<long>(identity->leaf().der().size()));
    SSL_CTX_use_certificate(context, leaf);
    const Secret pem = identity->private_key().ToPem();
    BIO* bio = BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size()));
    SSL_CTX_use_PrivateKey(context, PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr));
    const int socket = accept(listening, nullptr, nullptr);
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, socket);
    SSL_accept(ssl);
    const std::string answer =
        "HTTP/1.1 200 OK\r\nServer: troth\r\nDate: Sun, 06 Nov 1994 "
        "08:49:37 GMT\r\nContent-Type: application/json\r\n"
        "Content-Length: 1500\r\n\r\n" +
        AnswerBody();
    std::array<char, 16384> buffer;
    while (SSL_read(ssl, buffer.data(), buffer.size()) > 0) {
      SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    X509_free(leaf);
    BIO_free(bio);
    close(socket);
  });
  {
    const std::string address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    std::vector<std::unique_ptr<RawTls>> connections;
    connections.push_back(std::make_unique<RawTls>(address, RawTls::Options()));
    Exchange(connections);
    for (auto unused : state) {
      const double before = SecondsOf(clock);
      for (int i = 0; i < 50; ++i) Exchange(connections);
      state.SetIterationTime((SecondsOf(clock) - before) / 50);
    }
  }
  thread.join();
  close(listening);
}

// An iteration is fifty rounds; its time is that of one request.
void Shape(benchmark::internal::Benchmark* benchmark) {
  benchmark->Iterations(100)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK(OpensslFloor)->Apply(Shape);
BENCHMARK(ServerRequest)->Arg(1)->Arg(32)->Apply(Shape);
BENCHMARK(GuardedServerRequest)->Arg(1)->Arg(32)->Apply(Shape);

}  // namespace
}  // namespace troth

BENCHMARK_MAIN();
