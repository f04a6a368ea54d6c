// What answers the calls of the JSON front end. route.cc says which call is whose.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/ca/authority.h"
#include "troth/ca/operations.h"
#include "troth/http/message.h"
#include "troth/server/json/record.h"
#include "troth/server/json/work_queue.h"

namespace troth::json {

// What all calls share. Outlives them, but not what the authority answers later.
struct Context {
  Authority& authority;
  const std::string root_pem;  // the trust bundle
  const std::shared_ptr<IssuedWriter> writer = std::make_shared<IssuedWriter>();
  WorkQueue operators;
};

// One call. `part` is the variable part of its path, decoded; empty where there is none.
struct Call {
  Context& context;
  std::shared_ptr<const HttpRequest> request;
  std::string part;
  HttpRespond respond;
};

// Answer a call: at once, or from the store's thread. Each answers what the authority refuses with
// its reason, as problem+json.
void Enrol(const Call& call);
void Renew(const Call& call);
void Submit(const Call& call);
void Fetch(const Call& call);
void GetTrustBundle(const Call& call);

// Work for operators. The request's content type was looked at; it may wait for the disk.
HttpResponse ListCertificates(Operations& operations, const Call& call);
HttpResponse ShowCertificate(Operations& operations, const Call& call);
HttpResponse RevokeCertificates(Operations& operations, const Call& call);
HttpResponse ListRequests(Operations& operations, const Call& call);
HttpResponse ApproveRequest(Operations& operations, const Call& call);
HttpResponse RejectRequest(Operations& operations, const Call& call);
HttpResponse CreateToken(Operations& operations, const Call& call);
HttpResponse ListTokens(Operations& operations, const Call& call);
HttpResponse RevokeToken(Operations& operations, const Call& call);

// Runs `work` on the operators' thread, in the name of the peer, whom the guard has let in: a peer
// without a verified certificate is refused all the same, and so is one that the authority's own
// store knows to be revoked.
using OperatorWork = HttpResponse (*)(Operations& operations, const Call& call);
void RunAsOperator(const Call& call, OperatorWork work);
template <OperatorWork kWork>
void AsOperator(const Call& call) {
  RunAsOperator(call, kWork);
}

// A problem, and a refusal that the authority counts: for what is refused before it is asked.
HttpResponse Refuse(Context& context, const absl::Status& status);

// A JSON text, not to be kept by caches.
HttpResponse JsonResponse(int status, std::string body);

}  // namespace troth::json
