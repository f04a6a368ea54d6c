// For tests: an authority with certificates that are valid now, a server on a free port, and raw
// clients that misbehave.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "troth/authz/guard.h"
#include "troth/base/log.h"
#include "troth/http/client.h"
#include "troth/http/server.h"
#include "troth/identity/identity_source.h"
#include "troth/identity/identity_testing.h"

namespace troth::testing {

using std::chrono::milliseconds;

// The value of `result`, or the test ends.
template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.status();
    std::abort();
  }
  return *std::move(result);
}

inline Time Now() { return Clock::System().Now(); }
inline Validity ValidNow() {
  return {Now() - std::chrono::hours(1), Now() + std::chrono::hours(24)};
}
inline Validity ValidForYears() {
  return {Now() - std::chrono::hours(24 * 365), Now() + std::chrono::hours(24 * 3650)};
}

// The machine's time, moved by what the test says.
class MovedClock final : public Clock {
 public:
  Time Now() const override { return Clock::System().Now() + Seconds(moved_.load()); }
  void Move(Seconds by) { moved_ += by.count(); }

 private:
  std::atomic<std::int64_t> moved_ = 0;
};

// Root and issuer, made once for all tests: the certificates of a server and its clients.
struct Pki {
  TestAuthority root{"test-root", ValidForYears()};
  TestAuthority issuer = root.Intermediate("test-issuer", ValidForYears());

  Leaf Issue(const std::string& name, Validity validity = ValidNow()) const {
    return issuer.IssueLeaf({.common_name = name, .validity = validity});
  }
  // An identity as a service has it: key, leaf and issuer, and the root to trust.
  std::shared_ptr<const Identity> IdentityOf(const Leaf& leaf) const {
    return Must(Identity::Create({.certificate_pem = leaf.certificate_pem + issuer.pem(),
                                  .private_key_pem = leaf.key_pem,
                                  .trust_bundle_pem = root.pem(),
                                  .allow_untrusted_chain = true},
                                 leaf.certificate.validity().not_before + Seconds(1)));
  }
  std::shared_ptr<const Identity> NewIdentity(const std::string& name) const {
    return IdentityOf(Issue(name));
  }
  TrustBundle bundle() const { return TrustBundle::FromCertificates({root.certificate()}); }
};
inline const Pki& ThePki() {
  static const Pki& pki = *new Pki;
  return pki;
}

// Waits until `condition` holds; false when it did not within `limit`.
template <typename Condition>
bool Eventually(Condition condition, milliseconds limit = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

// Collects the log while it lives. Thread-safe.
class LogText {
 public:
  LogText() {
    SetLogSink([this](const LogEntry& entry) {
      const std::lock_guard lock(mutex_);
      text_ += FormatLogEntry(entry) + "\n";
    });
  }
  LogText(const LogText&) = delete;
  LogText& operator=(const LogText&) = delete;
  ~LogText() { SetLogSink({}); }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  bool SoonHas(std::string_view part) const {
    return Eventually([&] { return text().find(part) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
};

// "POST /path?query anonymous body" of a request.
inline HttpResponse Echo(const HttpRequest& request) {
  return {.status = 200,
          .fields = {{"Content-Type", "text/plain"}},
          .body = request.method + " " + request.path +
                  (request.query.empty() ? "" : "?" + request.query) + " " +
                  (request.peer == nullptr ? "anonymous" : request.peer->Describe()) + " " +
                  request.body};
}
inline HttpHandler Echoing() {
  return [](const std::shared_ptr<const HttpRequest>& request, const HttpRespond& respond) {
    respond(Echo(*request));
  };
}

inline std::unique_ptr<HttpServer> StartServer(HttpServerOptions options,
                                               HttpHandler handler = Echoing()) {
  return Must(HttpServer::Start(std::move(options), std::move(handler)));
}
// Options of an HTTPS server whose certificate is for "localhost".
inline HttpServerOptions Https() {
  HttpServerOptions options;
  options.identity = MemoryIdentitySource::Create(ThePki().NewIdentity("localhost"));
  return options;
}

// A client that trusts the tests' root, for servers on 127.0.0.1 that are "localhost".
inline HttpClientOptions Trusting(std::shared_ptr<const Identity> identity = nullptr) {
  return {.trust = {.bundle = ThePki().bundle()},
          .identity = std::move(identity),
          .server_name = "localhost"};
}
inline std::unique_ptr<HttpClient> NewClient(HttpClientOptions options = Trusting()) {
  return Must(HttpClient::Create(std::move(options)));
}
inline std::string UrlOf(const HttpServer& server, const std::string& path) {
  return "https://" + server.address() + path;
}
inline absl::StatusOr<HttpResponse> Get(HttpClient& client, const HttpServer& server,
                                        const std::string& path = "/") {
  return client.Send({.url = UrlOf(server, path)});
}
// "ok", or the reason code.
template <typename T>
std::string CodeOfResult(const absl::StatusOr<T>& result) {
  return result.ok() ? "ok" : std::string(CodeOf(result.status()));
}

// A TCP or Unix connection that does what it is told.
class RawConnection {
 public:
  explicit RawConnection(const HttpServer& server) : RawConnection(server.address()) {}
  explicit RawConnection(const std::string& address) {
    const std::string prefix = "unix:";
    if (address.starts_with(prefix)) {
      descriptor_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
      std::strncpy(to.sun_path, address.c_str() + prefix.size(), sizeof to.sun_path - 1);
      connected_ = connect(descriptor_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    } else {
      descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port =
          htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      connected_ = connect(descriptor_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  virtual ~RawConnection() { Hangup(); }

  bool connected() const { return connected_; }
  int descriptor() const { return descriptor_; }
  void Hangup() {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }
  virtual bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // What is there, at most `most` bytes; nothing at the end or after ten seconds.
  virtual std::string Receive(size_t most) {
    std::string bytes(most, '\0');
    const ssize_t got = recv(descriptor_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  // Until the server closes.
  std::string ReceiveAll() {
    std::string all = std::exchange(rest_, {});
    for (std::string some = Receive(65536); !some.empty(); some = Receive(65536)) all += some;
    return all;
  }
  // One answer, head and body; empty when there was none.
  std::string ReceiveAnswer(bool has_body = true) {
    std::string all = std::exchange(rest_, {});
    for (;;) {
      if (const size_t end = all.find("\r\n\r\n"); end != std::string::npos) {
        const size_t length = all.find("Content-Length: ");
        size_t whole = end + 4;
        if (has_body && length < end) whole += std::stoul(all.substr(length + 16));
        if (all.size() >= whole) {
          rest_ = all.substr(whole);
          return all.substr(0, whole);
        }
      }
      const std::string some = Receive(65536);
      if (some.empty()) return {};
      all += some;
    }
  }
  // The status of the next answer, 0 when there was none.
  int ReceiveStatus() { return StatusOf(ReceiveAnswer()); }
  static int StatusOf(std::string_view answer) {
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(std::string(answer.substr(9, 3))) : 0;
  }
  // Whether the server ends the connection, whatever it sends before.
  bool IsClosed() {
    std::string byte(1, '\0');
    for (;;) {
      const ssize_t got = recv(descriptor_, byte.data(), 1, 0);
      if (got == 0) return true;
      if (got < 0) return errno == ECONNRESET;
    }
  }

 private:
  int descriptor_ = -1;
  bool connected_ = false;
  std::string rest_;
};

// The same over TLS, without any check of the server.
class RawTls final : public RawConnection {
 public:
  struct Options {
    std::shared_ptr<const Identity> identity = {};  // shown, with its chain
    std::string wire_protocols = {};                // ALPN, as on the wire
    int most = 0;                                   // TLS1_2_VERSION: no newer
    SSL_SESSION* session = nullptr;                 // to be resumed
  };
  explicit RawTls(const HttpServer& server) : RawTls(server, Options()) {}
  RawTls(const HttpServer& server, const Options& options) : RawTls(server.address(), options) {}
  RawTls(const std::string& address, const Options& options) : RawConnection(address) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context_.get(), 0);
    if (options.most != 0) SSL_CTX_set_max_proto_version(context_.get(), options.most);
    if (options.identity != nullptr) Show(*options.identity);
    SSL_CTX_set_client_cert_cb(context_.get(), [](SSL* ssl, X509** /*leaf*/, EVP_PKEY** /*key*/) {
      *static_cast<bool*>(SSL_get_app_data(ssl)) = true;
      return 0;
    });
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl_.get(), &was_asked_);
    if (!options.wire_protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(),
                          reinterpret_cast<const unsigned char*>(options.wire_protocols.data()),
                          static_cast<unsigned>(options.wire_protocols.size()));
    }
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    SSL_set_fd(ssl_.get(), descriptor());
    shook_hands_ = SSL_connect(ssl_.get()) == 1;
  }

  bool shook_hands() const { return shook_hands_; }
  // For a certificate, while it had none.
  bool was_asked() const { return was_asked_; }
  SSL* ssl() const { return ssl_.get(); }
  bool Send(std::string_view bytes) override {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  std::string Receive(size_t most) override {
    std::string bytes(most, '\0');
    const int got = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  // SHA-256 of each certificate that the server showed, leaf first.
  std::vector<Sha256Digest> shown() const {
    std::vector<Sha256Digest> out;
    const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(ssl_.get());
    for (int i = 0; i < sk_X509_num(chain); ++i) {
      Sha256Digest digest{};
      X509_digest(sk_X509_value(chain, i), EVP_sha256(), digest.data(), nullptr);
      out.push_back(digest);
    }
    return out;
  }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(BIO* bio) const { BIO_free(bio); }
  };
  void Show(const Identity& identity) {
    for (const Certificate& certificate : identity.chain()) {
      const auto* at = reinterpret_cast<const unsigned char*>(certificate.der().data());
      const std::unique_ptr<X509, Free> x509(
          d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())));
      if (certificate == identity.leaf()) {
        SSL_CTX_use_certificate(context_.get(), x509.get());
      } else {
        SSL_CTX_add1_chain_cert(context_.get(), x509.get());
      }
    }
    const Secret pem = identity.private_key().ToPem();
    const std::unique_ptr<BIO, Free> bio(
        BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.Reveal().size())));
    const std::unique_ptr<EVP_PKEY, Free> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  bool shook_hands_ = false;
  bool was_asked_ = false;
};

}  // namespace troth::testing
