// troth ping: the client of secure ping.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <climits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "examples/sping/ping_client.h"
#include "examples/sping/ping_statistics.h"
#include "troth/base/log.h"
#include "troth/base/reason.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/cli/ping_arguments.h"
#include "troth/rpc/handshake_log.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth ping localhost --certificate client.pem --private-key client.key --trust-bundle ca.pem
  troth ping 10.0.0.7:3264 --mode tls --trust-bundle ca.pem --server-name db.internal
  troth ping localhost --mode tls --server-name sha256:4f0c...   a server known by its very certificate, also self-signed
  troth ping localhost --mode insecure -l 3 -d 500
  troth ping db1.internal --ca ca.internal:8443 --name app1.internal --token-file token    no files: enrols first

Exit code 0: every ping was answered. 1: some were lost. Otherwise that of the reason why the server, or we, refused.)";

struct Arguments {
  PingArguments shared;
  std::string host;
  std::int64_t limit = 8;
  int delay_ms = 100;
  int timeout_ms = 10'000;
  std::string name;
  std::string server_name;
  bool verbose = false;
};

// "localhost" and "localhost:3264", "::1" and "[::1]:3264" as gRPC wants them: with a port.
absl::StatusOr<std::string> TargetOf(const std::string& host, int default_port) {
  const auto wrong = [&](const char* what) {
    return MakeError(Reason::kUsageError, "'" + Printable(host) + "' is no HOST[:PORT]: " + what);
  };
  std::string name = host;
  int port = default_port;
  const size_t colon = host.rfind(':');
  const bool bracketed = host.starts_with('[');
  const bool bare_v6 = !bracketed && colon != std::string::npos && host.find(':') != colon;
  if (colon != std::string::npos && !bare_v6 && !(bracketed && host.ends_with(']'))) {
    const char* end = host.data() + host.size();
    const auto [read, error] = std::from_chars(host.data() + colon + 1, end, port);
    if (error != std::errc() || read != end || port < 1 || port > 65535) {
      return wrong("the port is no number from 1 to 65535");
    }
    name = host.substr(0, colon);
  }
  if (bare_v6) name = "[" + name + "]";
  if (name.empty()) return wrong("the host is missing");
  if (name.find('/') != std::string::npos)
    return wrong("it has a '/'; leave out what is not host and port");
  return name + ":" + std::to_string(port);
}

std::string DefaultName() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, HOST_NAME_MAX) == 0 && name[0] != '\0' ? name : "troth";
}

// What gRPC's log said of a handshake since it was last asked.
class LastFailure {
 public:
  void Set(const HandshakeFailure& failure) {
    const std::lock_guard lock(mutex_);
    last_ = failure;
  }
  std::optional<HandshakeFailure> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(last_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<HandshakeFailure> last_;  // guarded by mutex_
};

// Says of a dead connection what can be known or guessed.
absl::Status Explain(const absl::Status& status, const std::optional<HandshakeFailure>& alert,
                     const IdentitySource* identity) {
  const std::optional<Reason> reason = ReasonOf(status);
  if (status.code() == absl::StatusCode::kUnimplemented) {
    return MakeError(Reason::kProtocolMismatch,
                     "the server has no service echo.SecurePing; is it `troth pong`, or a sping "
                     "server?");
  }
  if (reason != Reason::kHandshakeFailed) return status;
  if (alert.has_value() && alert->reason == Reason::kPeerRejectedCertificate &&
      identity != nullptr && !identity->Current()->has_certificate()) {
    // Some servers (older releases of Go) have one alert for a certificate that is bad and one that
    // is not there.
    return MakeError(Reason::kClientCertificateMissing,
                     "the server requires a client certificate, and none was shown");
  }
  if (alert.has_value() && alert->reason != Reason::kHandshakeFailed) {
    return MakeError(alert->reason, alert->message);
  }
  std::string hint;
  if (identity == nullptr) {
    hint = "it may speak TLS: try --mode tls or mutual";
  } else if (!identity->Current()->has_certificate()) {
    hint =
        "it may require a client certificate: try --mode mutual with --certificate and "
        "--private-key";
  } else {
    hint = "it may not trust our certificate's authority, or not speak TLS";
  }
  return MakeError(Reason::kHandshakeFailed,
                   "the server hung up during the handshake; " + hint + "; its log says more");
}

// Whether the server, or we, said no; trying again is of no use.
bool IsRefusal(const absl::Status& status) {
  const std::optional<Reason> reason = ReasonOf(status);
  return reason.has_value() && reason != Reason::kConnectionFailed &&
         reason != Reason::kRateLimited && reason != Reason::kTooManyCalls;
}

// One run of pings and what came of it.
class PingRun {
 public:
  PingRun(Session& session, const Arguments& arguments, std::string target)
      : session_(session), arguments_(arguments), target_(std::move(target)) {}

  int Run() {
    // What goes wrong is said once, with the ping; with --verbose the log says it as it happens.
    // What files are warned of is said.
    const auto be_quiet = [&] {
      if (!arguments_.verbose) SetLogSink([](const LogEntry& /*entry*/) {});
    };
    PingArguments shared = arguments_.shared;
    if (!shared.authority.empty()) be_quiet();
    shared.names = {Sender()};
    auto identity = LoadPingIdentity(shared, PingSide::kClient);
    if (!identity.ok()) return session_.Fail(identity.status());
    auto client =
        sping::PingClient::Create({.target = target_,
                                   .identity = *identity,
                                   .server_name = arguments_.server_name,
                                   .crl_files = arguments_.shared.crls,
                                   .sender = Sender(),
                                   .timeout = std::chrono::milliseconds(arguments_.timeout_ms)});
    if (!client.ok()) return session_.Fail(client.status());

    be_quiet();
    const auto alert = std::make_shared<LastFailure>();
    EnableHandshakeLog({.log = arguments_.verbose,
                        .on_failure = [alert](const HandshakeFailure& f) { alert->Set(f); }});
    const auto begin = std::chrono::steady_clock::now();
    {
      const StopSignal stop;
      PrintStart();
      std::thread canceller([&] {
        stop.Wait();
        (*client)->Cancel();
      });
      PingAll(**client, stop, *alert, identity->get());
      StopSignal::Raise();
      canceller.join();
    }
    EnableHandshakeLog();
    return Finish(std::chrono::steady_clock::now() - begin);
  }

 private:
  std::string Sender() const { return arguments_.name.empty() ? DefaultName() : arguments_.name; }
  bool quiet() const { return arguments_.shared.quiet || session_.json; }

  void PrintStart() const {
    if (quiet()) return;
    session_.out << "PING " << target_ << " (" << DescribeMode(arguments_.shared.mode) << ")";
    if (!arguments_.server_name.empty()) session_.out << ", expecting " << arguments_.server_name;
    session_.out << std::endl;
  }

  void PingAll(sping::PingClient& client, const StopSignal& stop, LastFailure& alert,
               const IdentitySource* identity) {
    auto next = std::chrono::steady_clock::now();
    for (std::int64_t i = 1; arguments_.limit == 0 || i <= arguments_.limit; ++i) {
      const auto wait =
          std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
      if (stop.WaitFor(std::max(wait, std::chrono::milliseconds(0)))) return;
      next = std::chrono::steady_clock::now() + std::chrono::milliseconds(arguments_.delay_ms);
      alert.Take();
      const absl::StatusOr<sping::Pong> pong = client.Ping(i);
      if (pong.ok()) {
        Report(i, *pong);
        continue;
      }
      // A ping that Ctrl-C cut short is not a lost one.
      if (stop.WaitFor(std::chrono::milliseconds(0))) return;
      statistics_.AddLoss();
      failure_ = Explain(pong.status(), alert.Take(), identity);
      if (IsRefusal(failure_)) {
        refusal_ = failure_;
        if (statistics_.received() == 0) return;
      }
      if (!quiet()) {
        session_.out << "no answer: seq=" << i << " " << ToStd(failure_.message()) << std::endl;
      }
    }
  }

  void Report(std::int64_t sequence, const sping::Pong& pong) {
    statistics_.AddAnswer(pong.round_trip);
    if (!pong.in_sequence) ++out_of_sequence_;
    if (quiet()) return;
    session_.out << "pong from " << target_ << ": seq=" << sequence
                 << " time=" << sping::FormatMilliseconds(pong.round_trip) << " ms";
    if (!pong.in_sequence) {
      session_.out << " (out of sequence: the server has counted " << pong.counted << ")";
    }
    session_.out << std::endl;
  }

  int Finish(std::chrono::nanoseconds whole) const {
    const bool refused = !refusal_.ok();
    const bool nothing = statistics_.transmitted() > 0 && statistics_.received() == 0;
    if (refused && nothing) return session_.Fail(refusal_);
    if (session_.json) {
      PrintJson(whole);
    } else {
      session_.out << "--- " << target_ << " ping statistics ---\n" << statistics_.Describe(whole);
      if (out_of_sequence_ > 0) {
        session_.out << "\n"
                     << out_of_sequence_ << " out of sequence: another client has the same "
                     << "name (-n), or the server began anew";
      }
      session_.out << std::endl;
    }
    if (refused) return session_.Fail(refusal_);
    if (nothing && ReasonOf(failure_).has_value()) return session_.Fail(failure_);
    return statistics_.lost() == 0 ? kExitDone : 1;
  }

  void PrintJson(std::chrono::nanoseconds whole) const {
    const auto milliseconds = [](std::chrono::nanoseconds time) {
      return JsonValue::Number(sping::FormatMilliseconds(time));
    };
    session_.Print({{"target", target_},
                    {"mode", DescribeMode(arguments_.shared.mode)},
                    {"transmitted", statistics_.transmitted()},
                    {"received", statistics_.received()},
                    {"out_of_sequence", out_of_sequence_},
                    {"time_ms", milliseconds(whole)},
                    {"rtt_ms", JsonObject{{"min", milliseconds(statistics_.min())},
                                          {"avg", milliseconds(statistics_.average())},
                                          {"max", milliseconds(statistics_.max())},
                                          {"mdev", milliseconds(statistics_.mdev())}}}});
  }

  Session& session_;
  const Arguments& arguments_;
  const std::string target_;
  sping::PingStatistics statistics_;
  std::uint64_t out_of_sequence_ = 0;
  absl::Status failure_;  // the last one
  absl::Status refusal_;  // the last one that was a refusal
};

int RunPing(Session& session, const Arguments& arguments) {
  const absl::StatusOr<std::string> target = TargetOf(arguments.host, arguments.shared.port);
  if (!target.ok()) return session.Fail(target.status());
  const PingMode mode = arguments.shared.mode;
  if (mode == PingMode::kInsecure && !arguments.server_name.empty()) {
    return session.Fail(MakeError(Reason::kUsageError,
                                  "--mode insecure verifies no server, so --server-name means "
                                  "nothing; leave it out, or choose --mode tls or mutual"));
  }
  const bool pinned = ToLowerAscii(arguments.server_name).starts_with("sha256:");
  if (mode != PingMode::kInsecure && arguments.shared.trust_bundle.empty() &&
      arguments.shared.authority.empty() && !pinned) {
    return session.Fail(MakeError(
        Reason::kUsageError,
        "--trust-bundle FILE is missing: the CA certificates that the server is verified against; "
        "or pin the server's certificate with --server-name sha256:FINGERPRINT, or enrol with --ca "
        "HOST:PORT"));
  }
  return PingRun(session, arguments, *target).Run();
}

}  // namespace

void AddPingCommand(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("ping", "ask a secure-ping server (`troth pong`) for answers");
  command->footer(kExamples);
  auto arguments = std::make_shared<Arguments>();
  command->add_option("host", arguments->host, "the server")
      ->required()
      ->option_text("HOST[:PORT]");
  AddPingArguments(*command, arguments->shared);
  command->add_option("-l,--limit", arguments->limit, "how many pings; 0: until Ctrl-C")
      ->check(CLI::NonNegativeNumber.description("COUNT"))
      ->capture_default_str();
  command->add_option("-d,--delay", arguments->delay_ms, "milliseconds between two pings")
      ->check(CLI::Range(0, 86'400'000).description("MS"))
      ->capture_default_str();
  command
      ->add_option("--timeout", arguments->timeout_ms, "milliseconds until a ping counts as lost")
      ->check(CLI::Range(1, 86'400'000).description("MS"))
      ->capture_default_str();
  command
      ->add_option("-n,--name", arguments->name,
                   "whose pings these are, for the server's count, and with --ca the name to be "
                   "certified (this machine's name)")
      ->option_text("NAME");
  command
      ->add_option(
          "--server-name", arguments->server_name,
          "whom to expect in the place of HOST: a DNS name, an IP address, spiffe://..., or "
          "sha256:FINGERPRINT of its certificate")
      ->option_text("NAME");
  command->add_flag("-q,--quiet", arguments->shared.quiet, "print the statistics only");
  command->add_flag("-v,--verbose", arguments->verbose, "print the log too");
  command->callback([&session, arguments] {
    session.run = [&session, arguments] { return RunPing(session, *arguments); };
  });
}

}  // namespace troth
