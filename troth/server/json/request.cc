#include "troth/server/json/request.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <map>
#include <utility>

#include "troth/base/encoding.h"
#include "troth/base/nearest_word.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/revocation_reason.h"
#include "troth/server/json/body.h"

namespace troth::json {
namespace {

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kBearer = "Bearer";

absl::Status Invalid(std::string_view message) {
  return MakeError(Reason::kParameterInvalid, message);
}

std::string Quoted(std::string_view text) { return "\"" + Printable(text, 64) + "\""; }

bool IsOneLine(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

// The parts of a query, decoded. Each has a name of `known`, and is there once.
using Query = std::map<std::string, std::string, std::less<>>;

absl::StatusOr<Query> ReadQuery(std::string_view query,
                                std::initializer_list<std::string_view> known) {
  Query out;
  if (query.empty()) return out;
  for (const std::string_view pair : Split(query, '&')) {
    const size_t equals = pair.find('=');
    const std::optional<std::string> name = PercentDecode(pair.substr(0, equals));
    std::optional<std::string> value = PercentDecode(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!name.has_value() || !value.has_value()) {
      return Invalid("the query has a '%' without two hexadecimal digits after it");
    }
    if (std::ranges::find(known, *name) == known.end()) {
      const std::span<const std::string_view> words(known.begin(), known.size());
      std::string message = "there is no parameter " + Quoted(*name) + " here";
      const std::string meant = DidYouMean(*name, words);
      if (!meant.empty()) return Invalid(message + meant);
      message += known.size() == 0 ? "; the query has none" : "; expected";
      for (const std::string_view word : words) message += " " + std::string(word);
      return Invalid(message);
    }
    if (!IsOneLine(*value)) {
      return Invalid("the parameter " + Quoted(*name) +
                     " has no value, or control characters in it; expected one line");
    }
    if (!out.emplace(*name, *std::move(value)).second) {
      return Invalid("the parameter " + Quoted(*name) + " is there twice");
    }
  }
  return out;
}

std::optional<std::string_view> Find(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

absl::Status Expected(std::string_view name, std::string_view expected, std::string_view got) {
  return Invalid(std::string(name) + ": expected " + std::string(expected) + ", got " +
                 Quoted(got));
}

// Each leaves `out` as it is when the query does not have `name`.
void ReadText(const Query& query, std::string_view name, std::string& out) {
  if (const auto text = Find(query, name)) out = *text;
}

absl::Status ReadTime(const Query& query, std::string_view name, std::optional<Time>& out) {
  const auto text = Find(query, name);
  if (!text.has_value()) return absl::OkStatus();
  out = ParseTime(*text);
  if (out.has_value()) return absl::OkStatus();
  return Expected(name, "a time such as 2026-11-21T02:29:09Z", *text);
}

absl::Status ReadFlag(const Query& query, std::string_view name, bool& out) {
  const auto text = Find(query, name);
  if (!text.has_value()) return absl::OkStatus();
  if (*text != "true" && *text != "false") return Expected(name, "true or false", *text);
  out = *text == "true";
  return absl::OkStatus();
}

absl::Status ReadLimit(const Query& query, size_t& out) {
  out = kDefaultPage;
  const auto text = Find(query, "limit");
  if (!text.has_value()) return absl::OkStatus();
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error == std::errc() && end == text->data() + text->size() && out >= 1 &&
      out <= kLargestPage) {
    return absl::OkStatus();
  }
  return Expected("limit", "1 to " + std::to_string(kLargestPage), *text);
}

// A SHA-256 digest in one form only: 64 lower- or upper-case digits.
absl::Status ReadDigest(std::string_view name, std::string_view text, Sha256Digest& out) {
  const std::optional<Sha256Digest> digest =
      text.size() == 2 * out.size() ? ParseFingerprint(text) : std::nullopt;
  if (!digest.has_value()) return Expected(name, "64 hexadecimal digits", text);
  out = *digest;
  return absl::OkStatus();
}

absl::Status ReadDigest(const Query& query, std::string_view name,
                        std::optional<Sha256Digest>& out) {
  const auto text = Find(query, name);
  return text.has_value() ? ReadDigest(name, *text, out.emplace()) : absl::OkStatus();
}

absl::Status FirstError(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckContentType(const HttpRequest& request) {
  if (request.body.empty()) return absl::OkStatus();
  constexpr std::string_view kFix =
      "; send -H 'Content-Type: application/json' with curl, which says something else unless told";
  const std::optional<std::string_view> field = request.Field("Content-Type");
  if (!field.has_value()) {
    return MakeError(Reason::kMediaTypeUnknown,
                     "expected the field Content-Type, got none" + std::string(kFix));
  }
  // Parameters do not count: JSON is UTF-8 (RFC 8259 section 8.1).
  const std::string_view type = TrimWhitespace(field->substr(0, field->find(';')));
  if (EqualsIgnoreCaseAscii(type, kJsonType)) return absl::OkStatus();
  return MakeError(Reason::kMediaTypeUnknown, "expected a body of type application/json, got " +
                                                  Quoted(*field) + std::string(kFix));
}

absl::StatusOr<std::string_view> BearerToken(const HttpRequest& request) {
  constexpr std::string_view kFix =
      "; send the field \"Authorization: Bearer TOKEN\" with a token of `troth tokens create` "
      "(curl: -H @FILE)";
  const std::optional<std::string_view> field = request.Field("Authorization");
  if (!field.has_value()) {
    return MakeError(Reason::kTokenInvalid,
                     "expected an enrolment token, got none" + std::string(kFix));
  }
  const std::string_view text = TrimWhitespace(*field);
  const size_t space = text.find(' ');
  const std::string_view token =
      space == std::string_view::npos ? std::string_view() : TrimWhitespace(text.substr(space));
  if (!EqualsIgnoreCaseAscii(text.substr(0, space), kBearer) || token.empty()) {
    return MakeError(
        Reason::kTokenInvalid,
        "expected an Authorization field of the form \"Bearer TOKEN\"" + std::string(kFix));
  }
  return token;
}

absl::StatusOr<IssueBody> ReadIssueBody(std::string_view body) {
  IssueBody out;
  const absl::Status status =
      ReadObject(body, {{.name = "csr", .target = &out.csr, .required = true, .lines = true},
                        {.name = "lifetime_seconds", .target = &out.lifetime}});
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<SubmitBody> ReadSubmitBody(std::string_view body) {
  SubmitBody out;
  const absl::Status status =
      ReadObject(body, {{.name = "csr", .target = &out.csr, .required = true, .lines = true},
                        {.name = "profile", .target = &out.profile}});
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<ApproveBody> ReadApproveBody(std::string_view body) {
  ApproveBody out;
  const absl::Status status =
      ReadObject(body, {{.name = "lifetime_seconds", .target = &out.lifetime}});
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<RejectBody> ReadRejectBody(std::string_view body) {
  RejectBody out;
  const absl::Status status = ReadObject(body, {{.name = "note", .target = &out.note}});
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<RevokeSpec> ReadRevokeBody(std::string_view body) {
  RevokeSpec out;
  std::string reason;
  const absl::Status status = ReadObject(
      body, {{.name = "reason", .target = &reason}, {.name = "all", .target = &out.all}});
  if (!status.ok()) return status;
  if (reason.empty()) return out;
  const std::vector<std::string_view> known = RevocationReasonNames();
  const std::optional<int> number = RevocationReasonFromName(reason);
  if (!number.has_value() ||
      std::ranges::find(known, NameOfRevocationReason(*number)) == known.end()) {
    std::string message = "reason: expected one of";
    for (const std::string_view name : known) message += " " + std::string(name);
    return Invalid(message + ", got " + Quoted(reason) + DidYouMean(reason, known));
  }
  out.reason = *number;
  return out;
}

absl::StatusOr<TokenSpec> ReadTokenBody(std::string_view body) {
  TokenSpec out;
  std::optional<Seconds> lifetime;
  const absl::Status status = ReadObject(body, {{.name = "profile", .target = &out.profile},
                                                {.name = "names", .target = &out.names},
                                                {.name = "any_name", .target = &out.any_name},
                                                {.name = "max_uses", .target = &out.max_uses},
                                                {.name = "lifetime_seconds", .target = &lifetime}});
  if (!status.ok()) return status;
  if (lifetime.has_value()) out.lifetime = *lifetime;
  return out;
}

absl::Status ReadEmptyBody(std::string_view body) { return ReadObject(body, {}); }

absl::StatusOr<CertificateFilter> ReadCertificateQuery(std::string_view query) {
  const auto read = ReadQuery(
      query, {"name", "profile", "expires_before", "expires_after", "revoked", "before", "limit"});
  if (!read.ok()) return read.status();
  CertificateFilter out;
  ReadText(*read, "name", out.name);
  ReadText(*read, "profile", out.profile);
  absl::Status status =
      FirstError({ReadTime(*read, "expires_before", out.expires_before),
                  ReadTime(*read, "expires_after", out.expires_after),
                  ReadFlag(*read, "revoked", out.only_revoked), ReadLimit(*read, out.limit)});
  if (!status.ok()) return status;
  if (const auto before = Find(*read, "before")) {
    const std::optional<std::string> octets = FromHex(*before);
    auto serial = SerialNumber::FromDerContent(octets.value_or(""));
    if (!octets.has_value() || !serial.ok()) {
      return Expected("before", "the hexadecimal serial number of a certificate", *before);
    }
    out.before = *std::move(serial);
  }
  return out;
}

absl::StatusOr<RequestFilter> ReadRequestQuery(std::string_view query) {
  const auto read = ReadQuery(query, {"state", "name", "key", "address", "after", "limit"});
  if (!read.ok()) return read.status();
  RequestFilter out;
  ReadText(*read, "name", out.name);
  ReadText(*read, "address", out.address);
  absl::Status status =
      FirstError({ReadDigest(*read, "key", out.key), ReadDigest(*read, "after", out.after),
                  ReadLimit(*read, out.limit)});
  if (!status.ok()) return status;
  if (const auto state = Find(*read, "state")) {
    out.state = RequestStateFromName(*state);
    if (!out.state.has_value()) {
      return Expected("state", "pending, approved, rejected or expired", *state);
    }
  }
  return out;
}

absl::Status ReadEmptyQuery(std::string_view query) { return ReadQuery(query, {}).status(); }

std::string NextQuery(std::string_view query, std::string_view name, std::string_view value) {
  std::string out;
  for (const std::string_view pair : Split(query, '&')) {
    // The name may have been escaped, and was readable.
    if (pair.empty() || PercentDecode(pair.substr(0, pair.find('='))) == name) continue;
    out += std::string(pair) + "&";
  }
  return out + std::string(name) + "=" + std::string(value);
}

absl::StatusOr<std::string> ReadPathPart(std::string_view part) {
  std::optional<std::string> text = PercentDecode(part);
  if (!text.has_value() || !IsOneLine(*text)) {
    return Invalid(Quoted(part) +
                   " in the path cannot be read; expected one line, not empty, "
                   "with %XX for what a path may not have");
  }
  return *std::move(text);
}

absl::StatusOr<Sha256Digest> ReadRequestId(std::string_view text) {
  Sha256Digest out;
  if (absl::Status status = ReadDigest("id of a request", text, out); !status.ok()) return status;
  return out;
}

}  // namespace troth::json
