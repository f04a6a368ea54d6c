#include "troth/enroll/server_answer.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <exception>

#include "troth/base/encoding.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/pem.h"

namespace troth {
namespace {

namespace json = boost::json;

constexpr std::string_view kNotAnAuthority =
    "; is it a Troth or Caramel authority, and the right protocol?";

// What a server says in words, fit for one line of a terminal. Quotes and backslashes stay as they
// are, for it is not put between quotes, and it may have been escaped over there already.
std::string Said(std::string_view text, size_t max = 600) {
  std::string out;
  for (const char& c : text) {
    if (out.size() >= max) return out + "...";
    out += c == '"' || c == '\\' ? std::string(1, c) : Printable({&c, 1});
  }
  return out;
}

std::optional<std::string_view> FieldOf(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.fields) {
    if (EqualsIgnoreCaseAscii(key, name)) return value;
  }
  return std::nullopt;
}

absl::Status Malformed(const std::string& what) {
  return MakeError(Reason::kResponseMalformed, what + std::string(kNotAnAuthority));
}

// The object that the body is; nothing when it is anything else.
std::optional<json::object> ParseObject(std::string_view body) {
  try {
    json::error_code error;
    json::parse_options options;
    options.max_depth = 8;
    json::value value =
        json::parse(json::string_view(body.data(), body.size()), error, {}, options);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.as_object());
  } catch (const std::exception&) {
    return std::nullopt;  // out of memory
  }
}

// A member that is a text; empty when there is none.
std::string TextOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return "";
  const json::string& text = value->get_string();
  return std::string(text.data(), text.size());
}

// The reason that a status stands for where the answer names none that fits.
Reason ReasonOfStatus(int status) {
  switch (status) {
    case 400:
      return Reason::kRequestMalformed;
    case 404:
      return Reason::kPathUnknown;
    case 405:
      return Reason::kMethodNotAllowed;
    case 408:
      return Reason::kRequestTimeout;
    case 411:
      return Reason::kLengthRequired;
    case 413:
      return Reason::kBodyTooLarge;
    case 429:
      return Reason::kTooManyRequests;
    case 431:
      return Reason::kHeaderTooLarge;
    default:
      return status >= 500 ? Reason::kConnectionFailed : Reason::kResponseMalformed;
  }
}

// A code counts where it fits its status, so that an answer cannot pretend to be something that
// happened on this machine.
bool Fits(Reason named, int status) {
  if (named == Reason::kInternal) return false;
  // Asked for by others than the one who shows the certificate, it is no question of who asks.
  if (named == Reason::kCertificateRevoked && status == 403) return true;
  return InfoOf(named).http_status == status;
}

// The error that an answer stands for which is not the one hoped for.
absl::Status ErrorOf(const HttpResponse& response) {
  const std::string status = std::to_string(response.status);
  if (response.status >= 300 && response.status < 400) {
    return MakeError(Reason::kResponseMalformed,
                     "the server redirects (" + status + ") to " +
                         Printable(FieldOf(response, "Location").value_or("nowhere")) +
                         ", which is not followed; give the authority's own address");
  }
  if (response.status >= 200 && response.status < 300) {
    return Malformed("the server answered " + status + ", which does not fit the question");
  }

  Reason reason = ReasonOfStatus(response.status);
  std::string said;
  if (const std::optional<json::object> problem = ParseObject(response.body); problem.has_value()) {
    const std::optional<Reason> named = ReasonFromCode(TextOf(*problem, "code"));
    if (named.has_value() && Fits(*named, response.status)) reason = *named;
    said = TextOf(*problem, "detail");
    if (said.empty()) said = TextOf(*problem, "title");
  }
  if (response.status >= 500) {
    const std::string what = said.empty() ? status : status + ": " + Said(said);
    absl::Status error = MakeError(reason, "the server failed (" + what + "), try later");
    if (reason != Reason::kConnectionFailed) return error;
    return WithFix(error, "try later; when it stays so, ask who runs the server");
  }
  std::string message = "the server answered " + status;
  if (!said.empty()) message += ": " + Said(said);
  if (reason == Reason::kResponseMalformed) return Malformed(message);
  return MakeError(reason, message);
}

// The answer to a request that is refused for good, or the error that the answer stands for.
absl::StatusOr<ServerAnswer> RejectionOrError(const HttpResponse& response) {
  absl::Status error = ErrorOf(response);
  const std::optional<Reason> reason = ReasonOf(error);
  if (reason != Reason::kRequestRejected && reason != Reason::kCertificateRevoked) return error;
  return ServerAnswer{.kind = ServerAnswer::Kind::kRejected,
                      .note = std::string(ToStd(error.message()))};
}

bool HoldsACertificate(std::string_view pem) {
  const absl::StatusOr<std::vector<PemBlock>> blocks = ParsePem(pem);
  return blocks.ok() && std::ranges::any_of(*blocks, [](const PemBlock& block) {
           return block.label == "CERTIFICATE";
         });
}

absl::Status NoCertificate(std::string_view what) {
  return Malformed(std::string(what) + " holds no certificate in PEM");
}

// {"certificate", "chain", "trust_bundle"} of an answer that has them.
absl::Status TakeIssued(const json::object& object, ServerAnswer& answer) {
  std::string leaf = TextOf(object, "certificate");
  if (!HoldsACertificate(leaf)) return NoCertificate("\"certificate\" of the answer");
  if (!leaf.ends_with('\n')) leaf += '\n';
  answer.kind = ServerAnswer::Kind::kIssued;
  answer.certificates_pem = std::move(leaf) + TextOf(object, "chain");
  answer.trust_bundle_pem = TextOf(object, "trust_bundle");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServerAnswer> ReadCaramelPost(const HttpResponse& response) {
  if (response.status != 200 && response.status != 201 && response.status != 202) {
    return RejectionOrError(response);
  }
  return ServerAnswer{.kind = ServerAnswer::Kind::kPending};
}

absl::StatusOr<ServerAnswer> ReadCaramelFetch(const HttpResponse& response) {
  ServerAnswer answer;
  switch (response.status) {
    case 200:
      if (!HoldsACertificate(response.body)) return NoCertificate("the answer");
      answer.kind = ServerAnswer::Kind::kIssued;
      answer.certificates_pem = response.body;
      if (const auto modified = FieldOf(response, "Last-Modified"); modified.has_value()) {
        answer.last_modified = ParseHttpTime(*modified);
      }
      return answer;
    case 202:
      return answer;
    case 304:
      answer.kind = ServerAnswer::Kind::kUnchanged;
      return answer;
    case 403:
      answer.kind = ServerAnswer::Kind::kRejected;
      if (const auto problem = ParseObject(response.body); problem.has_value()) {
        answer.note = Said(TextOf(*problem, "detail"));
      }
      return answer;
    case 404:
      answer.kind = ServerAnswer::Kind::kUnknown;
      return answer;
    default:
      return RejectionOrError(response);
  }
}

absl::StatusOr<ServerAnswer> ReadIssued(const HttpResponse& response) {
  if (response.status != 200 && response.status != 201) return RejectionOrError(response);
  return ReadRenewed(response);
}

absl::StatusOr<ServerAnswer> ReadRenewed(const HttpResponse& response) {
  if (response.status != 200 && response.status != 201) return ErrorOf(response);
  const std::optional<json::object> object = ParseObject(response.body);
  if (!object.has_value()) return Malformed("the answer is not a JSON object");
  ServerAnswer answer;
  if (absl::Status status = TakeIssued(*object, answer); !status.ok()) return status;
  return answer;
}

absl::StatusOr<ServerAnswer> ReadRequestState(const HttpResponse& response) {
  if (response.status != 200 && response.status != 201 && response.status != 202) {
    absl::StatusOr<ServerAnswer> rejection = RejectionOrError(response);
    if (ReasonOf(rejection.status()) == Reason::kRequestUnknown) {
      return ServerAnswer{.kind = ServerAnswer::Kind::kUnknown};
    }
    return rejection;
  }
  const std::optional<json::object> object = ParseObject(response.body);
  if (!object.has_value()) return Malformed("the answer is not a JSON object");

  ServerAnswer answer;
  const std::string state = TextOf(*object, "state");
  answer.profile = TextOf(*object, "profile");
  answer.request_id = TextOf(*object, "id");
  const std::optional<std::string> id = FromHex(answer.request_id);
  if (!id.has_value() || id->size() != 32 || answer.request_id.size() != 64) {
    return Malformed("\"id\" of the answer is not 64 hexadecimal digits");
  }
  if (object->contains("certificate") && !object->at("certificate").is_null()) {
    if (absl::Status status = TakeIssued(*object, answer); !status.ok()) return status;
    return answer;
  }
  if (state == "pending") return answer;
  if (state == "approved") {
    answer.kind = ServerAnswer::Kind::kOver;
    return answer;
  }
  if (state == "rejected") {
    answer.kind = ServerAnswer::Kind::kRejected;
    answer.note = Said(TextOf(*object, "decision_note"));
    return answer;
  }
  if (state == "expired") {
    answer.kind = ServerAnswer::Kind::kUnknown;
    return answer;
  }
  return Malformed("\"state\" of the answer is \"" + Printable(state, 40) +
                   "\", expected pending, approved, rejected or expired");
}

absl::StatusOr<std::string> ReadCertificates(const HttpResponse& response) {
  if (response.status != 200) return ErrorOf(response);
  if (!HoldsACertificate(response.body)) return NoCertificate("the answer");
  return response.body;
}

std::optional<std::chrono::seconds> RetryAfterOf(const HttpResponse& response) {
  const std::optional<std::string_view> field = FieldOf(response, "Retry-After");
  if (!field.has_value()) return std::nullopt;
  const std::string_view text = TrimWhitespace(*field);
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

bool IsPassing(const absl::Status& status) {
  switch (ReasonOf(status).value_or(Reason::kInternal)) {
    case Reason::kConnectionFailed:
    case Reason::kHandshakeFailed:
    case Reason::kRequestTimeout:
    case Reason::kTooManyRequests:
    case Reason::kRateLimited:
    case Reason::kTooManyCalls:
    case Reason::kStoreFailed:
    case Reason::kResponseMalformed:  // what stands before a server that is being restarted
    case Reason::kRequestPending:
      return true;
    default:
      return false;
  }
}

}  // namespace troth
