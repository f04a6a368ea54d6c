// What every command of `troth` shares: where it prints, how it fails, how it is started.
//
// A command is one file: it adds its options to CLI11, and sets `session.run` in its callback.
// Parsing never does the work, so that
// `--help` and usage errors cost nothing.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "troth/base/time.h"
#include "troth/cli/json.h"

namespace CLI {
class App;
}

namespace troth {

class Operations;
struct OperationsOptions;

struct Session {
  std::ostream& out;  // results
  std::ostream& err;  // errors, warnings, progress
  const Clock& clock;
  bool json = false;         // --json: results as one JSON document
  bool colour = false;       // out is a terminal and NO_COLOR is not set
  std::function<int()> run;  // set by the chosen command; returns the exit code
  bool interactive = false;  // err is a terminal: progress is drawn there
  // How commands reach an authority; empty: over its socket or the network.
  std::function<absl::StatusOr<std::unique_ptr<Operations>>(const OperationsOptions&)> connect = {};

  // Prints "troth: <message>", the fix and the reason code to `err` (with --json: an object to
  // `out`) and returns the exit code of the reason.
  int Fail(const absl::Status& status) const;
  // With --json: the result, in one line.
  void Print(const JsonObject& document) const;
  // "troth: warning: <text>" to `err`.
  void Warn(std::string_view text) const;
  // `text` in bold, green, red, dim, when colour is on.
  std::string Bold(std::string_view text) const;
  std::string Green(std::string_view text) const;
  std::string Red(std::string_view text) const;
  std::string Dim(std::string_view text) const;
};

inline constexpr int kExitDone = 0;
inline constexpr int kExitUsage = 64;  // EX_USAGE

// Runs `troth ARGS...` (without argv[0]) and returns the exit code. main() is this with the
// process's streams; tests call it. While it runs, the process's log is a ProgramLog.
int RunTroth(const std::vector<std::string>& arguments, Session& session);

// One function per command file.
void AddVerifyCommand(CLI::App& app, Session& session);
void AddDoctorCommand(CLI::App& app, Session& session);
void AddCertsCommand(CLI::App& app, Session& session);
void AddCaCommand(CLI::App& app, Session& session);
void AddPolicyCommand(CLI::App& app, Session& session);
void AddNginxConfigCommand(CLI::App& app, Session& session);
void AddTrustCommand(CLI::App& app, Session& session);
void AddPingCommand(CLI::App& app, Session& session);
void AddPongCommand(CLI::App& app, Session& session);
void AddServeCommand(CLI::App& app, Session& session);
void AddEnrollCommand(CLI::App& app, Session& session);
void AddIssuerCommand(CLI::App& app, Session& session);
void AddRequestsCommand(CLI::App& app, Session& session);
void AddTokensCommand(CLI::App& app, Session& session);
void AddCertificatesCommand(CLI::App& app, Session& session);
void AddRefreshCommand(CLI::App& app, Session& session);
void AddLedgerCommand(CLI::App& app, Session& session);
void AddStoreCommand(CLI::App& app, Session& session);

}  // namespace troth
