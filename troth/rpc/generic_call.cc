#include "troth/rpc/generic_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/rpc/call_status.h"
#include "troth/rpc/credentials.h"

namespace troth {
namespace {

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string out;
  if (!buffer.Dump(&slices).ok()) return out;
  for (const grpc::Slice& slice : slices) {
    out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return out;
}

constexpr std::string_view kHttpStatus = "Received http2 header with status: ";
// A stream that the server ended before any status, as web servers do that do not read the call.
constexpr std::string_view kStreamRemoved = "Stream removed";

// Whether the server sent no status of gRPC, so that gRPC made one of what it sent. The codes that
// are left out are also those of a call that found no connection, or no end in time.
bool IsMadeOfHttp(const grpc::Status& status, std::string_view debug) {
  // What gRPC says of a status that came from the server.
  constexpr std::string_view kFromPeer = "Error received from peer";
  if (status.error_message().starts_with(kHttpStatus)) return true;
  if (status.error_message() == kStreamRemoved) return true;
  if (debug.find(kFromPeer) != std::string_view::npos) return false;
  switch (status.error_code()) {
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNIMPLEMENTED:
      return true;
    default:
      return false;
  }
}

absl::Status NoGrpcThere(std::string_view message) {
  if (message.starts_with(kHttpStatus)) {
    return MakeError(Reason::kProtocolMismatch,
                     "there is no gRPC behind this port, it answered HTTP " +
                         Printable(message.substr(kHttpStatus.size())));
  }
  return MakeError(Reason::kProtocolMismatch,
                   "there is no gRPC behind this port: the answer had no status of gRPC (" +
                       Printable(message) + ")");
}

}  // namespace

absl::StatusOr<std::string> CallMethod(const GenericCall& call) {
  constexpr int kMostAnswer = 1 << 20;  // bytes
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMostAnswer);
  // The connection is that of this call, and goes with it.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!call.server_name.empty()) arguments.SetSslTargetNameOverride(call.server_name);
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      call.target,
      ChannelCredentials(MemoryIdentitySource::Create(call.identity),
                         {.server = ExpectPinned({call.server_certificate})}),
      arguments);
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + call.timeout);
  const grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer response;
  grpc::CompletionQueue queue;
  grpc::Status status;
  const std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader =
      stub.PrepareUnaryCall(&context, call.method, request, &queue);
  reader->StartCall();
  reader->Finish(&response, &status, reader.get());
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);  // comes by the deadline
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!status.ok()) {
    const std::string debug = context.debug_error_string();
    return IsMadeOfHttp(status, debug) ? NoGrpcThere(status.error_message()) : StatusOfCall(status);
  }
  return BytesOf(response);
}

}  // namespace troth
