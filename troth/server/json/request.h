// What the JSON front end is asked: tokens, bodies and queries, as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/ca/operations.h"
#include "troth/ca/store.h"
#include "troth/ca/token.h"
#include "troth/http/message.h"
#include "troth/pki/digest.h"

namespace troth::json {

// How many entries a page has when the caller does not say, and at most.
inline constexpr size_t kDefaultPage = 100;
inline constexpr size_t kLargestPage = 1000;

// OK when the request has no body, or says that it is JSON. Errors: media_type_unknown.
absl::Status CheckContentType(const HttpRequest& request);

// The token of "Authorization: Bearer TOKEN" (RFC 6750 section 2.1); lives as long as the request.
// Errors: token_invalid, which never repeats what was sent.
absl::StatusOr<std::string_view> BearerToken(const HttpRequest& request);

// The bodies. Errors of all: those of ReadObject (body.h).
struct IssueBody {
  std::string csr = {};  // PEM, not looked at yet
  std::optional<Seconds> lifetime = {};
};
absl::StatusOr<IssueBody> ReadIssueBody(std::string_view body);

struct SubmitBody {
  std::string csr = {};
  std::string profile = {};  // empty: the standard one
};
absl::StatusOr<SubmitBody> ReadSubmitBody(std::string_view body);

struct ApproveBody {
  std::optional<Seconds> lifetime = {};
};
absl::StatusOr<ApproveBody> ReadApproveBody(std::string_view body);

struct RejectBody {
  std::string note = {};
};
absl::StatusOr<RejectBody> ReadRejectBody(std::string_view body);

// All but RevokeSpec::which, which is in the path.
absl::StatusOr<RevokeSpec> ReadRevokeBody(std::string_view body);
absl::StatusOr<TokenSpec> ReadTokenBody(std::string_view body);
// OK for a body that says nothing: none, or {}.
absl::Status ReadEmptyBody(std::string_view body);

// The queries. Errors of all: parameter_invalid (unknown, twice, not readable).
absl::StatusOr<CertificateFilter> ReadCertificateQuery(std::string_view query);
absl::StatusOr<RequestFilter> ReadRequestQuery(std::string_view query);
absl::Status ReadEmptyQuery(std::string_view query);

// The query that asks for the next page: `query` as it was sent, which one of the functions above
// has read, with `name` ("before") being `value`, a text that needs no escapes.
std::string NextQuery(std::string_view query, std::string_view name, std::string_view value);

// A variable part of a path, decoded: one line, not empty. Errors: parameter_invalid.
absl::StatusOr<std::string> ReadPathPart(std::string_view part);
// A request's id. Errors: parameter_invalid.
absl::StatusOr<Sha256Digest> ReadRequestId(std::string_view text);

}  // namespace troth::json
