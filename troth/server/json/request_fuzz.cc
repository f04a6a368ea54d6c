// Everything that the JSON front end reads of a request: path, query, fields and bodies. What is
// read keeps its promises; what is not is refused with one of the reasons that say so.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "troth/base/fuzz_testing.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/revocation_reason.h"
#include "troth/server/json/body.h"
#include "troth/server/json/request.h"
#include "troth/server/json/route.h"

namespace {

using troth::Reason;
using troth::Require;

void RequireOneOf(const absl::Status& status, const std::vector<Reason>& reasons) {
  const auto reason = troth::ReasonOf(status);
  Require(status.ok() || std::ranges::find(reasons, reason) != reasons.end());
}

void RequireOneLine(std::string_view text) {
  Require(std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
}

void RequireLifetime(const std::optional<troth::Seconds>& lifetime) {
  if (!lifetime.has_value()) return;
  Require(lifetime->count() >= 1 && *lifetime <= troth::json::kMaxLifetime);
}

std::string Quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

void ReadBodies(std::string_view text) {
  const std::vector<Reason> kBodyReasons = {Reason::kBodyTooLarge, Reason::kJsonMalformed,
                                            Reason::kParameterInvalid};
  const auto issue = troth::json::ReadIssueBody(text);
  RequireOneOf(issue.status(), kBodyReasons);
  if (issue.ok()) {
    Require(!issue->csr.empty());
    RequireLifetime(issue->lifetime);
    // Written in the plainest way, it is read as the same.
    const auto again = troth::json::ReadIssueBody("{\"csr\":" + Quoted(issue->csr) + "}");
    Require(again.ok() && again->csr == issue->csr);
  }
  if (const auto submit = troth::json::ReadSubmitBody(text); submit.ok()) {
    Require(!submit->csr.empty());
    RequireOneLine(submit->profile);
  }
  if (const auto approve = troth::json::ReadApproveBody(text); approve.ok()) {
    RequireLifetime(approve->lifetime);
  }
  if (const auto reject = troth::json::ReadRejectBody(text); reject.ok()) {
    RequireOneLine(reject->note);
  }
  if (const auto revoke = troth::json::ReadRevokeBody(text); revoke.ok()) {
    Require(troth::NameOfRevocationReason(revoke->reason) != "unknown");
  }
  const auto token = troth::json::ReadTokenBody(text);
  RequireOneOf(token.status(), kBodyReasons);
  if (token.ok()) {
    Require(token->names.size() <= troth::json::kMaxListLength);
    for (const std::string& name : token->names) {
      Require(!name.empty());
      RequireOneLine(name);
    }
    RequireLifetime(token->lifetime);
  }
  RequireOneOf(troth::json::ReadEmptyBody(text), kBodyReasons);
}

void ReadQueries(std::string_view text) {
  const auto certificates = troth::json::ReadCertificateQuery(text);
  RequireOneOf(certificates.status(), {Reason::kParameterInvalid});
  if (certificates.ok()) {
    Require(certificates->limit >= 1 && certificates->limit <= troth::json::kLargestPage);
    RequireOneLine(certificates->name);
    const auto next =
        troth::json::ReadCertificateQuery(troth::json::NextQuery(text, "before", "4e0102"));
    Require(next.ok() && next->before->ToHex() == "4e0102");
    Require(next->name == certificates->name && next->limit == certificates->limit);
  }
  const auto requests = troth::json::ReadRequestQuery(text);
  RequireOneOf(requests.status(), {Reason::kParameterInvalid});
  if (requests.ok()) {
    const std::string id(64, 'a');
    const auto next = troth::json::ReadRequestQuery(troth::json::NextQuery(text, "after", id));
    Require(next.ok() && troth::FormatFingerprint(*next->after) == id);
    Require(next->state == requests->state && next->address == requests->address);
  }
}

void ReadPath(std::string_view text) {
  for (const troth::json::Route& route : troth::json::Routes()) {
    const auto part = troth::json::MatchPath(route.pattern, text);
    if (!part.has_value()) continue;
    Require(part->find('/') == std::string_view::npos);
    const auto decoded = troth::json::ReadPathPart(*part);
    RequireOneOf(decoded.status(), {Reason::kParameterInvalid});
    if (!decoded.ok()) continue;
    RequireOneLine(*decoded);
    RequireOneOf(troth::json::ReadRequestId(*decoded).status(), {Reason::kParameterInvalid});
  }
}

void ReadFields(std::string_view text) {
  const troth::HttpRequest request{
      .fields = {{"Authorization", std::string(text)}, {"Content-Type", std::string(text)}},
      .body = "{}"};
  const auto token = troth::json::BearerToken(request);
  RequireOneOf(token.status(), {Reason::kTokenInvalid});
  if (token.ok()) Require(!token->empty() && text.find(*token) != std::string_view::npos);
  RequireOneOf(troth::json::CheckContentType(request), {Reason::kMediaTypeUnknown});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadBodies(text);
  ReadQueries(text);
  ReadPath(text);
  ReadFields(text);
  return 0;
}
