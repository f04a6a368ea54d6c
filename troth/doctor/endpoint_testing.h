// For tests: servers on free ports that behave as they are told, well or badly.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "troth/doctor/doctor_testing.h"
#include "troth/doctor/endpoint_doctor.h"
#include "troth/pki/path_testing.h"

namespace troth::testing {

// One connection of a TcpServer.
class Visitor {
 public:
  Visitor(int descriptor, const std::atomic<bool>& stopped)
      : descriptor_(descriptor), stopped_(stopped) {}
  int descriptor() const { return descriptor_; }
  bool Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  std::string Receive() const {
    std::string bytes(4096, '\0');
    const ssize_t size = recv(descriptor_, bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
    return bytes;
  }
  // Until the other side hangs up or the server stops.
  void Linger() const {
    while (!Receive().empty()) {
    }
  }
  bool stopped() const { return stopped_; }

 private:
  const int descriptor_;
  const std::atomic<bool>& stopped_;
};

// Serves each connection in a thread of its own until it goes.
class TcpServer {
 public:
  using Serve = std::function<void(const Visitor&)>;

  // On a free port of 127.0.0.1, or where it is told: 127.0.0.`host` and `port`.
  explicit TcpServer(Serve serve, int host = 1, std::uint16_t port = 0) : serve_(std::move(serve)) {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<unsigned>(host) - 1);
    address.sin_port = htons(port);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listening_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listening_, 16), 0);
    getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { AcceptAll(); });
  }
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;
  ~TcpServer() {
    stopped_ = true;
    shutdown(listening_, SHUT_RDWR);
    acceptor_.join();
    close(listening_);
    for (const int descriptor : open_) shutdown(descriptor, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int descriptor : open_) close(descriptor);
  }

  std::uint16_t port() const { return port_; }
  size_t visitors() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  void AcceptAll() {
    while (!stopped_) {
      const int descriptor = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      const std::lock_guard lock(mutex_);
      open_.push_back(descriptor);
      threads_.emplace_back([this, descriptor] {
        serve_(Visitor(descriptor, stopped_));
        shutdown(descriptor, SHUT_RDWR);
      });
    }
  }

  const Serve serve_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopped_ = false;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  std::vector<int> open_;             // guarded by mutex_ until the acceptor has ended
  std::vector<std::thread> threads_;  // likewise
};

// The answer of HTTP/1.1 that a server gives, with the clock that it has.
inline std::string HttpAnswer(int status, const std::string& body = "",
                              const std::string& content_type = "text/plain",
                              const std::string& date = "Mon, 15 Jun 2026 00:00:00 GMT") {
  return "HTTP/1.1 " + std::to_string(status) + " Something\r\nDate: " + date +
         "\r\nContent-Type: " + content_type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// The settings of HTTP/2, and the acknowledgement of the client's.
inline std::string Http2Answer() {
  return std::string("\0\0\0\x04\0\0\0\0\0", 9) + std::string("\0\0\0\x04\x01\0\0\0\0", 9);
}

struct TlsServerOptions {
  std::vector<Certificate> chain = {};  // sent as it is, leaf first
  std::string leaf_der = {};            // in place of the first of the chain
  std::string key = "server";           // label of the leaf's key, see KeyOf
  KeyType key_type = KeyType::kP256;
  std::string key_pem = {};  // in place of that key
  int least = TLS1_2_VERSION;
  int most = TLS1_3_VERSION;
  std::vector<std::string> alpn = {"http/1.1"};  // empty: none is chosen
  bool alpn_is_required = false;
  int verify = SSL_VERIFY_NONE;  // of the client: SSL_VERIFY_PEER ...
  bool accepts_any = false;      // whatever certificate comes, as nginx does
  std::vector<Certificate> client_authorities = {};
  std::vector<Crl> client_crls = {};
  Time clock = kNow;
  std::string sni = {};                // when set, another name is refused
  bool stops_after_flight = false;     // sends its part of the handshake, and never looks further
  std::chrono::milliseconds delay{0};  // before the handshake
  // What is answered; nothing: the server hangs up when it is asked.
  std::function<std::optional<std::string>(SSL*)> answer = [](SSL* /*ssl*/) {
    return HttpAnswer(200, "hello");
  };
};

// A TLS server of OpenSSL.
class TlsServer {
 public:
  explicit TlsServer(TlsServerOptions options, int host = 1, std::uint16_t port = 0)
      : options_(std::move(options)), context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    Prepare();
    tcp_ =
        std::make_unique<TcpServer>([this](const Visitor& visitor) { Serve(visitor); }, host, port);
  }
  std::uint16_t port() const { return tcp_->port(); }
  size_t visitors() const { return tcp_->visitors(); }

 private:
  using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
  static X509Ptr Read(const Certificate& certificate) {
    const auto* at = reinterpret_cast<const unsigned char*>(certificate.der().data());
    return {d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())), X509_free};
  }

  void Prepare() {
    SSL_CTX* context = context_.get();
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context, options_.least);
    SSL_CTX_set_max_proto_version(context, options_.most);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    const std::string pem =
        options_.key_pem.empty()
            ? std::string(KeyOf(options_.key, options_.key_type).ToPem().Reveal())
            : options_.key_pem;
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    EXPECT_EQ(options_.leaf_der.empty()
                  ? SSL_CTX_use_certificate(context, Read(options_.chain.front()).get())
                  : SSL_CTX_use_certificate_ASN1(
                        context, static_cast<int>(options_.leaf_der.size()),
                        reinterpret_cast<const unsigned char*>(options_.leaf_der.data())),
              1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
    for (size_t i = 1; i < options_.chain.size(); ++i) {
      SSL_CTX_add1_chain_cert(context, Read(options_.chain[i]).get());
    }
    SSL_CTX_set_verify(context, options_.verify, nullptr);
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const Certificate& authority : options_.client_authorities) {
      X509_STORE_add_cert(store, Read(authority).get());
      SSL_CTX_add_client_CA(context, Read(authority).get());
    }
    for (const Crl& crl : options_.client_crls) {
      const auto* at = reinterpret_cast<const unsigned char*>(crl.der().data());
      X509_CRL* list = d2i_X509_CRL(nullptr, &at, static_cast<long>(crl.der().size()));
      X509_STORE_add_crl(store, list);
      X509_CRL_free(list);
      X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context),
                               options_.clock.time_since_epoch().count());
    if (options_.accepts_any) {
      SSL_CTX_set_cert_verify_callback(
          context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    }
    SSL_CTX_set_alpn_select_cb(context, ChooseProtocol, this);
    SSL_CTX_set_tlsext_servername_callback(context, CheckSni);
    SSL_CTX_set_tlsext_servername_arg(context, this);
  }

  static int ChooseProtocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
                            const unsigned char* offered, unsigned offered_size, void* self) {
    const TlsServerOptions& options = static_cast<TlsServer*>(self)->options_;
    for (const std::string& protocol : options.alpn) {
      for (unsigned at = 0; at < offered_size; at += offered[at] + 1U) {
        const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
        if (name != protocol) continue;
        *chosen = offered + at + 1;
        *size = offered[at];
        return SSL_TLSEXT_ERR_OK;
      }
    }
    return options.alpn_is_required ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
  }

  static int CheckSni(SSL* ssl, int* alert, void* self) {
    const TlsServerOptions& options = static_cast<TlsServer*>(self)->options_;
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (options.sni.empty() || (name != nullptr && options.sni == name)) return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static void SendFlight(SSL* ssl, const Visitor& visitor) {
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);  // owns both
    const std::string hello = visitor.Receive();
    BIO_write(in, hello.data(), static_cast<int>(hello.size()));
    SSL_accept(ssl);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);
    visitor.Send({bytes, static_cast<size_t>(size)});
    visitor.Linger();
  }

  void Serve(const Visitor& visitor) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
    std::this_thread::sleep_for(options_.delay);
    if (options_.stops_after_flight) return SendFlight(ssl.get(), visitor);
    SSL_set_fd(ssl.get(), visitor.descriptor());
    if (SSL_accept(ssl.get()) != 1) return;
    std::string bytes(4096, '\0');
    if (SSL_read(ssl.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) return;
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &chosen, &size);
    const bool is_h2 = std::string_view(reinterpret_cast<const char*>(chosen), size) == "h2";
    const std::optional<std::string> answer = is_h2 ? Http2Answer() : options_.answer(ssl.get());
    if (!answer.has_value()) return;
    SSL_write(ssl.get(), answer->data(), static_cast<int>(answer->size()));
    SSL_shutdown(ssl.get());
    visitor.Linger();
  }

  const TlsServerOptions options_;
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<TcpServer> tcp_;  // goes first
};

}  // namespace troth::testing
