#include "troth/rpc/generic_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <utility>
#include <vector>

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
  if (!status.ok()) return StatusOfCall(status);
  return BytesOf(response);
}

}  // namespace troth
