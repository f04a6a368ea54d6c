#include "troth/rpc/call_status.h"

#include <optional>
#include <string>
#include <string_view>

#include "troth/base/handshake_text.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr std::string_view kTag = "[troth:";
// What gRPC writes before a channel's own words, up to these.
constexpr std::string_view kVerifierFailed = "Custom verification check failed with error: ";

struct Tagged {
  Reason reason;
  std::string_view message;
};

std::optional<Tagged> FindTag(std::string_view message) {
  const size_t begin = message.rfind(kTag);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string_view rest = message.substr(begin + kTag.size());
  const std::optional<Reason> reason = ReasonFromCode(rest.substr(0, rest.find(']')));
  if (!reason.has_value()) return std::nullopt;
  message = message.substr(0, begin);
  if (const size_t own = message.rfind(kVerifierFailed); own != std::string_view::npos) {
    message.remove_prefix(own + kVerifierFailed.size());
    // "UNAUTHENTICATED: "
    if (const size_t code = message.find(": ");
        code != std::string_view::npos && message.find(' ') == code + 1) {
      message.remove_prefix(code + 2);
    }
  }
  return Tagged{.reason = *reason, .message = TrimWhitespace(message)};
}

}  // namespace

absl::Status StatusOfCall(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string& message = status.error_message();
  if (const std::optional<Tagged> tagged = FindTag(message)) {
    return MakeError(tagged->reason, tagged->message);
  }
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    if (const std::optional<HandshakeFailure> failure = ExplainHandshake(message)) {
      constexpr std::string_view kLast = "last error: ";
      const size_t last = message.find(kLast);
      const std::string detail =
          last == std::string::npos ? message : message.substr(last + kLast.size());
      return MakeError(failure->reason, failure->message + " (" + detail + ")");
    }
  }
  return {static_cast<absl::StatusCode>(status.error_code()), message};
}

}  // namespace troth
