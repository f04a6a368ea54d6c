#include "troth/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <string>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/ca_arguments.h"
#include "troth/cli/enroll_internal.h"
#include "troth/cli/program_log.h"

namespace troth {
namespace {

constexpr const char* kVersion = TROTH_VERSION;

std::string Styled(bool colour, const char* code, std::string_view text) {
  if (!colour) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace

int Session::Fail(const absl::Status& status) const {
  const ReasonInfo& info = InfoOf(ReasonOf(status).value_or(Reason::kInternal));
  const std::string_view message = ToStd(status.message());
  if (json) {
    Print({{"ok", false}, {"reason", info.code}, {"message", message}, {"fix", FixOf(status)}});
  } else {
    err << Red("troth: ") << message << " [" << info.code << "]\n"
        << "  fix: " << FixOf(status) << "\n";
  }
  return info.exit_code;
}

void Session::Print(const JsonObject& document) const { out << document.text() << std::endl; }

void Session::Warn(std::string_view text) const { err << "troth: warning: " << text << "\n"; }

std::string Session::Bold(std::string_view text) const { return Styled(colour, "1", text); }
std::string Session::Green(std::string_view text) const { return Styled(colour, "32", text); }
std::string Session::Red(std::string_view text) const { return Styled(colour, "31", text); }
std::string Session::Dim(std::string_view text) const { return Styled(colour, "2", text); }

int RunTroth(const std::vector<std::string>& arguments, Session& session) {
  CLI::App app(
      "Mutual TLS that a team can leave running: certificates, identity and per-method roles.",
      "troth");
  app.set_version_flag("--version", std::string("troth ") + kVersion);
  app.add_flag("--json", session.json, "print the result as one JSON document");
  LogFormat log_format = LogFormat::kText;
  app.add_option("--log-format", log_format, "how the log on standard error is written")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, LogFormat>{{"text", LogFormat::kText},
                                                                   {"json", LogFormat::kJson}})
              .description("{text,json}"))
      ->default_str("text");
  app.require_subcommand(1);
  app.fallthrough();
  app.get_formatter()->column_width(34);
  AddCertsCommand(app, session);
  AddCaCommand(app, session);
  AddServeCommand(app, session);
  AddIssuerCommand(app, session);
  AddEnrollCommand(app, session);
  AddRequestsCommand(app, session);
  AddTokensCommand(app, session);
  AddCertificatesCommand(app, session);
  AddRefreshCommand(app, session);
  AddLedgerCommand(app, session);
  AddStoreCommand(app, session);
  AddVerifyCommand(app, session);
  AddDoctorCommand(app, session);
  AddPolicyCommand(app, session);
  AddNginxConfigCommand(app, session);
  AddTrustCommand(app, session);
  AddPongCommand(app, session);
  AddPingCommand(app, session);

  std::vector<std::string> reversed = WithDoubleDashes(arguments);
  std::ranges::reverse(reversed);  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    // Also --help and --version, which end with 0.
    const int code = app.exit(error, session.out, session.err);
    return code == 0 ? kExitDone : ExitCodeOfParseError(arguments);
  }
  if (!session.run) {
    session.err << app.help();
    return kExitUsage;
  }
  const ProgramLog log(log_format);
  return session.run();
}

}  // namespace troth
