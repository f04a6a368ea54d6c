#include "troth/rpc/handshake_log.h"

#include <grpc/support/log.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "troth/base/log.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr int kPerSecond = 10;

// Said to servers: Troth's channels leave no verifying to TLS, and tell why they refuse.
constexpr std::string_view kVerifyLater =
    "check the client's certificate against this trust bundle with `troth doctor CERTIFICATE "
    "BUNDLE`; to learn more here, let the server verify at the first call "
    "(Verification::kAtFirstCall): the "
    "client and this log then get the reason and the certificate's name";

// Lines of one kind.
struct Lines {
  std::chrono::steady_clock::time_point second;
  int logged = 0;  // in this second
  int unlogged = 0;
};

// What the hook needs. Never destroyed: gRPC logs while the process ends.
struct State {
  std::mutex mutex;
  std::shared_ptr<const HandshakeLogOptions> options;  // guarded by mutex, like all of it
  Lines handshakes, others;
};

State& TheState() {
  static State* const state = new State;
  return *state;
}

// Whether to log one more, and how many were left out before it.
bool TakeTurn(Lines& lines, int& left_out) {
  const auto now = std::chrono::steady_clock::now();
  if (now - lines.second >= std::chrono::seconds(1)) {
    lines.second = now;
    lines.logged = 0;
  }
  if (lines.logged >= kPerSecond) {
    ++lines.unlogged;
    return false;
  }
  ++lines.logged;
  left_out = std::exchange(lines.unlogged, 0);
  return true;
}

// TLS in gRPC lies in these files; elsewhere the same words mean something else.
bool IsAboutTls(std::string_view file) {
  return file.find("/tsi/") != std::string_view::npos ||
         file.find("/security/") != std::string_view::npos;
}

// What gRPC calls an error and is none, or is the echo of one that another line tells better.
bool IsNoise(std::string_view message) {
  constexpr std::string_view kNoise[] = {
      // For every client that asks for a name (SNI) which the server's certificate does not spell
      // out, an address for instance. The client decides whether the name is right; there is one
      // certificate to choose from.
      "No match found for server name",
      // After a server that could not listen, which is said elsewhere.
      "shutdown being shutdown before its server",
      // Around OpenSSL's own words, when the other side ends a connection by an alert.
      "Corruption detected.",
      "Decryption error: TSI_DATA_CORRUPTED",
      "SSL_write failed with error SSL_ERROR_ZERO_RETURN",
  };
  return std::ranges::any_of(
      kNoise, [&](std::string_view part) { return message.find(part) != std::string_view::npos; });
}

void OnFailure(const HandshakeFailure& failure, std::string_view detail) {
  State& state = TheState();
  std::shared_ptr<const HandshakeLogOptions> options;
  int left_out = 0;
  bool log = false;
  {
    const std::lock_guard lock(state.mutex);
    options = state.options;
    log = options->log && TakeTurn(state.handshakes, left_out);
  }
  if (log) {
    // The other side knows no more of a certificate that did not verify here.
    const bool is_unknown = failure.not_verified && failure.reason == Reason::kHandshakeFailed;
    const std::string_view fix = is_unknown ? kVerifyLater : InfoOf(failure.reason).fix;
    Log(LogLevel::kWarning, "a TLS handshake failed",
        {{"reason", CodeOf(failure.reason)},
         {"error", failure.message},
         {"detail", detail},
         {"fix", fix}});
    if (left_out > 0) {
      Log(LogLevel::kWarning, "more TLS handshakes failed than were logged",
          {{"count", std::to_string(left_out)}});
    }
  }
  if (options->on_failure) options->on_failure(failure);
}

// Whatever else gRPC has to say: many a client can make it say something.
void OnOther(LogLevel level, std::string_view message, std::string_view where) {
  int left_out = 0;
  if (level == LogLevel::kWarning) {
    State& state = TheState();
    const std::lock_guard lock(state.mutex);
    if (!TakeTurn(state.others, left_out)) return;
  }
  Log(level, TrimWhitespace(message), {{"source", "grpc"}, {"at", where}});
  if (left_out > 0) {
    Log(level, "more of gRPC's errors than were logged", {{"count", std::to_string(left_out)}});
  }
}

void OnGrpcLog(gpr_log_func_args* line) {
  try {
    const std::string_view file = line->file;
    const std::string_view message = line->message;
    if (line->severity == GPR_LOG_SEVERITY_ERROR && IsAboutTls(file)) {
      if (const auto failure = ExplainHandshake(message)) {
        OnFailure(*failure, message);
        return;
      }
    }
    const LogLevel level = line->severity == GPR_LOG_SEVERITY_ERROR && !IsNoise(message)
                               ? LogLevel::kWarning
                               : LogLevel::kDebug;
    const size_t slash = file.rfind('/');
    const std::string where =
        std::string(slash == std::string_view::npos ? file : file.substr(slash + 1)) + ":" +
        std::to_string(line->line);
    OnOther(level, message, where);
  } catch (...) {
    // A log that cannot be written must not end the process from inside gRPC.
  }
}

}  // namespace

void EnableHandshakeLog(HandshakeLogOptions options) {
  State& state = TheState();
  {
    const std::lock_guard lock(state.mutex);
    state.options = std::make_shared<const HandshakeLogOptions>(std::move(options));
  }
  gpr_set_log_function(OnGrpcLog);
  // Errors are gRPC's default; who asked for more keeps it.
  const char* verbosity = std::getenv("GRPC_VERBOSITY");
  const std::string asked = ToLowerAscii(verbosity == nullptr ? "" : verbosity);
  if (asked != "debug" && asked != "info") gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

}  // namespace troth
