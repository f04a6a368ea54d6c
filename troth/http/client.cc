#include "troth/http/client.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>

#include <array>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/client_failure_internal.h"
#include "troth/http/client_tls_internal.h"
#include "troth/http/server_chain_internal.h"
#include "troth/pki/openssl_internal.h"

namespace troth {
namespace {

using EasyPtr = std::unique_ptr<CURL, openssl::Deleter<curl_easy_cleanup>>;
using ListPtr = std::unique_ptr<curl_slist, openssl::Deleter<curl_slist_free_all>>;
using UrlPtr = std::unique_ptr<CURLU, openssl::Deleter<curl_url_cleanup>>;

constexpr size_t kMaxHeaderBytes = 256 << 10;

absl::Status Misused(const std::string& what) { return MakeError(Reason::kUsageError, what); }

bool InitializeCurl() {
  static const bool done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return done;
}

// What connections are made with: an identity, and libcurl's handle, which keeps them. The handle
// goes first: its connections say goodbye through the TLS settings.
struct Connector {
  std::shared_ptr<const Identity> identity;
  ClientTls tls;
  EasyPtr easy;
};

absl::StatusOr<Connector> NewConnector(const HttpTrust& trust,
                                       std::shared_ptr<const Identity> identity) {
  if (trust.bundle.has_value() && trust.bundle->empty()) {
    return Misused("the trust bundle is empty, so no server could be trusted");
  }
  EasyPtr easy(InitializeCurl() ? curl_easy_init() : nullptr);
  if (easy == nullptr) return MakeError(Reason::kInternal, "libcurl cannot be set up");
  absl::StatusOr<ClientTls> tls = ClientTls::Create(trust, identity.get());
  if (!tls.ok()) return tls.status();
  return Connector{std::move(identity), *std::move(tls), std::move(easy)};
}

absl::StatusOr<Connector> NewConnector(const HttpClientOptions& options) {
  if (options.identity_source == nullptr) return NewConnector(options.trust, options.identity);
  std::shared_ptr<const Identity> identity = options.identity_source->Current();
  HttpTrust trust;
  trust.bundle = identity->trust_bundle();
  return NewConnector(trust, std::move(identity));
}

// RFC 9110 section 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "!#$%&'*+-.^_`|~") == std::string_view::npos;
}

bool HasControlCharacter(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return true;
  }
  return false;
}

std::string PartOf(CURLU& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(&url, part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

// Where a request goes.
struct Destination {
  UrlPtr url;              // names the server by the name that is expected of it
  std::string connect_to;  // "name:port:host:port" when it is found elsewhere
  std::string server;      // "https://ca.example:8443", for messages
  AlternativeName name;    // that its certificate must have
};

absl::StatusOr<Destination> DestinationOf(const std::string& url, const std::string& server_name) {
  Destination out{.url = UrlPtr(curl_url()), .name = {}};
  // The URL itself may hold a token or a password: no message repeats it.
  if (out.url == nullptr || HasControlCharacter(url) ||
      curl_url_set(out.url.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return Misused("the URL cannot be read; expected https://HOST[:PORT]/PATH");
  }
  const std::string scheme = PartOf(*out.url, CURLUPART_SCHEME);
  if (scheme != "https") {
    return Misused("expected an https:// URL, got " + Printable(scheme) +
                   "://, which anybody on the way could read and change");
  }
  if (!PartOf(*out.url, CURLUPART_USER).empty() || !PartOf(*out.url, CURLUPART_PASSWORD).empty()) {
    return Misused("the URL holds a user name or password; expected https://HOST[:PORT]/PATH");
  }
  const std::string host = PartOf(*out.url, CURLUPART_HOST);
  const std::string port = PartOf(*out.url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  out.server = "https://" + Printable(host) + ":" + port;
  absl::StatusOr<AlternativeName> name = NameOfHost(server_name.empty() ? host : server_name);
  if (!name.ok()) return name.status();
  out.name = *std::move(name);
  if (server_name.empty() || server_name == host) return out;
  std::string as_host = server_name;
  if (as_host.find(':') != std::string::npos && !as_host.starts_with('[')) {
    as_host = "[" + as_host + "]";
  }
  if (curl_url_set(out.url.get(), CURLUPART_HOST, as_host.c_str(), 0) != CURLUE_OK) {
    return Misused("\"" + Printable(server_name) + "\" is no name of a server");
  }
  out.connect_to = as_host + ":" + port + ":" + host + ":" + port;
  out.server += " (as " + Printable(server_name) + ")";
  return out;
}

absl::StatusOr<ListPtr> HeaderLines(const HttpFields& fields) {
  ListPtr list;
  const auto add = [&](const std::string& line) {
    if (curl_slist* const longer = curl_slist_append(list.get(), line.c_str())) {
      static_cast<void>(list.release());  // the same list, or a part of the longer one
      list.reset(longer);
    }
  };
  bool has_type = false;
  for (const auto& [name, value] : fields) {
    if (!IsToken(name) || HasControlCharacter(value)) {
      return Misused("the field \"" + Printable(name) +
                     "\" has a name or a value that a header cannot have");
    }
    has_type = has_type || EqualsIgnoreCaseAscii(name, "content-type");
    std::string line = name;
    line.append(value.empty() ? ";" : ": ").append(value);
    add(line);
  }
  // What libcurl would add by itself: a type that the body does not have, and a wait before it.
  if (!has_type) add("Content-Type:");
  add("Expect:");
  return list;
}

// Keeps SIGPIPE, which OpenSSL may cause by writing to a connection that is gone, from this thread
// while it lives.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;
  ~NoBrokenPipe() {
    const timespec at_once{};
    if (!was_pending_) sigtimedwait(&pipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

class HttpClientImpl final : public HttpClient {
 public:
  HttpClientImpl(HttpClientOptions options, Connector connector)
      : options_(std::move(options)), connector_(std::move(connector)) {}

  HttpClientImpl(const HttpClientImpl&) = delete;
  HttpClientImpl& operator=(const HttpClientImpl&) = delete;
  ~HttpClientImpl() override {
    const NoBrokenPipe no_signal;
    connector_.easy.reset();
  }

  absl::StatusOr<HttpResponse> Send(const HttpClientRequest& request) override {
    if (!IsToken(request.method)) {
      return Misused("\"" + Printable(request.method) + "\" is no HTTP method");
    }
    absl::StatusOr<Destination> to = DestinationOf(request.url, options_.server_name);
    if (!to.ok()) return to.status();
    const absl::StatusOr<ListPtr> lines = HeaderLines(request.fields);
    if (!lines.ok()) return lines.status();
    const ListPtr connect_to(
        to->connect_to.empty() ? nullptr : curl_slist_append(nullptr, to->connect_to.c_str()));

    if (absl::Status status = UseCurrentIdentity(); !status.ok()) return status;

    response_ = {};
    header_bytes_ = 0;
    const Identity* const identity = connector_.identity.get();
    attempt_ = {.server = std::move(to->server),
                .shows_certificate = identity != nullptr && identity->has_certificate()};
    expected_name_ = to->name;
    error_text_[0] = '\0';
    curl_easy_reset(connector_.easy.get());
    SetUp();
    Set(CURLOPT_CURLU, to->url.get());
    Set(CURLOPT_HTTPHEADER, lines->get());
    Set(CURLOPT_CONNECT_TO, connect_to.get());
    SetMethod(request);
    const NoBrokenPipe no_signal;
    const CURLcode code = curl_easy_perform(connector_.easy.get());
    if (code != CURLE_OK) return ExplainClientFailure(attempt_, FailureOf(code));
    long status = 0;
    curl_easy_getinfo(connector_.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return std::move(response_);
  }

 private:
  absl::Status UseCurrentIdentity() {
    if (options_.identity_source == nullptr ||
        options_.identity_source->Current() == connector_.identity) {
      return absl::OkStatus();
    }
    absl::StatusOr<Connector> newest = NewConnector(options_);
    if (!newest.ok()) return newest.status();
    const NoBrokenPipe no_signal;
    connector_.easy.reset();
    connector_ = *std::move(newest);
    return absl::OkStatus();
  }

  template <typename T>
  void Set(CURLoption option, T value) {
    curl_easy_setopt(connector_.easy.get(), option, value);
  }

  void SetUp() {
    Set(CURLOPT_PROTOCOLS_STR, "https");
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    Set(CURLOPT_PROXY, "");  // of the environment neither
    Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    Set(CURLOPT_NOSIGNAL, 1L);  // it would change the handlers of the whole process
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    Set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    Set(CURLOPT_ERRORBUFFER, error_text_.data());
    Set(CURLOPT_WRITEFUNCTION, &OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &OnHeaderLine);
    Set(CURLOPT_HEADERDATA, this);
    if (options_.give_up) {
      Set(CURLOPT_NOPROGRESS, 0L);
      Set(CURLOPT_XFERINFOFUNCTION, &OnProgress);
      Set(CURLOPT_XFERINFODATA, this);
    }
    // TLS: the name is checked together with the chain, see ClientTls; without a cache of sessions
    // every connection is verified.
    Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    Set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 0L);
    if (!options_.trust.system) {
      Set<const char*>(CURLOPT_CAINFO, nullptr);
      Set<const char*>(CURLOPT_CAPATH, nullptr);
    }
    Set(CURLOPT_SSL_CTX_FUNCTION, &OnContext);
    Set(CURLOPT_SSL_CTX_DATA, this);
    Set(CURLOPT_PREREQFUNCTION, &OnConnected);
    Set(CURLOPT_PREREQDATA, this);
  }

  void SetMethod(const HttpClientRequest& request) {
    if (request.method == "HEAD") return Set(CURLOPT_NOBODY, 1L);
    const bool has_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
    if (has_body) {
      Set(CURLOPT_POST, 1L);
      Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      Set(CURLOPT_POSTFIELDS, request.body.data());
    } else {
      Set(CURLOPT_HTTPGET, 1L);
    }
    Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  CurlFailure FailureOf(CURLcode code) const {
    CurlFailure failure{.code = code, .text = error_text_.data()};
    if (failure.text.empty()) failure.text = curl_easy_strerror(code);
    curl_easy_getinfo(connector_.easy.get(), CURLINFO_OS_ERRNO, &failure.system_error);
    return failure;
  }

  static size_t OnBody(char* bytes, size_t size, size_t count, void* client) {
    return static_cast<HttpClientImpl*>(client)->TakeBody({bytes, size * count});
  }
  size_t TakeBody(std::string_view bytes) {
    if (bytes.size() > options_.max_body_bytes - response_.body.size()) {
      attempt_.too_large = true;
      return 0;
    }
    response_.body += bytes;
    return bytes.size();
  }

  static size_t OnHeaderLine(char* bytes, size_t size, size_t count, void* client) {
    return static_cast<HttpClientImpl*>(client)->TakeHeaderLine({bytes, size * count});
  }
  size_t TakeHeaderLine(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMaxHeaderBytes) {
      attempt_.too_large = true;
      return 0;
    }
    const size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      response_.fields.clear();  // what came before belongs to an interim answer
    } else if (colon != std::string_view::npos) {
      response_.fields.emplace_back(line.substr(0, colon), TrimWhitespace(line.substr(colon + 1)));
    }
    return line.size();
  }

  static int OnProgress(void* client, curl_off_t /*to_read*/, curl_off_t /*read*/,
                        curl_off_t /*to_send*/, curl_off_t /*sent*/) {
    return static_cast<HttpClientImpl*>(client)->options_.give_up() ? 1 : 0;
  }

  static CURLcode OnContext(CURL* /*easy*/, void* context, void* client) {
    auto* self = static_cast<HttpClientImpl*>(client);
    self->attempt_.stage = ClientAttempt::Stage::kHandshake;
    const bool prepared = self->connector_.tls.Prepare(*static_cast<SSL_CTX*>(context),
                                                       self->expected_name_, self->attempt_);
    return prepared ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
  }

  static int OnConnected(void* client, char* /*remote_address*/, char* /*local_address*/,
                         int /*remote_port*/, int /*local_port*/) {
    static_cast<HttpClientImpl*>(client)->attempt_.stage = ClientAttempt::Stage::kAnswer;
    return CURL_PREREQFUNC_OK;
  }

  const HttpClientOptions options_;
  // Before connector_, whose connections end with it and say goodbye through these.
  ClientAttempt attempt_;
  AlternativeName expected_name_{};
  HttpResponse response_;
  size_t header_bytes_ = 0;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  Connector connector_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpClient>> HttpClient::Create(HttpClientOptions options) {
  const int given = (options.trust.bundle.has_value() ? 1 : 0) +
                    (options.trust.root_fingerprint.has_value() ? 1 : 0) +
                    (options.trust.system ? 1 : 0) + (options.identity_source != nullptr ? 1 : 0);
  if (given != 1) {
    return Misused(
        "expected one of trust bundle, root fingerprint, system trust and identity "
        "source, got " +
        std::to_string(given) + "; without any of them a client would believe whoever answers");
  }
  if (options.identity_source != nullptr && options.identity != nullptr) {
    return Misused("expected an identity or an identity source, got both");
  }
  absl::StatusOr<Connector> connector = NewConnector(options);
  if (!connector.ok()) return connector.status();
  return std::make_unique<HttpClientImpl>(std::move(options), *std::move(connector));
}

}  // namespace troth
