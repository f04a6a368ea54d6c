// troth enroll: obtains a certificate for this machine, waits for it if it has to, and renews it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "troth/base/reason.h"
#include "troth/base/shell_word.h"
#include "troth/base/stop_signal.h"
#include "troth/base/strings.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"
#include "troth/cli/enroll_arguments.h"
#include "troth/cli/enroll_internal.h"
#include "troth/cli/json.h"
#include "troth/cli/wait_line.h"
#include "troth/enroll/file_enrollment.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth enroll ca:8443 db1.example.com                              ca.cacert lies here; waits for an operator
  troth enroll ca:8443 db1.example.com --token-file token.txt       at once, and without any other file
  troth enroll ca:8443 db1.example.com --fingerprint 3f1c...        the CA's certificate is fetched and checked
  troth enroll ca:8443 00:1b:44:11:3a:b7 --once --out /etc/device.pem --trust-bundle /usr/share/ca.pem --owner :tls
  CARAMEL_CA=ca:8443 CARAMEL_CN=db1 CARAMEL_CERT_DIR=/var/lib/tls troth enroll

Without a port it is 443; `troth serve` listens on 8443. The CA file is the authority's DATA/root.pem.

Run again, it renews a certificate that is due, and says "unchanged" otherwise: a timer may start it as often as it likes
(packaging/systemd). A request that waits is shown to its operator with the same SHA-256 as here; compare them.

Without a CA file, a fingerprint, a token or --system-trust nobody is believed: there is no trust on first use. Whether
the server is a Troth or a Caramel authority is found out by asking for /v1/trust-bundle, which Caramel does not have.

Exit codes of --once: 0 there is a certificate (new or unchanged), 1 the files are locked by another run, 69 the request
waits to be signed and there is no certificate, 127 anything else, wrong arguments too. Without --once: 0, or the code of
the reason (docs/troubleshooting.md).)";

// Those that Caramel's client has.
constexpr int kExitLocked = 1;
constexpr int kExitPending = 69;
constexpr int kExitOther = 127;

int OnceExitCode(const absl::Status& status) {
  switch (ReasonOf(status).value_or(Reason::kInternal)) {
    case Reason::kFileLocked:
      return kExitLocked;
    case Reason::kRequestPending:
      return kExitPending;
    default:
      return kExitOther;
  }
}

// One run of the command.
class EnrollRun {
 public:
  EnrollRun(Session& session, const EnrollArguments& arguments, HttpClientFactory connect)
      : session_(session),
        arguments_(arguments),
        connect_(std::move(connect)),
        line_(session.err, &session.err == &std::cerr && isatty(STDERR_FILENO) != 0
                               ? WaitLine::Where::kTerminal
                               : WaitLine::Where::kElsewhere) {}

  int Run() {
    const char* token = std::getenv("TROTH_TOKEN");
    absl::StatusOr<FileEnrollmentOptions> options = ReadEnrollArguments(
        arguments_, token == nullptr ? std::nullopt : std::optional<std::string>(token));
    if (!options.ok()) return Fail(options.status());
    options->enroll.clock = &session_.clock;
    options->enroll.connect = connect_;
    auto enrollment = FileEnrollment::Open(*std::move(options));
    if (!enrollment.ok()) return Fail(enrollment.status());
    enrollment_ = *std::move(enrollment);

    const absl::StatusOr<EnrollStep> step =
        arguments_.once ? enrollment_->Once() : enrollment_->Wait(WaitOptions());
    line_.Clear();
    PrintWarnings();
    if (!step.ok()) return Fail(Explain(step.status()));
    switch (*step) {
      case EnrollStep::kIssued:
      case EnrollStep::kUnchanged:
        return Succeed(*step);
      case EnrollStep::kRejected:
        return Fail(Rejected());
      default:
        PrintDigest();
        return Fail(MakeError(Reason::kRequestPending,
                              "the request of " + Printable(arguments_.client_id) +
                                  " waits to be signed by " + Printable(arguments_.server)));
    }
  }

 private:
  Enroller& enroller() { return enrollment_->enroller(); }

  int Fail(const absl::Status& status) {
    int code = InfoOf(Reason::kRequestPending).exit_code;
    if (session_.json && ReasonOf(status) == Reason::kRequestPending && enrollment_ != nullptr) {
      // With what an operator needs to find the request, and to compare it.
      session_.Print({{"ok", false},
                      {"reason", CodeOf(status)},
                      {"message", ToStd(status.message())},
                      {"fix", FixOf(status)},
                      {"client_id", arguments_.client_id},
                      {"server", arguments_.server},
                      {"request_sha256", DigestText()}});
    } else {
      code = session_.Fail(status);
    }
    return arguments_.once ? OnceExitCode(status) : code;
  }

  std::string DigestText() {
    const std::optional<Sha256Digest> digest = enroller().request_digest();
    return digest.has_value() ? FormatFingerprint(*digest) : "";
  }

  // Once, before anybody is waited for.
  void PrintDigest() {
    if (std::exchange(digest_printed_, true) || session_.json) return;
    session_.out << "SHA-256 of the request: " << DigestText() << std::endl;
  }

  // Those that were not printed yet.
  void PrintWarnings() {
    const std::vector<std::string> warnings = enrollment_->warnings();
    for (; warnings_printed_ < warnings.size(); ++warnings_printed_) {
      session_.Warn(warnings[warnings_printed_]);
    }
  }

  EnrollWaitOptions WaitOptions() {
    EnrollWaitOptions options;
    options.pausing = [this](const EnrollPause& pause) {
      PrintDigest();
      line_.Clear();
      PrintWarnings();
      pause_ = pause;
      if (!pause.problem.ok()) session_.Warn(ToStd(pause.problem.message()));
    };
    options.sleep = [this](std::chrono::milliseconds wait) { return Sleep(wait); };
    return options;
  }

  // Ctrl-C ends a wait; in the middle of an exchange it ends the program, which the files survive.
  bool Sleep(std::chrono::milliseconds wait) {
    using std::chrono::ceil;
    using std::chrono::seconds;
    using std::chrono::steady_clock;
    const StopSignal stop;
    const auto end = steady_clock::now() + wait;
    while (true) {
      const auto now = steady_clock::now();
      const auto left = ceil<std::chrono::milliseconds>(end - now);
      if (left.count() <= 0) return true;
      line_.Show("waiting for " + Printable(arguments_.server) + " to sign the request of " +
                     Printable(arguments_.client_id),
                 std::chrono::floor<seconds>(now - begin_),
                 "asked " + std::to_string(pause_.attempts) +
                     (pause_.attempts == 1 ? " time" : " times") + ", again in " +
                     FormatDuration(ceil<seconds>(left)));
      if (stop.WaitFor(std::min<std::chrono::milliseconds>(left, seconds(1)))) return false;
    }
  }

  // What can be said of an error beyond what it says itself.
  absl::Status Explain(const absl::Status& status) {
    const Reason reason = ReasonOf(status).value_or(Reason::kInternal);
    const auto identity = enroller().identity();
    if (identity.ok() && reason != Reason::kRequestRejected) {
      return WithContext(status, "the certificate is valid until " +
                                     FormatTime(identity->not_after) +
                                     ", but could not be renewed");
    }
    return status;
  }

  absl::Status Rejected() {
    const std::string why =
        enroller().rejection().empty() ? "" : " (" + enroller().rejection() + ")";
    std::string what = Printable(arguments_.server) + " rejected the request of " +
                       Printable(arguments_.client_id) + why;
    if (arguments_.once) {
      return WithFix(MakeError(Reason::kRequestRejected, what + "; its key and request are wiped"),
                     "ask the operator why; the next run starts over by itself, with a new key");
    }
    const std::string key = ShellWord(enrollment_->paths().private_key);
    if (const auto until = enroller().key_needed_until(); until.has_value()) {
      return WithFix(
          MakeError(Reason::kRequestRejected,
                    what + "; a certificate for its key is valid until " + FormatTime(*until)),
          "ask the operator why; to ask again with a new key, move " + key + " away");
    }
    return WithFix(MakeError(Reason::kRequestRejected, what),
                   "ask the operator why; to ask again with a new key, remove " + key + " and " +
                       ShellWord(enrollment_->paths().request));
  }

  int Succeed(EnrollStep step) {
    const absl::StatusOr<EnrolledIdentity> identity = enroller().identity();
    if (!identity.ok()) return Fail(identity.status());
    const EnrollPaths& paths = enrollment_->paths();
    if (session_.json) {
      session_.Print({{"ok", true},
                      {"state", NameOf(step)},
                      {"client_id", arguments_.client_id},
                      {"server", arguments_.server},
                      {"protocol", NameOf(enroller().protocol())},
                      {"request_sha256", DigestText()},
                      {"private_key", paths.private_key},
                      {"certificate", paths.certificate},
                      {"trust_bundle", paths.trust_bundle},
                      {"not_after", identity->not_after},
                      {"due", identity->due}});
      return kExitDone;
    }
    const std::string until = DateAndDaysLeft(identity->not_after, session_.clock.Now());
    if (step == EnrollStep::kUnchanged) {
      session_.out << "unchanged: " << Printable(paths.certificate) << " is valid until " << until
                   << "\n";
      return kExitDone;
    }
    session_.out << session_.Green("enrolled") << ": " << Printable(arguments_.client_id)
                 << ", valid until " << until << "\n"
                 << "  certificate   " << Printable(paths.certificate) << "\n"
                 << "  private key   " << Printable(paths.private_key) << "\n"
                 << "  trust bundle  " << Printable(paths.trust_bundle) << "\n";
    return kExitDone;
  }

  Session& session_;
  const EnrollArguments& arguments_;
  HttpClientFactory connect_;
  WaitLine line_;
  std::unique_ptr<FileEnrollment> enrollment_;
  EnrollPause pause_;
  bool digest_printed_ = false;
  size_t warnings_printed_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

void AddEnrollCommandWith(CLI::App& app, Session& session, HttpClientFactory connect) {
  CLI::App* enroll = app.add_subcommand(
      "enroll", "obtain a certificate from an authority, and renew it when it is due");
  auto arguments = std::make_shared<EnrollArguments>();
  AddEnrollOptions(*enroll, *arguments);
  enroll->footer(kExamples);
  enroll->callback([arguments, &session, connect = std::move(connect)] {
    session.run = [arguments, &session, connect] {
      return EnrollRun(session, *arguments, connect).Run();
    };
  });
}

int ExitCodeOfParseError(const std::vector<std::string>& arguments) {
  const auto has = [&](std::string_view word) {
    return std::ranges::find(arguments, word) != arguments.end();
  };
  return has("enroll") && has("--once") ? kExitOther : kExitUsage;
}

void AddEnrollCommand(CLI::App& app, Session& session) {
  AddEnrollCommandWith(app, session, HttpClient::Create);
}

}  // namespace troth
