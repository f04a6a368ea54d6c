#include "troth/cli/health_call.h"

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "troth/base/log.h"
#include "troth/identity/identity.h"
#include "troth/rpc/generic_call.h"
#include "troth/rpc/handshake_log.h"

namespace troth {
namespace {

// grpc.health.v1.HealthCheckResponse: field 1, an enumeration; what is 0 is not sent.
std::string DescribeHealth(std::string_view message) {
  constexpr std::array<std::string_view, 4> kNames = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                                      "SERVICE_UNKNOWN"};
  constexpr char kField = 0x08;
  size_t value = 0;
  if (message.size() >= 2 && message[0] == kField) value = static_cast<unsigned char>(message[1]);
  return value < kNames.size() ? std::string(kNames[value]) : "status " + std::to_string(value);
}

}  // namespace

absl::StatusOr<std::string> MakeHealthCall(const EndpointCall& call, const Clock& clock) {
  absl::StatusOr<std::shared_ptr<const Identity>> identity =
      Identity::Create({.certificate_pem = call.certificate_pem,
                        .private_key_pem = call.private_key_pem.Reveal(),
                        .allow_untrusted_chain = true},
                       clock.Now());
  if (!identity.ok()) return identity.status();
  // What goes wrong is said once, with the diagnosis.
  SetLogSink([](const LogEntry& /*entry*/) {});
  EnableHandshakeLog({.log = false, .on_failure = {}});
  absl::StatusOr<std::string> answer = CallMethod({.target = call.target,
                                                   .server_name = call.host,
                                                   .server_certificate = call.server_certificate,
                                                   .identity = *std::move(identity),
                                                   .method = call.method,
                                                   .timeout = call.timeout});
  EnableHandshakeLog();
  if (!answer.ok()) return answer.status();
  return call.method == kHealthMethod ? DescribeHealth(*answer)
                                      : std::to_string(answer->size()) + " bytes";
}

}  // namespace troth
