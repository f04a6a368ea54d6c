// troth refresh: every machine's certificate anew, on the requests that are there.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "troth/base/strings.h"
#include "troth/cli/command.h"
#include "troth/cli/operations_options.h"
#include "troth/cli/operations_text.h"
#include "troth/cli/progress_line.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth refresh                              each with its profile's lifetime
  troth refresh --lifetime short             48 hours, as Caramel's short ones
  troth refresh --lifetime long --profile caramel
  troth refresh --lifetime 30d --json

Signs anew each request that has a certificate and was neither rejected nor revoked; the machines fetch the new ones when they ask
next. Left alone, and counted as refused: one whose certificate lives longer than the new one would. It goes on to its end when this
command is interrupted.)";

constexpr Seconds kShort = std::chrono::hours(48);
constexpr Seconds kLong = std::chrono::hours(24 * 7);

struct Arguments {
  std::string lifetime;
  std::string profile;
};

std::optional<Seconds> LifetimeOf(const std::string& text) {
  if (text == "short") return kShort;
  if (text == "long") return kLong;
  const auto lifetime = ParseDuration(text);
  return lifetime.has_value() && lifetime->count() > 0 ? lifetime : std::nullopt;
}

int RunRefresh(Operations& operations, const Arguments& arguments, const Session& session) {
  ProgressLine line(session, "refreshing");
  const auto result = operations.Refresh(
      {.lifetime = LifetimeOf(arguments.lifetime), .profile = arguments.profile},
      [&](const RefreshProgress& progress) {
        line.Show(progress.done + progress.refused, progress.total,
                  progress.refused == 0 ? "" : std::to_string(progress.refused) + " refused");
      });
  line.Wipe();
  if (!result.ok()) return session.Fail(result.status());
  if (session.json) {
    session.Print({{"ok", true},
                   {"done", result->done},
                   {"total", result->total},
                   {"refused", result->refused}});
    return kExitDone;
  }
  session.out << "Refreshed " << result->done << " of "
              << Counted(result->total, "certificate", "certificates");
  if (result->refused > 0) {
    session.out << ", left " << result->refused << " alone; `troth ledger show` says why";
  }
  session.out << "\n";
  return kExitDone;
}

}  // namespace

void AddRefreshCommand(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("refresh", "sign anew every request that has a certificate");
  command->footer(kExamples);
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("--lifetime", arguments->lifetime,
                   "short (48 hours), long (7 days), or a length of time such as 30d (default: the "
                   "profile's)")
      ->type_name("short|long|TIME")
      ->check([](const std::string& text) {
        return LifetimeOf(text).has_value()
                   ? std::string()
                   : "expected short, long, or a length of time such as 30d, got '" +
                         Printable(text) + "'";
      });
  command->add_option("--profile", arguments->profile, "only requests of this profile")
      ->type_name("P");
  OperationsContext(session).OnChosen(command,
                                      [arguments](Operations& operations, const Session& chosen) {
                                        return RunRefresh(operations, *arguments, chosen);
                                      });
}

}  // namespace troth
