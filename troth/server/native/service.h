// The calls of troth.v1.Authority, answered by an authority.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "troth/ca/authority.h"
#include "troth/server/native/event_stream.h"
#include "troth/v1/authority.grpc.pb.h"

namespace troth::native {

// The calls that anyone may make wait for no thread: they are answered when the authority calls
// back. So are event streams, which last. What operators ask for waits for the disk, and has
// threads of its own.
using MixedService =
    v1::Authority::WithCallbackMethod_Enrol<v1::Authority::WithCallbackMethod_Renew<
        v1::Authority::WithCallbackMethod_Submit<v1::Authority::WithCallbackMethod_Fetch<
            v1::Authority::WithCallbackMethod_WatchEvents<v1::Authority::Service>>>>>;

class Service final : public MixedService {
 public:
  // What the ledger calls the operator behind a call, or why it is none.
  using OperatorOf = std::function<absl::StatusOr<std::string>(const grpc::ServerContextBase&)>;

  // `authority` outlives it.
  Service(Authority& authority, OperatorOf operator_of)
      : authority_(authority), operator_of_(std::move(operator_of)) {}

  // Ends the streams that are open, and each that is asked for later.
  void EndStreams();

  grpc::ServerUnaryReactor* Enrol(grpc::CallbackServerContext* context,
                                  const v1::EnrolRequest* request, v1::Issued* answer) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const v1::RenewRequest* request, v1::Issued* answer) override;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* context,
                                   const v1::SubmitRequest* request,
                                   v1::Submitted* answer) override;
  grpc::ServerUnaryReactor* Fetch(grpc::CallbackServerContext* context,
                                  const v1::FetchRequest* request, v1::Submitted* answer) override;
  grpc::ServerWriteReactor<v1::Event>* WatchEvents(grpc::CallbackServerContext* context,
                                                   const v1::WatchEventsRequest* request) override;

  grpc::Status GetSummary(grpc::ServerContext* context, const v1::GetSummaryRequest* request,
                          v1::Summary* answer) override;
  grpc::Status ListRequests(grpc::ServerContext* context, const v1::ListRequestsRequest* request,
                            v1::ListRequestsResponse* answer) override;
  grpc::Status ShowRequest(grpc::ServerContext* context, const v1::ShowRequestRequest* request,
                           v1::Request* answer) override;
  grpc::Status ApproveRequest(grpc::ServerContext* context,
                              const v1::ApproveRequestRequest* request,
                              v1::Certificate* answer) override;
  grpc::Status RejectRequest(grpc::ServerContext* context, const v1::RejectRequestRequest* request,
                             v1::Request* answer) override;
  grpc::Status CreateToken(grpc::ServerContext* context, const v1::CreateTokenRequest* request,
                           v1::CreatedToken* answer) override;
  grpc::Status ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest* request,
                          v1::ListTokensResponse* answer) override;
  grpc::Status RevokeToken(grpc::ServerContext* context, const v1::RevokeTokenRequest* request,
                           v1::Token* answer) override;
  grpc::Status ListCertificates(grpc::ServerContext* context,
                                const v1::ListCertificatesRequest* request,
                                v1::ListCertificatesResponse* answer) override;
  grpc::Status ShowCertificate(grpc::ServerContext* context,
                               const v1::ShowCertificateRequest* request,
                               v1::Certificate* answer) override;
  grpc::Status RevokeCertificates(grpc::ServerContext* context,
                                  const v1::RevokeCertificatesRequest* request,
                                  v1::RevokeCertificatesResponse* answer) override;
  grpc::Status Refresh(grpc::ServerContext* context, const v1::RefreshRequest* request,
                       grpc::ServerWriter<v1::RefreshProgress>* out) override;
  grpc::Status GetCrl(grpc::ServerContext* context, const v1::GetCrlRequest* request,
                      v1::Crl* answer) override;
  grpc::Status ReadLedger(grpc::ServerContext* context, const v1::ReadLedgerRequest* request,
                          grpc::ServerWriter<v1::ReadLedgerResponse>* out) override;

 private:
  // A refusal before the authority was asked.
  grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext& context,
                                   const absl::Status& status);
  // Does `work` in the name of the call's operator. OK or the error of either.
  grpc::Status AsOperator(const grpc::ServerContext& context,
                          const std::function<absl::Status(Operations&)>& work) const;

  Authority& authority_;
  const OperatorOf operator_of_;

  std::mutex mutex_;
  bool ended_ = false;              // guarded by mutex_
  std::set<EventStream*> streams_;  // guarded by mutex_
};

// "127.0.0.1:5800" of gRPC's "ipv4:127.0.0.1:5800", "[::1]:443" of "ipv6:%5B::1%5D:443", "local" of
// a Unix socket.
std::string AddressOf(std::string_view peer);

}  // namespace troth::native
