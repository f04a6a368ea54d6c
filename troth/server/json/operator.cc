// The calls that operators make: certificates, requests and tokens.
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/server/json/handler.h"
#include "troth/server/json/request.h"

namespace troth::json {
namespace {

absl::Status CheckPeer(const Call& call) {
  const std::shared_ptr<const Peer>& peer = call.request->peer;
  if (peer == nullptr || !peer->certificate.has_value() || !peer->verified) {
    return MakeError(Reason::kPeerNotAuthenticated,
                     "this call needs an admin's certificate, and came without one; give curl "
                     "--cert and --key");
  }
  return call.context.authority.CheckIssued(*peer->certificate);
}

// Cuts a list that was asked for with one entry more than the page has; says whether there is more.
template <typename Entry>
bool CutToPage(std::vector<Entry>& entries, size_t page) {
  if (entries.size() <= page) return false;
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(page), entries.end());
  return true;
}

std::string NextPage(const Call& call, std::string_view name, std::string_view last) {
  return call.request->path + "?" + NextQuery(call.request->query, name, last);
}

HttpResponse Answer(const absl::Status& problem) { return ProblemResponse(problem); }

}  // namespace

void RunAsOperator(const Call& call, OperatorWork work) {
  Context& context = call.context;
  if (absl::Status status = CheckPeer(call); !status.ok()) {
    return call.respond(Refuse(context, status));
  }
  const bool added = context.operators.Add([call, work] {
    const std::unique_ptr<Operations> operations =
        call.context.authority.AsOperator(call.request->peer->Describe());
    call.respond(work(*operations, call));
  });
  if (!added) {
    call.respond(Refuse(context, MakeError(Reason::kTooManyCalls,
                                           "too many calls of operators wait; try again in a "
                                           "moment")));
  }
}

HttpResponse ListCertificates(Operations& operations, const Call& call) {
  auto filter = ReadCertificateQuery(call.request->query);
  if (!filter.ok()) return Refuse(call.context, filter.status());
  const size_t page = filter->limit++;
  auto list = operations.ListCertificates(*filter);
  if (!list.ok()) return Answer(list.status());
  const bool more = CutToPage(*list, page);
  const std::string next = more ? NextPage(call, "before", list->back().record.serial.ToHex()) : "";
  return JsonResponse(200, WriteCertificates(*list, next));
}

HttpResponse ShowCertificate(Operations& operations, const Call& call) {
  const auto certificate = operations.ShowCertificate(call.part);
  if (!certificate.ok()) return Answer(certificate.status());
  return JsonResponse(200, WriteCertificate(*certificate));
}

HttpResponse RevokeCertificates(Operations& operations, const Call& call) {
  auto spec = ReadRevokeBody(call.request->body);
  if (!spec.ok()) return Refuse(call.context, spec.status());
  spec->which = call.part;
  const auto revoked = operations.Revoke(*spec);
  if (!revoked.ok()) return Answer(revoked.status());
  return JsonResponse(200, WriteCertificates(*revoked, ""));
}

HttpResponse ListRequests(Operations& operations, const Call& call) {
  auto filter = ReadRequestQuery(call.request->query);
  if (!filter.ok()) return Refuse(call.context, filter.status());
  const size_t page = filter->limit++;
  auto list = operations.ListRequests(*filter);
  if (!list.ok()) return Answer(list.status());
  const bool more = CutToPage(*list, page);
  const std::string next =
      more ? NextPage(call, "after", FormatFingerprint(list->back().record.id)) : "";
  return JsonResponse(200, WriteRequests(*list, next));
}

HttpResponse ApproveRequest(Operations& operations, const Call& call) {
  const auto body = ReadApproveBody(call.request->body);
  if (!body.ok()) return Refuse(call.context, body.status());
  const auto certificate = operations.Approve(call.part, body->lifetime);
  if (!certificate.ok()) return Answer(certificate.status());
  return JsonResponse(200, WriteCertificate(*certificate));
}

HttpResponse RejectRequest(Operations& operations, const Call& call) {
  const auto body = ReadRejectBody(call.request->body);
  if (!body.ok()) return Refuse(call.context, body.status());
  const auto request = operations.Reject(call.part, body->note);
  if (!request.ok()) return Answer(request.status());
  return JsonResponse(200, WriteRequest(*request));
}

HttpResponse CreateToken(Operations& operations, const Call& call) {
  const auto spec = ReadTokenBody(call.request->body);
  if (!spec.ok()) return Refuse(call.context, spec.status());
  const auto token = operations.CreateToken(*spec);
  if (!token.ok()) return Answer(token.status());
  return JsonResponse(201, WriteNewToken(*token));
}

HttpResponse ListTokens(Operations& operations, const Call& /*call*/) {
  const auto tokens = operations.ListTokens();
  if (!tokens.ok()) return Answer(tokens.status());
  return JsonResponse(200, WriteTokens(*tokens));
}

HttpResponse RevokeToken(Operations& operations, const Call& call) {
  if (absl::Status status = ReadEmptyBody(call.request->body); !status.ok()) {
    return Refuse(call.context, status);
  }
  const auto token = operations.RevokeToken(call.part);
  if (!token.ok()) return Answer(token.status());
  return JsonResponse(200, WriteToken(*token));
}

}  // namespace troth::json
