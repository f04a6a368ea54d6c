// The calls that clients make: enrol, renew, submit, fetch.
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/server/json/handler.h"
#include "troth/server/json/request.h"

namespace troth::json {
namespace {

Caller CallerOf(const HttpRequest& request) {
  return {.address = request.address,
          .client = Printable(request.Field("User-Agent").value_or(std::string_view()))};
}

// "/v1/certificates/4e12..."
void AddLocation(const Certificate& certificate, HttpResponse& response) {
  response.fields.emplace_back("Location",
                               "/v1/certificates/" + certificate.serial_number().ToHex());
}

HttpResponse IssuedResponse(IssuedWriter& writer, const IssuedCertificate& issued) {
  HttpResponse response = JsonResponse(201, writer.Write(issued));
  AddLocation(issued.certificate, response);
  return response;
}

// RFC 6750 section 3: what an answer 401 asks for where a token is taken.
HttpResponse AskForToken(HttpResponse response) {
  if (response.status == 401) response.fields.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// What became of a request, for the one who has just sent it.
// As good as rejected: who waits for the request waits in vain.
absl::Status WasRevoked() {
  return MakeError(Reason::kRequestRejected,
                   "a certificate of this request's key or identity was revoked, and no other is "
                   "issued for it; start over with a new key");
}

HttpResponse SubmittedResponse(IssuedWriter& writer, const FetchedRequest& fetched) {
  const RequestRecord& record = fetched.record;
  if (record.state == RequestState::kRejected) {
    std::string message = "an operator rejected this request";
    if (!record.decision_note.empty()) message += ": " + Printable(record.decision_note);
    return ProblemResponse(MakeError(Reason::kRequestRejected, message));
  }
  if (fetched.revoked) return ProblemResponse(WasRevoked());
  HttpResponse response =
      JsonResponse(fetched.issued.has_value() ? 201 : 202, writer.Write(fetched));
  if (fetched.issued.has_value()) {
    AddLocation(fetched.issued->certificate, response);
  } else {
    response.fields.emplace_back("Location", "/v1/requests/" + FormatFingerprint(record.id));
  }
  return response;
}

}  // namespace

void Enrol(const Call& call) {
  Context& context = call.context;
  const auto token = BearerToken(*call.request);
  if (!token.ok()) return call.respond(AskForToken(Refuse(context, token.status())));
  const auto body = ReadIssueBody(call.request->body);
  if (!body.ok()) return call.respond(Refuse(context, body.status()));
  context.authority.EnrolWithToken(
      *token, body->csr, body->lifetime, CallerOf(*call.request),
      [writer = context.writer,
       respond = call.respond](const absl::StatusOr<IssuedCertificate>& issued) {
        respond(issued.ok() ? IssuedResponse(*writer, *issued)
                            : AskForToken(ProblemResponse(issued.status())));
      });
}

void Renew(const Call& call) {
  Context& context = call.context;
  const std::shared_ptr<const Peer>& peer = call.request->peer;
  if (peer == nullptr || !peer->certificate.has_value() || !peer->verified) {
    return call.respond(Refuse(
        context, MakeError(Reason::kPeerNotAuthenticated,
                           "a renewal is asked for with the present certificate, over TLS, and "
                           "this call came without one that is valid now; give curl --cert and "
                           "--key, or enrol with a token if it has expired")));
  }
  const auto body = ReadIssueBody(call.request->body);
  if (!body.ok()) return call.respond(Refuse(context, body.status()));
  context.authority.Renew(
      *peer->certificate, body->csr, body->lifetime, CallerOf(*call.request),
      [writer = context.writer,
       respond = call.respond](const absl::StatusOr<IssuedCertificate>& issued) {
        respond(issued.ok() ? IssuedResponse(*writer, *issued) : ProblemResponse(issued.status()));
      });
}

void Submit(const Call& call) {
  Context& context = call.context;
  const auto body = ReadSubmitBody(call.request->body);
  if (!body.ok()) return call.respond(Refuse(context, body.status()));
  context.authority.Submit(body->profile, body->csr, CallerOf(*call.request),
                           [writer = context.writer,
                            respond = call.respond](const absl::StatusOr<FetchedRequest>& fetched) {
                             respond(fetched.ok() ? SubmittedResponse(*writer, *fetched)
                                                  : ProblemResponse(fetched.status()));
                           });
}

void Fetch(const Call& call) {
  const auto id = ReadRequestId(call.part);
  if (!id.ok()) return call.respond(Refuse(call.context, id.status()));
  const auto fetched = call.context.authority.Fetch(*id);
  if (fetched.ok() && fetched->revoked && fetched->record.state != RequestState::kRejected) {
    return call.respond(ProblemResponse(WasRevoked()));
  }
  call.respond(fetched.ok() ? JsonResponse(200, call.context.writer->Write(*fetched))
                            : ProblemResponse(fetched.status()));
}

void GetTrustBundle(const Call& call) {
  call.respond({.fields = {{"Content-Type", "application/pem-certificate-chain"},
                           {"Cache-Control", "max-age=3600"}},
                .body = call.context.root_pem});
}

}  // namespace troth::json
