#include "troth/enroll/authority_client.h"

#include <algorithm>
#include <boost/json.hpp>
#include <exception>
#include <utility>

#include "troth/base/reason.h"
#include "troth/pki/digest.h"

namespace troth {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};

// {"csr": PEM}, with the profile where one is asked for.
absl::StatusOr<std::string> RequestInJson(std::string_view request_pem, std::string_view profile) {
  try {
    boost::json::object object;
    object["csr"] = boost::json::string_view(request_pem.data(), request_pem.size());
    if (!profile.empty()) {
      object["profile"] = boost::json::string_view(profile.data(), profile.size());
    }
    return boost::json::serialize(object);
  } catch (const std::exception& error) {
    return MakeError(Reason::kInternal, std::string("cannot write JSON: ") + error.what());
  }
}

// The path of a request with Caramel: the SHA-256 of what is posted.
std::string CaramelPath(std::string_view request_pem) {
  return "/" + FormatFingerprint(Sha256(request_pem));
}

}  // namespace

void AuthorityClient::Show(std::shared_ptr<const Identity> identity) {
  identity_ = std::move(identity);
  client_ = nullptr;
}

absl::StatusOr<HttpResponse> AuthorityClient::Send(HttpClientRequest request) {
  retry_after_ = std::nullopt;
  if (client_ == nullptr) {
    absl::StatusOr<std::unique_ptr<HttpClient>> client =
        options_.connect({.trust = options_.trust,
                          .identity = identity_,
                          .user_agent = options_.user_agent,
                          .server_name = options_.server_name,
                          .connect_timeout = std::min(options_.timeout, kConnectTimeout),
                          .timeout = options_.timeout,
                          .max_body_bytes = kMaxAnswerBytes});
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
  }
  request.url = options_.base_url + request.url;
  absl::StatusOr<HttpResponse> response = client_->Send(request);
  for (auto& [name, value] : request.fields) {
    if (name == "Authorization") Wipe(value);
  }
  if (response.ok()) {
    retry_after_ = RetryAfterOf(*response);
  } else {
    client_ = nullptr;
  }
  return response;
}

absl::StatusOr<HttpResponse> AuthorityClient::PostJson(std::string_view path,
                                                       std::string_view request_pem,
                                                       std::string_view profile,
                                                       const Secret* token) {
  absl::StatusOr<std::string> body = RequestInJson(request_pem, profile);
  if (!body.ok()) return body.status();
  HttpClientRequest request{.method = "POST",
                            .url = std::string(path),
                            .fields = {{"Content-Type", "application/json"}},
                            .body = *std::move(body)};
  if (token != nullptr) {
    request.fields.emplace_back("Authorization", "Bearer " + std::string(token->Reveal()));
  }
  return Send(std::move(request));
}

absl::StatusOr<std::optional<std::string>> AuthorityClient::TrustBundlePem() {
  const absl::StatusOr<HttpResponse> response = Send({.url = "/v1/trust-bundle"});
  if (!response.ok()) return response.status();
  const int status = response->status;
  if (status == 400 || status == 403 || status == 404 || status == 405) return std::nullopt;
  absl::StatusOr<std::string> pem = ReadCertificates(*response);
  if (!pem.ok()) return WithContext(pem.status(), "GET /v1/trust-bundle");
  return *std::move(pem);
}

absl::StatusOr<ServerAnswer> AuthorityClient::EnrolWithToken(std::string_view request_pem,
                                                             const Secret& token) {
  const absl::StatusOr<HttpResponse> response =
      PostJson("/v1/certificates", request_pem, "", &token);
  if (!response.ok()) return response.status();
  return ReadIssued(*response);
}

absl::StatusOr<ServerAnswer> AuthorityClient::Submit(std::string_view request_pem,
                                                     std::string_view profile) {
  const absl::StatusOr<HttpResponse> response =
      PostJson("/v1/requests", request_pem, profile, nullptr);
  if (!response.ok()) return response.status();
  return ReadRequestState(*response);
}

absl::StatusOr<ServerAnswer> AuthorityClient::Fetch(std::string_view id) {
  const absl::StatusOr<HttpResponse> response = Send({.url = "/v1/requests/" + std::string(id)});
  if (!response.ok()) return response.status();
  return ReadRequestState(*response);
}

absl::StatusOr<ServerAnswer> AuthorityClient::Renew(std::string_view request_pem) {
  const absl::StatusOr<HttpResponse> response =
      PostJson("/v1/certificates/renew", request_pem, "", nullptr);
  if (!response.ok()) return response.status();
  return ReadRenewed(*response);
}

absl::StatusOr<std::string> AuthorityClient::CaramelRootPem() {
  const absl::StatusOr<HttpResponse> response = Send({.url = "/root.crt"});
  if (!response.ok()) return response.status();
  if (response->status == 401) {
    return MakeError(Reason::kUsageError,
                     "the server shows /root.crt only to those with a certificate, so it is not a "
                     "Caramel server; leave out --caramel, which says that it is one");
  }
  absl::StatusOr<std::string> pem = ReadCertificates(*response);
  if (!pem.ok()) return WithContext(pem.status(), "GET /root.crt");
  return pem;
}

absl::StatusOr<ServerAnswer> AuthorityClient::CaramelPost(std::string_view request_pem) {
  const absl::StatusOr<HttpResponse> response =
      Send({.method = "POST",
            .url = CaramelPath(request_pem),
            .fields = {{"Content-Type", "application/x-pem-file"}},
            .body = std::string(request_pem)});
  if (!response.ok()) return response.status();
  return ReadCaramelPost(*response);
}

absl::StatusOr<ServerAnswer> AuthorityClient::CaramelFetch(std::string_view request_pem,
                                                           std::optional<Time> if_modified_since) {
  HttpClientRequest request{.url = CaramelPath(request_pem)};
  if (if_modified_since.has_value()) {
    request.fields.emplace_back("If-Modified-Since", FormatHttpTime(*if_modified_since));
  }
  const absl::StatusOr<HttpResponse> response = Send(std::move(request));
  if (!response.ok()) return response.status();
  return ReadCaramelFetch(*response);
}

}  // namespace troth
