#include "troth/nginx/auth_request.h"

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "troth/authz/refusal_log.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/http/method_not_allowed.h"
#include "troth/nginx/identity_fields.h"
#include "troth/nginx/original_request.h"

namespace troth {
namespace {

// What the guard takes for a connection. nginx's own tell nothing about its clients, so that each
// certificate has a place here; two that share one cost each other some time, nothing else.
constexpr size_t kPlaces = 1024;

struct Question {
  std::string_view verb, target, verify, address;
  std::string leaf_pem;
};

// The only field of this name, nothing when there is none or more than one.
std::optional<std::string_view> OnlyField(const HttpRequest& request, std::string_view name) {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : request.fields) {
    if (!EqualsIgnoreCaseAscii(key, name)) continue;
    if (found.has_value()) return std::nullopt;
    found = value;
  }
  return found;
}

absl::StatusOr<Question> ReadQuestion(const HttpRequest& request) {
  const auto incomplete = [](std::string_view name) {
    return MakeError(Reason::kHttpMalformed,
                     "expected the field " + std::string(name) +
                         " once; ask as the server block of `troth nginx-config` does");
  };
  Question out;
  for (const auto& [name, where] : {std::pair(kAskMethodField, &out.verb),
                                    {kAskTargetField, &out.target},
                                    {kAskVerifyField, &out.verify},
                                    {kAskAddressField, &out.address}}) {
    const auto value = OnlyField(request, name);
    if (!value.has_value()) return incomplete(name);
    *where = *value;
  }
  // nginx leaves an empty field out: a client without a certificate.
  if (!request.Field(kAskCertificateField).has_value()) return out;
  const auto escaped = OnlyField(request, kAskCertificateField);
  if (!escaped.has_value()) return incomplete(kAskCertificateField);
  auto pem = PercentDecode(*escaped);
  if (!pem.has_value()) {
    return MakeError(Reason::kHttpMalformed, "the field " + std::string(kAskCertificateField) +
                                                 " is not escaped as $ssl_client_escaped_cert is");
  }
  out.leaf_pem = *std::move(pem);
  return out;
}

HttpResponse Refused(Reason reason, const std::string& message) {
  const int status = InfoOf(reason).http_status == 401 ? 401 : 403;
  return {.status = status,
          .fields = {{std::string(kReasonField), std::string(CodeOf(reason))},
                     {std::string(kMessageField), message}},
          .body = {}};
}

class AuthRequest {
 public:
  AuthRequest(std::shared_ptr<GuardedPort> port, const Clock& clock)
      : port_(std::move(port)), clock_(clock) {}

  HttpResponse Answer(const HttpRequest& request) {
    if (request.path != kAuthorizePath) {
      return ProblemResponse(MakeError(
          Reason::kPathUnknown, "expected " + std::string(kAuthorizePath) + ", got " +
                                    Printable(request.path) + "; only nginx's auth_request asks"));
    }
    if (request.method != "GET") return MethodNotAllowed(request, "GET");
    const absl::StatusOr<Question> question = ReadQuestion(request);
    if (!question.ok()) return RefuseHere(question.status(), {}, request.address, "a question");
    return Decide(*question);
  }

 private:
  HttpResponse Decide(const Question& question) {
    GuardedPort::Call call{.connection = PlaceOf(question.leaf_pem),
                           .leaf_pem = question.leaf_pem,
                           .chain_pem = {},
                           .method = {},
                           .address = question.address};
    const std::string asked = std::string(question.verb) + " " + std::string(question.target);
    if (!question.leaf_pem.empty() && question.verify != "SUCCESS") {
      return RefuseHere(MakeError(Reason::kPeerNotVerified,
                                  "nginx says of the certificate: " + Printable(question.verify) +
                                      "; set ssl_verify_client on"),
                        call, question.address, asked);
    }
    const auto method = NameOriginalRequest(question.verb, question.target);
    if (!method.ok()) return RefuseHere(method.status(), call, question.address, asked);
    call.method = *method;
    const Verdict verdict = port_->Check(call);
    if (!verdict.allowed()) return Refused(verdict.reason(), verdict.message());
    HttpResponse response = {.status = 204, .fields = {}, .body = {}};
    const std::shared_ptr<const Peer> peer = port_->FindPeer(call);
    if (peer->certificate.has_value()) response.fields = IdentityFields(*peer->certificate);
    size_t size = 0;
    for (const auto& [name, value] : response.fields) size += name.size() + value.size();
    if (size > kMaxIdentityBytes) {
      return RefuseHere(
          MakeError(Reason::kHeaderTooLarge, "the names of the certificate take " +
                                                 std::to_string(size) + " bytes, and nginx reads " +
                                                 std::to_string(kMaxIdentityBytes) +
                                                 "; issue it with fewer names"),
          call, question.address, asked);
    }
    return response;
  }

  // Refuses what the guard is not asked, and logs it as the guard does.
  HttpResponse RefuseHere(const absl::Status& why, const GuardedPort::Call& call,
                          std::string_view address, std::string_view asked) {
    const Reason reason = ReasonOf(why).value_or(Reason::kInternal);
    const std::string message =
        "Request refused: " + std::string(ToStd(why.message()).substr(0, 600)) +
        " [troth:" + std::string(CodeOf(reason)) + "]";
    const std::string peer =
        call.leaf_pem.empty() ? "anonymous" : port_->FindPeer(call)->Describe();
    log_.Write(call.leaf_pem.empty() ? address : call.leaf_pem,
               {.peer = peer,
                .address = address,
                .method = asked,
                .rule = {},
                .required = {},
                .message = message,
                .reason = reason,
                .shadow = false},
               clock_.Now());
    return Refused(reason, message);
  }

  const void* PlaceOf(std::string_view leaf_pem) const {
    return &places_[std::hash<std::string_view>()(leaf_pem) % kPlaces];
  }

  const std::shared_ptr<GuardedPort> port_;
  const Clock& clock_;
  RefusalLog log_;
  const std::array<char, kPlaces> places_{};  // only their addresses count
};

}  // namespace

HttpHandler AuthRequestHandler(std::shared_ptr<GuardedPort> port, const Clock& clock) {
  auto answers = std::make_shared<AuthRequest>(std::move(port), clock);
  return [answers](const std::shared_ptr<const HttpRequest>& request, const HttpRespond& respond) {
    respond(answers->Answer(*request));
  };
}

}  // namespace troth
