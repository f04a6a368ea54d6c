// The calls that a client makes to an authority, in either protocol, each one exchange.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/base/time.h"
#include "troth/enroll/server_answer.h"
#include "troth/http/client.h"

namespace troth {

using HttpClientFactory =
    std::function<absl::StatusOr<std::unique_ptr<HttpClient>>(HttpClientOptions)>;

// Keeps a connection between calls. Not thread-safe. Errors of all calls: those of HttpClient::Send
// and of reading answers (server_answer.h).
class AuthorityClient {
 public:
  struct Options {
    std::string base_url = {};  // "https://ca.example.com:8443"
    HttpTrust trust = {};
    std::string user_agent = {};
    std::string server_name = {};
    std::chrono::milliseconds timeout{30'000};  // of a call
    HttpClientFactory connect = HttpClient::Create;
  };
  explicit AuthorityClient(Options options) : options_(std::move(options)) {}

  // Shows this certificate from the next call on; null: none.
  void Show(std::shared_ptr<const Identity> identity);

  // GET /v1/trust-bundle. Nothing when the server answers 400, 403, 404 or 405: no JSON there.
  absl::StatusOr<std::optional<std::string>> TrustBundlePem();
  // POST /v1/certificates.
  absl::StatusOr<ServerAnswer> EnrolWithToken(std::string_view request_pem, const Secret& token);
  // POST /v1/requests. `profile` empty: the authority's standard one.
  absl::StatusOr<ServerAnswer> Submit(std::string_view request_pem, std::string_view profile);
  // GET /v1/requests/{id}.
  absl::StatusOr<ServerAnswer> Fetch(std::string_view id);
  // POST /v1/certificates/renew, with the certificate that is shown.
  absl::StatusOr<ServerAnswer> Renew(std::string_view request_pem);

  // Caramel: GET /root.crt, POST /{sha256}, GET /{sha256}.
  absl::StatusOr<std::string> CaramelRootPem();
  absl::StatusOr<ServerAnswer> CaramelPost(std::string_view request_pem);
  absl::StatusOr<ServerAnswer> CaramelFetch(std::string_view request_pem,
                                            std::optional<Time> if_modified_since);

  // How long the server asked to wait, in its last answer.
  std::optional<Seconds> retry_after() const { return retry_after_; }

 private:
  absl::StatusOr<HttpResponse> Send(HttpClientRequest request);
  absl::StatusOr<HttpResponse> PostJson(std::string_view path, std::string_view request_pem,
                                        std::string_view profile, const Secret* token);

  Options options_;
  std::shared_ptr<const Identity> identity_;
  std::unique_ptr<HttpClient> client_;  // null: to be made
  std::optional<Seconds> retry_after_;
};

}  // namespace troth
