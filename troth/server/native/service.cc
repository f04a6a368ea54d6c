#include "troth/server/native/service.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/credentials.h"
#include "troth/server/native/call_answer.h"
#include "troth/server/native/messages.h"

namespace troth::native {
namespace {

// A refresh of a million requests tells how far it is this often.
constexpr auto kProgressInterval = std::chrono::milliseconds(100);
// Entries of the ledger that are read at a time: a slow reader holds no view of the store.
constexpr size_t kLedgerBatch = 512;

Caller CallerOf(const grpc::CallbackServerContext& context) {
  Caller caller{.address = AddressOf(context.peer())};
  const auto agent = context.client_metadata().find("user-agent");
  if (agent != context.client_metadata().end()) {
    caller.client = Printable({agent->second.data(), agent->second.size()});
  }
  return caller;
}

absl::Status Stopping() {
  return MakeError(Reason::kConnectionFailed, "the authority is stopping; watch again later");
}

// Answers a call with what the authority calls back with.
template <typename Result, typename Message>
std::function<void(absl::StatusOr<Result>)> AnswerWith(grpc::ServerUnaryReactor* reactor,
                                                       Message* answer) {
  return [reactor, answer](absl::StatusOr<Result> result) {
    if (result.ok()) *answer = ToMessage(*result);
    reactor->Finish(ToAnswer(result.status()));
  };
}

}  // namespace

std::string AddressOf(std::string_view peer) {
  for (const std::string_view kind : {"ipv4:", "ipv6:"}) {
    if (!peer.starts_with(kind)) continue;
    std::string address(peer.substr(kind.size()));
    for (const auto& [escaped, plain] : {std::pair("%5B", "["), std::pair("%5D", "]")}) {
      if (const size_t at = address.find(escaped); at != std::string::npos) {
        address.replace(at, std::strlen(escaped), plain);
      }
    }
    return address;
  }
  return "local";
}

grpc::ServerUnaryReactor* Service::Refuse(grpc::CallbackServerContext& context,
                                          const absl::Status& status) {
  authority_.CountRefusal(ReasonOf(status).value_or(Reason::kInternal));
  grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
  reactor->Finish(ToAnswer(status));
  return reactor;
}

grpc::ServerUnaryReactor* Service::Enrol(grpc::CallbackServerContext* context,
                                         const v1::EnrolRequest* request, v1::Issued* answer) {
  const auto lifetime = LifetimeOf(request->lifetime_seconds());
  if (!lifetime.ok()) return Refuse(*context, lifetime.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  authority_.EnrolWithToken(request->token(), request->request(), *lifetime, CallerOf(*context),
                            AnswerWith<IssuedCertificate>(reactor, answer));
  return reactor;
}

grpc::ServerUnaryReactor* Service::Renew(grpc::CallbackServerContext* context,
                                         const v1::RenewRequest* request, v1::Issued* answer) {
  const auto lifetime = LifetimeOf(request->lifetime_seconds());
  if (!lifetime.ok()) return Refuse(*context, lifetime.status());
  const std::shared_ptr<const Peer> peer = PeerOf(*context);
  // The guard has verified it. What became of it since, the authority knows best.
  if (!peer->certificate.has_value()) {
    return Refuse(*context, MakeError(Reason::kPeerNotAuthenticated,
                                      "a renewal is asked for with the present certificate, over "
                                      "TLS, and this call came without one"));
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  authority_.Renew(*peer->certificate, request->request(), *lifetime, CallerOf(*context),
                   AnswerWith<IssuedCertificate>(reactor, answer));
  return reactor;
}

grpc::ServerUnaryReactor* Service::Submit(grpc::CallbackServerContext* context,
                                          const v1::SubmitRequest* request, v1::Submitted* answer) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  authority_.Submit(request->profile(), request->request(), CallerOf(*context),
                    AnswerWith<FetchedRequest>(reactor, answer));
  return reactor;
}

grpc::ServerUnaryReactor* Service::Fetch(grpc::CallbackServerContext* context,
                                         const v1::FetchRequest* request, v1::Submitted* answer) {
  Sha256Digest id{};
  if (request->id().size() != id.size()) {
    return Refuse(*context, MakeError(Reason::kUsageError,
                                      "a request's id is its SHA-256, of 32 bytes; got " +
                                          std::to_string(request->id().size()) + " bytes"));
  }
  std::memcpy(id.data(), request->id().data(), id.size());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  AnswerWith<FetchedRequest>(reactor, answer)(authority_.Fetch(id));
  return reactor;
}

grpc::ServerWriteReactor<v1::Event>* Service::WatchEvents(grpc::CallbackServerContext* context,
                                                          const v1::WatchEventsRequest* request) {
  std::optional<std::uint64_t> after;
  if (request->has_after_sequence()) after = request->after_sequence();
  const auto who = operator_of_(*context);
  auto* stream = new EventStream(authority_, after, [this](EventStream* gone) {
    const std::lock_guard lock(mutex_);
    streams_.erase(gone);
  });
  absl::Status refused = who.status();
  {
    const std::lock_guard lock(mutex_);
    streams_.insert(stream);
    if (ended_ && refused.ok()) refused = Stopping();
  }
  // gRPC does nothing with the stream, and so does not delete it, before it is returned.
  if (refused.ok()) {
    stream->Begin();
  } else {
    stream->End(refused);
  }
  return stream;
}

void Service::EndStreams() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  // Each takes itself out of the set once this lock is free.
  for (EventStream* stream : streams_) stream->End(Stopping());
}

grpc::Status Service::AsOperator(const grpc::ServerContext& context,
                                 const std::function<absl::Status(Operations&)>& work) const {
  auto who = operator_of_(context);
  if (!who.ok()) return ToAnswer(who.status());
  return ToAnswer(work(*authority_.AsOperator(*std::move(who))));
}

grpc::Status Service::GetSummary(grpc::ServerContext* context,
                                 const v1::GetSummaryRequest* /*request*/, v1::Summary* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto summary = operations.Summary();
    if (summary.ok()) *answer = ToMessage(*summary);
    return summary.status();
  });
}

grpc::Status Service::ListRequests(grpc::ServerContext* context,
                                   const v1::ListRequestsRequest* request,
                                   v1::ListRequestsResponse* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto filter = FromMessage(*request);
    if (!filter.ok()) return filter.status();
    const auto requests = operations.ListRequests(*filter);
    if (!requests.ok()) return requests.status();
    for (const RequestStatus& found : *requests) *answer->add_requests() = ToMessage(found);
    return absl::OkStatus();
  });
}

grpc::Status Service::ShowRequest(grpc::ServerContext* context,
                                  const v1::ShowRequestRequest* request, v1::Request* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto found = operations.ShowRequest(request->which());
    if (found.ok()) *answer = ToMessage(*found);
    return found.status();
  });
}

grpc::Status Service::ApproveRequest(grpc::ServerContext* context,
                                     const v1::ApproveRequestRequest* request,
                                     v1::Certificate* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto lifetime = LifetimeOf(request->lifetime_seconds());
    if (!lifetime.ok()) return lifetime.status();
    const auto issued = operations.Approve(request->which(), *lifetime);
    if (issued.ok()) *answer = ToMessage(*issued);
    return issued.status();
  });
}

grpc::Status Service::RejectRequest(grpc::ServerContext* context,
                                    const v1::RejectRequestRequest* request, v1::Request* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto rejected = operations.Reject(request->which(), request->why());
    if (rejected.ok()) *answer = ToMessage(*rejected);
    return rejected.status();
  });
}

grpc::Status Service::CreateToken(grpc::ServerContext* context,
                                  const v1::CreateTokenRequest* request, v1::CreatedToken* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto made = operations.CreateToken(FromMessage(*request));
    if (!made.ok()) return made.status();
    *answer->mutable_token() = ToMessage(made->record);
    answer->set_text(std::string(made->text.Reveal()));
    return absl::OkStatus();
  });
}

grpc::Status Service::ListTokens(grpc::ServerContext* context,
                                 const v1::ListTokensRequest* /*request*/,
                                 v1::ListTokensResponse* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto tokens = operations.ListTokens();
    if (!tokens.ok()) return tokens.status();
    for (const TokenRecord& token : *tokens) *answer->add_tokens() = ToMessage(token);
    return absl::OkStatus();
  });
}

grpc::Status Service::RevokeToken(grpc::ServerContext* context,
                                  const v1::RevokeTokenRequest* request, v1::Token* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto token = operations.RevokeToken(request->id());
    if (token.ok()) *answer = ToMessage(*token);
    return token.status();
  });
}

grpc::Status Service::ListCertificates(grpc::ServerContext* context,
                                       const v1::ListCertificatesRequest* request,
                                       v1::ListCertificatesResponse* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto filter = FromMessage(*request);
    if (!filter.ok()) return filter.status();
    const auto found = operations.ListCertificates(*filter);
    if (!found.ok()) return found.status();
    for (const CertificateStatus& one : *found) *answer->add_certificates() = ToMessage(one);
    return absl::OkStatus();
  });
}

grpc::Status Service::ShowCertificate(grpc::ServerContext* context,
                                      const v1::ShowCertificateRequest* request,
                                      v1::Certificate* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto found = operations.ShowCertificate(request->which());
    if (found.ok()) *answer = ToMessage(*found);
    return found.status();
  });
}

grpc::Status Service::RevokeCertificates(grpc::ServerContext* context,
                                         const v1::RevokeCertificatesRequest* request,
                                         v1::RevokeCertificatesResponse* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    const auto revoked = operations.Revoke(FromMessage(*request));
    if (!revoked.ok()) return revoked.status();
    for (const CertificateStatus& one : *revoked) *answer->add_certificates() = ToMessage(one);
    return absl::OkStatus();
  });
}

grpc::Status Service::Refresh(grpc::ServerContext* context, const v1::RefreshRequest* request,
                              grpc::ServerWriter<v1::RefreshProgress>* out) {
  // A caller that goes away does not stop it: half a refresh is worse than a whole one.
  return AsOperator(*context, [&](Operations& operations) {
    const auto spec = FromMessage(*request);
    if (!spec.ok()) return spec.status();
    auto next = std::chrono::steady_clock::now();
    const auto result = operations.Refresh(*spec, [&](const RefreshProgress& progress) {
      const auto now = std::chrono::steady_clock::now();
      if (now < next) return;
      next = now + kProgressInterval;
      out->Write(ToMessage(progress));
    });
    if (result.ok()) out->Write(ToMessage(*result));
    return result.status();
  });
}

grpc::Status Service::GetCrl(grpc::ServerContext* context, const v1::GetCrlRequest* request,
                             v1::Crl* answer) {
  return AsOperator(*context, [&](Operations& operations) {
    auto pem = operations.CurrentCrl(request->issuer());
    if (pem.ok()) answer->set_pem(*std::move(pem));
    return pem.status();
  });
}

grpc::Status Service::ReadLedger(grpc::ServerContext* context, const v1::ReadLedgerRequest* request,
                                 grpc::ServerWriter<v1::ReadLedgerResponse>* out) {
  return AsOperator(*context, [&](Operations& operations) -> absl::Status {
    std::optional<std::uint64_t> last;
    std::uint64_t next = std::max<std::uint64_t>(request->from_sequence(), 1);
    while (!last.has_value() || next <= *last) {
      std::vector<LedgerEntry> batch;
      const auto head = operations.ReadLedger(next, [&](const LedgerEntry& entry) {
        batch.push_back(entry);
        return batch.size() < kLedgerBatch;
      });
      if (!head.ok()) return head.status();
      if (!last.has_value()) {
        last = head->sequence;
        v1::ReadLedgerResponse first;
        *first.mutable_head() = ToMessage(*head);
        out->Write(first);
      }
      if (batch.empty()) break;
      for (const LedgerEntry& entry : batch) {
        if (entry.sequence > *last) break;
        v1::ReadLedgerResponse one;
        *one.mutable_entry() = ToMessage(entry);
        if (!out->Write(one)) return absl::CancelledError();
      }
      next = batch.back().sequence + 1;
    }
    return absl::OkStatus();
  });
}

}  // namespace troth::native
