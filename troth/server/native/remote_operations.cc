#include "troth/server/native/remote_operations.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/name.h"
#include "troth/rpc/credentials.h"
#include "troth/server/native/call_answer.h"
#include "troth/server/native/local_socket.h"
#include "troth/server/native/messages.h"
#include "troth/v1/authority.grpc.pb.h"

namespace troth::native {
namespace {

// What is answered at once, but for a disk that is slow.
constexpr auto kPatience = std::chrono::seconds(60);
// A page of requests with their bodies.
constexpr int kLongestMessage = 128 << 20;
// Streams may last; that the other side is there is asked this often.
constexpr int kKeepaliveMs = 60'000;

absl::Status Malformed(const absl::Status& status) {
  return WithContext(status, "the authority's answer");
}

class RemoteOperations final : public Operations {
 public:
  // `where`: what it is called when it cannot be reached.
  RemoteOperations(const std::shared_ptr<grpc::Channel>& channel, std::string where)
      : stub_(v1::Authority::NewStub(channel)), where_(std::move(where)) {}

  absl::StatusOr<AuthoritySummary> Summary() override {
    const auto answer = Call(&v1::Authority::Stub::GetSummary, v1::GetSummaryRequest());
    if (!answer.ok()) return answer.status();
    return FromMessage(*answer);
  }

  absl::StatusOr<std::vector<RequestStatus>> ListRequests(const RequestFilter& filter) override {
    const auto answer = Call(&v1::Authority::Stub::ListRequests, ToMessage(filter));
    if (!answer.ok()) return answer.status();
    return ListOf<RequestStatus>(answer->requests());
  }

  absl::StatusOr<RequestStatus> ShowRequest(std::string_view which) override {
    v1::ShowRequestRequest request;
    request.set_which(std::string(which));
    return ValueOf<RequestStatus>(Call(&v1::Authority::Stub::ShowRequest, request));
  }

  absl::StatusOr<CertificateStatus> Approve(std::string_view which,
                                            std::optional<Seconds> lifetime) override {
    v1::ApproveRequestRequest request;
    request.set_which(std::string(which));
    if (lifetime.has_value()) request.set_lifetime_seconds(lifetime->count());
    return ValueOf<CertificateStatus>(Call(&v1::Authority::Stub::ApproveRequest, request));
  }

  absl::StatusOr<RequestStatus> Reject(std::string_view which, std::string_view why) override {
    v1::RejectRequestRequest request;
    request.set_which(std::string(which));
    request.set_why(std::string(why));
    return ValueOf<RequestStatus>(Call(&v1::Authority::Stub::RejectRequest, request));
  }

  absl::StatusOr<NewToken> CreateToken(const TokenSpec& spec) override {
    auto answer = Call(&v1::Authority::Stub::CreateToken, ToMessage(spec));
    if (!answer.ok()) return answer.status();
    return NewToken{.record = FromMessage(answer->token()),
                    .text = Secret(std::move(*answer->mutable_text()))};
  }

  absl::StatusOr<std::vector<TokenRecord>> ListTokens() override {
    const auto answer = Call(&v1::Authority::Stub::ListTokens, v1::ListTokensRequest());
    if (!answer.ok()) return answer.status();
    std::vector<TokenRecord> tokens;
    for (const v1::Token& token : answer->tokens()) tokens.push_back(FromMessage(token));
    return tokens;
  }

  absl::StatusOr<TokenRecord> RevokeToken(std::string_view id) override {
    v1::RevokeTokenRequest request;
    request.set_id(std::string(id));
    const auto answer = Call(&v1::Authority::Stub::RevokeToken, request);
    if (!answer.ok()) return answer.status();
    return FromMessage(*answer);
  }

  absl::StatusOr<std::vector<CertificateStatus>> ListCertificates(
      const CertificateFilter& filter) override {
    const auto answer = Call(&v1::Authority::Stub::ListCertificates, ToMessage(filter));
    if (!answer.ok()) return answer.status();
    return ListOf<CertificateStatus>(answer->certificates());
  }

  absl::StatusOr<CertificateStatus> ShowCertificate(std::string_view which) override {
    v1::ShowCertificateRequest request;
    request.set_which(std::string(which));
    return ValueOf<CertificateStatus>(Call(&v1::Authority::Stub::ShowCertificate, request));
  }

  absl::StatusOr<std::vector<CertificateStatus>> Revoke(const RevokeSpec& spec) override {
    const auto answer = Call(&v1::Authority::Stub::RevokeCertificates, ToMessage(spec));
    if (!answer.ok()) return answer.status();
    return ListOf<CertificateStatus>(answer->certificates());
  }

  absl::StatusOr<RefreshProgress> Refresh(
      const RefreshSpec& spec,
      const std::function<void(const RefreshProgress&)>& progress) override {
    grpc::ClientContext context;
    const auto stream = stub_->Refresh(&context, ToMessage(spec));
    RefreshProgress last;
    for (v1::RefreshProgress message; stream->Read(&message);) {
      last = FromMessage(message);
      if (progress) progress(last);
    }
    if (absl::Status status = Answered(stream->Finish()); !status.ok()) return status;
    return last;
  }

  absl::StatusOr<std::string> CurrentCrl(std::uint32_t issuer) override {
    v1::GetCrlRequest request;
    request.set_issuer(issuer);
    auto answer = Call(&v1::Authority::Stub::GetCrl, request);
    if (!answer.ok()) return answer.status();
    return std::move(*answer->mutable_pem());
  }

  absl::StatusOr<LedgerHead> ReadLedger(
      std::uint64_t from, const std::function<bool(const LedgerEntry&)>& visit) override {
    v1::ReadLedgerRequest request;
    request.set_from_sequence(from);
    grpc::ClientContext context;
    const auto stream = stub_->ReadLedger(&context, request);
    std::optional<LedgerHead> head;
    for (v1::ReadLedgerResponse message; stream->Read(&message);) {
      if (message.has_head()) {
        auto read = FromMessage(message.head());
        if (!read.ok()) return Abandon(context, *stream, read.status());
        head = *read;
        continue;
      }
      const auto entry = FromMessage(message.entry());
      if (!entry.ok()) return Abandon(context, *stream, entry.status());
      if (!head.has_value()) {
        return Abandon(context, *stream,
                       MakeError(Reason::kResponseMalformed, "an entry before the ledger's head"));
      }
      if (!visit(*entry)) {
        context.TryCancel();
        stream->Finish();
        return *head;
      }
    }
    if (absl::Status status = Answered(stream->Finish()); !status.ok()) return status;
    if (!head.has_value()) {
      return MakeError(Reason::kResponseMalformed, "the authority did not say the ledger's head");
    }
    return *head;
  }

 private:
  absl::Status Answered(const grpc::Status& status) const {
    absl::Status answer = FromAnswer(status);
    const std::optional<Reason> reason = ReasonOf(answer);
    if (reason == Reason::kConnectionFailed || reason == Reason::kHandshakeFailed) {
      return WithContext(answer, where_);
    }
    return answer;
  }

  template <typename Request, typename Answer>
  absl::StatusOr<Answer> Call(grpc::Status (v1::Authority::Stub::*method)(grpc::ClientContext*,
                                                                          const Request&, Answer*),
                              const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    Answer answer;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &answer);
    if (!status.ok()) return Answered(status);
    return answer;
  }

  template <typename Value, typename Message>
  static absl::StatusOr<Value> ValueOf(const absl::StatusOr<Message>& answer) {
    if (!answer.ok()) return answer.status();
    auto value = FromMessage(*answer);
    if (!value.ok()) return Malformed(value.status());
    return value;
  }

  template <typename Value, typename Messages>
  static absl::StatusOr<std::vector<Value>> ListOf(const Messages& messages) {
    std::vector<Value> values;
    for (const auto& message : messages) {
      auto value = FromMessage(message);
      if (!value.ok()) return Malformed(value.status());
      values.push_back(*std::move(value));
    }
    return values;
  }

  template <typename Stream>
  static absl::Status Abandon(grpc::ClientContext& context, Stream& stream,
                              const absl::Status& why) {
    context.TryCancel();
    stream.Finish();
    return Malformed(why);
  }

  const std::unique_ptr<v1::Authority::Stub> stub_;
  const std::string where_;
};

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLongestMessage);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  return arguments;
}

// A name as people type it: an address, a DNS name, or "spiffe://...".
absl::StatusOr<ExpectedServer> Expect(const std::string& server_name) {
  if (server_name.empty()) return ExpectedServer();
  if (server_name.starts_with("spiffe://")) {
    const auto id = SpiffeId::Parse(server_name);
    if (!id.ok()) return MakeError(Reason::kUsageError, ToStd(id.status().message()));
    return ExpectSpiffeId(*id);
  }
  return ExpectDnsName(server_name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operations>> ConnectLocally(const std::string& socket) {
  auto connection = ConnectToSocket(socket);
  if (!connection.ok()) return connection.status();
  return std::make_unique<RemoteOperations>(
      grpc::CreateCustomInsecureChannelFromFd("localhost", connection->Release(), Arguments()),
      socket);
}

absl::StatusOr<std::unique_ptr<Operations>> ConnectRemotely(
    const std::string& address, std::shared_ptr<IdentitySource> identity,
    const std::string& server_name) {
  auto server = Expect(server_name);
  if (!server.ok()) return server.status();
  return std::make_unique<RemoteOperations>(
      grpc::CreateCustomChannel(
          address, ChannelCredentials(std::move(identity), {.server = *std::move(server)}),
          Arguments()),
      address);
}

}  // namespace troth::native
