#include "troth/cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/cli/ca_arguments.h"

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
    out << R"({"ok": false, "reason": )" << JsonString(info.code) << R"(, "message": )"
        << JsonString(message) << R"(, "fix": )" << JsonString(info.fix) << "}\n";
  } else {
    err << Red("troth: ") << message << " [" << info.code << "]\n"
        << "  fix: " << info.fix << "\n";
  }
  return info.exit_code;
}

void Session::Warn(std::string_view text) const { err << "troth: warning: " << text << "\n"; }

std::string Session::Bold(std::string_view text) const { return Styled(colour, "1", text); }
std::string Session::Green(std::string_view text) const { return Styled(colour, "32", text); }
std::string Session::Red(std::string_view text) const { return Styled(colour, "31", text); }
std::string Session::Dim(std::string_view text) const { return Styled(colour, "2", text); }

std::string JsonString(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escaped[8];
          std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
          out += escaped;
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

int RunTroth(const std::vector<std::string>& arguments, Session& session) {
  CLI::App app(
      "Mutual TLS that a team can leave running: certificates, identity and per-method roles.",
      "troth");
  app.set_version_flag("--version", std::string("troth ") + kVersion);
  app.add_flag("--json", session.json, "print the result as one JSON document");
  app.require_subcommand(1);
  app.fallthrough();
  app.get_formatter()->column_width(34);
  AddCertsCommand(app, session);
  AddCaCommand(app, session);
  AddVerifyCommand(app, session);
  AddPolicyCommand(app, session);
  AddPongCommand(app, session);
  AddPingCommand(app, session);

  std::vector<std::string> reversed = WithDoubleDashes(arguments);
  std::ranges::reverse(reversed);  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    // Also --help and --version, which end with 0.
    const int code = app.exit(error, session.out, session.err);
    return code == 0 ? kExitDone : kExitUsage;
  }
  if (!session.run) {
    session.err << app.help();
    return kExitUsage;
  }
  return session.run();
}

}  // namespace troth
