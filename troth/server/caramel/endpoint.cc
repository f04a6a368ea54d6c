#include "troth/server/caramel/endpoint.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/encoding.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/server/caramel/answer.h"
#include "troth/server/caramel/posted_request.h"

namespace troth::caramel {
namespace {

constexpr size_t kHashDigits = 64;
constexpr std::string_view kRetryAfterSeconds = "60";

// The id in "/{sha256hex}": lower-case digits only, as the original has it.
std::optional<Sha256Digest> IdIn(std::string_view path) {
  if (path.size() != 1 + kHashDigits || path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  if (path.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  return ParseFingerprint(path);
}

HttpResponse NothingThere(const HttpRequest& request) {
  const std::optional<std::string> path = PercentDecode(request.path);
  return Problem(404, path.has_value() ? *path : request.path);
}

// What the original has no words for: too many wait, the store is broken, what the profile does not
// allow.
HttpResponse AnswerOf(const absl::Status& status) {
  const int http = InfoOf(ReasonOf(status).value_or(Reason::kInternal)).http_status;
  if (http == 429) {
    HttpResponse answer = Problem(429, ToStd(status.message()));
    answer.fields.emplace_back("Retry-After", kRetryAfterSeconds);
    return answer;
  }
  // What failed inside is for the log.
  if (http >= 500) return Problem(503);
  return Problem(400, ToStd(status.message()));
}

class CaramelEndpoint final : public Endpoint {
 public:
  CaramelEndpoint(Authority& authority, const EndpointOptions& options)
      : authority_(authority),
        options_(options),
        prefix_(RequiredPrefix(authority.root().subject())),
        root_pem_(authority.root().ToPem()) {}

  bool Handle(const std::shared_ptr<const HttpRequest>& request,
              const HttpRespond& respond) override {
    const std::optional<Sha256Digest> id = IdIn(request->path);
    const bool get = request->method == "GET" || request->method == "HEAD";
    if (get && (request->path == "/root.crt" || request->path == "/bundle.crt")) {
      respond(AuthorityCertificate(root_pem_));
    } else if (get && id.has_value()) {
      respond(Get(*request, *id));
    } else if (request->method == "POST" && id.has_value()) {
      Post(request, *id, respond);
    } else {
      respond(NothingThere(*request));
    }
    return true;
  }

  std::vector<std::string> Methods() const override {
    return {"GET /root.crt", "GET /bundle.crt", "GET /*", "HEAD /*", "POST /*"};
  }

 private:
  HttpResponse Get(const HttpRequest& request, const Sha256Digest& id) {
    absl::StatusOr<FetchedRequest> found = authority_.Fetch(id);
    if (!found.ok()) {
      if (ReasonOf(found.status()) == Reason::kRequestUnknown) return Problem(404);
      Log(LogLevel::kError, "caramel request not read",
          {{"id", FormatFingerprint(id)},
           {"reason", CodeOf(found.status())},
           {"detail", ToStd(found.status().message())}});
      return AnswerOf(found.status());
    }
    HttpResponse answer = AnswerFor(request, *found);
    Log(LogLevel::kInfo, "caramel request fetched",
        {{"id", FormatFingerprint(id)},
         {"name", found->record.name},
         {"state", NameOf(found->record.state)},
         {"status", std::to_string(answer.status)},
         {"address", request.address},
         {"client", request.Field("User-Agent").value_or("")}});
    return answer;
  }

  HttpResponse AnswerFor(const HttpRequest& request, const FetchedRequest& found) {
    switch (found.record.state) {
      case RequestState::kRejected:
        return Problem(403);
      // Nobody decided in time: its client is told to post it again.
      case RequestState::kExpired:
        return Problem(404);
      case RequestState::kPending:
      case RequestState::kApproved:
        break;
    }
    // Whoever holds a revoked certificate must start over, as with a rejected request.
    if (found.revoked) return Problem(403);
    if (!found.issued.has_value()) return Accepted(request, found.record.id);
    const Certificate& certificate = found.issued->certificate;
    return CertificateAnswer(request, certificate.ToPem(),
                             found.issued_at.value_or(certificate.validity().not_before));
  }

  void Post(const std::shared_ptr<const HttpRequest>& request, const Sha256Digest& id,
            const HttpRespond& respond) {
    if (std::optional<HttpResponse> refusal = Refusal(*request, id)) {
      respond(*std::move(refusal));
      return;
    }
    const Caller caller{.address = request->address,
                        .client = Printable(request->Field("User-Agent").value_or(""))};
    authority_.Submit("", request->body, caller,
                      [request, id, respond](const absl::StatusOr<FetchedRequest>& stored) {
                        if (stored.ok()) {
                          // Also when it was signed at once: the original's clients ask again.
                          respond(Accepted(*request, id));
                          return;
                        }
                        respond(AnswerOf(stored.status()));
                      });
  }

  // The answer to a body that the authority is not bothered with; in the original's order.
  std::optional<HttpResponse> Refusal(const HttpRequest& request, const Sha256Digest& id) {
    if (!request.has_content_length) {
      authority_.CountRefusal(Reason::kLengthRequired);
      return Problem(411);
    }
    if (request.body.size() > options_.max_request_bytes) {
      authority_.CountRefusal(Reason::kBodyTooLarge);
      return Problem(413, "Max size: " + KilobytesText(options_.max_request_bytes));
    }
    if (const Sha256Digest hash = Sha256(request.body); hash != id) {
      authority_.CountRefusal(Reason::kRequestMalformed);
      return Problem(400, "hash mismatch (" + FormatFingerprint(hash) + ")");
    }
    const auto read = ReadPostedRequest(request.body, prefix_);
    if (!read.ok()) {
      authority_.CountRefusal(ReasonOf(read.status()).value_or(Reason::kRequestMalformed));
      return Problem(400, ToStd(read.status().message()));
    }
    const absl::StatusOr<FetchedRequest> known = authority_.Fetch(id);
    if (known.ok() && known->record.state != RequestState::kExpired) {
      authority_.CountRefusal(Reason::kRequestState);
      return Problem(400, "duplicate request");
    }
    return std::nullopt;
  }

  Authority& authority_;
  const EndpointOptions options_;
  const std::vector<NameAttribute> prefix_;
  const std::string root_pem_;
};

}  // namespace

std::shared_ptr<Endpoint> MakeEndpoint(Authority& authority, EndpointOptions options) {
  return std::make_shared<CaramelEndpoint>(authority, options);
}

}  // namespace troth::caramel
