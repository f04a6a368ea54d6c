#include "examples/attestor/refusal.h"

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace attestor {
namespace {

using troth::Reason;

constexpr size_t kMaxSaid = 600;

std::string FieldOf(const troth::HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.fields) {
    if (troth::EqualsIgnoreCaseAscii(key, name)) return value;
  }
  return "";
}

struct Problem {
  std::string code, detail;
};

std::optional<Problem> ProblemIn(const troth::HttpResponse& response) {
  namespace json = boost::json;
  if (!FieldOf(response, "Content-Type").starts_with("application/problem+json")) {
    return std::nullopt;
  }
  json::error_code error;
  const json::value document = json::parse(response.body, error);
  if (error || !document.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const json::value* const value = document.get_object().if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str())
                                                  : std::string();
  };
  return Problem{.code = text("code"), .detail = text("detail")};
}

}  // namespace

absl::Status RefusalOf(const troth::HttpResponse& response) {
  const std::string status = std::to_string(response.status);
  if (const std::optional<Problem> problem = ProblemIn(response)) {
    return troth::MakeError(
        troth::ReasonFromCode(problem->code).value_or(Reason::kResponseMalformed),
        "the db-service answered " + status + ": " + troth::Printable(problem->detail, kMaxSaid));
  }
  const std::string said = troth::Printable(troth::TrimWhitespace(response.body), kMaxSaid);
  if (const auto reason = troth::ReasonFromCode(FieldOf(response, "Troth-Reason"))) {
    return troth::MakeError(*reason, "the policy answered " + status + ": " + said);
  }
  if (response.status == 400 && response.body.starts_with("certificate: ")) {
    return troth::WithFix(
        troth::MakeError(Reason::kPeerRejectedCertificate, "nginx answered 400: " + said),
        "enrol again if it was revoked or has expired; else have nginx trust its CA, and give it "
        "current revocation lists");
  }
  if (response.status >= 500) {
    return troth::WithFix(
        troth::MakeError(Reason::kConnectionFailed,
                         "expected an answer of the db-service, got " + status + " of nginx"),
        "see that db-service and `troth policy serve` run, and nginx's error log");
  }
  return troth::MakeError(Reason::kResponseMalformed,
                          "expected 200 or 201, got " + status + ": " + said);
}

}  // namespace attestor
