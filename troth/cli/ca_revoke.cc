// troth ca revoke, troth ca crl: the list of what no longer counts.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "troth/base/strings.h"
#include "troth/ca/file_authority.h"
#include "troth/cli/ca_internal.h"
#include "troth/cli/certificate_text.h"

namespace troth {
namespace {

constexpr const char* kRevokeExamples = R"(Examples:
  troth ca revoke --CN 192.168.1.18 --CA umd.fluidfs.com
  troth ca revoke --CN bridge --CA root --reason keyCompromise
Give the CRL to every service that has to refuse the certificate.)";

constexpr const char* kCrlExamples = R"(Examples:
  troth ca crl --CA umd.fluidfs.com
  troth ca crl --CA umd.fluidfs.com --expires "30 days"
The list keeps its entries. Services refuse a list that is past its end: make a new one in time.)";

// RFC 5280 section 5.3.1, without those that a finished list does not hold (removeFromCRL,
// certificateHold's undoing).
constexpr std::array<std::pair<std::string_view, int>, 9> kReasons = {{{"unspecified", 0},
                                                                       {"keyCompromise", 1},
                                                                       {"cACompromise", 2},
                                                                       {"affiliationChanged", 3},
                                                                       {"superseded", 4},
                                                                       {"cessationOfOperation", 5},
                                                                       {"certificateHold", 6},
                                                                       {"privilegeWithdrawn", 9},
                                                                       {"aACompromise", 10}}};

struct RevokeArguments {
  RevokeOptions options;
  std::string reason = "unspecified";
  PassphraseOptions passphrase;
};

int RunRevoke(const Depot& depot, RevokeArguments& arguments, const Session& session) {
  const auto reason =
      std::ranges::find(kReasons, arguments.reason, &std::pair<std::string_view, int>::first);
  arguments.options.reason = reason->second;
  arguments.options.crl.open_passphrase = AskFor(arguments.passphrase, session);
  const absl::StatusOr<RevokeResult> result =
      RevokeCertificate(depot, arguments.options, session.clock);
  if (!result.ok()) return session.Fail(result.status());
  if (session.json) {
    session.Print(JsonObject{{"ok", true},
                             {"crl", result->crl.file},
                             {"was_revoked", result->was_revoked},
                             {"revoked_at", result->revoked_at}}
                      .Add(JsonOf(result->certificate)));
  } else {
    const std::string certificate =
        result->certificate_file + " (serial " + result->certificate.serial_number().ToHex() + ")";
    if (result->was_revoked) {
      session.out << certificate << " has been revoked since " << FormatTime(result->revoked_at)
                  << "; " << result->crl.file << " is as it was\n";
    } else {
      session.out << "Revoked " << certificate << " in " << result->crl.file << "\n";
    }
  }
  return kExitDone;
}

struct CrlArguments {
  CrlOptions options;
  PassphraseOptions passphrase;
};

int RunCrl(const Depot& depot, CrlArguments& arguments, const Session& session) {
  arguments.options.open_passphrase = AskFor(arguments.passphrase, session);
  const absl::StatusOr<CrlResult> result = RenewCrl(depot, arguments.options, session.clock);
  if (!result.ok()) return session.Fail(result.status());
  const Time end = result->crl.next_update().value_or(result->crl.this_update());
  if (session.json) {
    session.Print({{"ok", true},
                   {"crl", result->file},
                   {"revoked", result->crl.entries().size()},
                   {"next_update", end}});
    return kExitDone;
  }
  session.out << "Created " << result->file << "\n"
              << session.Dim("  " + std::to_string(result->crl.entries().size()) +
                             " revoked, until " + DateAndDaysLeft(end, session.clock.Now()))
              << "\n";
  return kExitDone;
}

}  // namespace

void AddCaRevokeCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* revoke = ca.add_subcommand("revoke", "put a certificate on its CA's CRL");
  auto revoke_arguments = std::make_shared<RevokeArguments>();
  revoke->add_option("--CN", revoke_arguments->options.name, "name of the certificate")
      ->type_name("NAME")
      ->required();
  revoke->add_option("--CA", revoke_arguments->options.crl.authority, "name of its CA")
      ->type_name("NAME")
      ->required();
  std::vector<std::string> reasons;
  reasons.reserve(kReasons.size());
  for (const auto& [name, number] : kReasons) reasons.emplace_back(name);
  revoke->add_option("--reason", revoke_arguments->reason, "why: " + Join(reasons, ", "))
      ->type_name("REASON")
      ->check(CLI::IsMember(reasons).description(""))
      ->capture_default_str();
  revoke
      ->add_option("--expires", revoke_arguments->options.crl.expires,
                   "until the CRL has to be renewed (default: as long as the CA lives)")
      ->type_name("TIME");
  revoke_arguments->passphrase.AddTo(*revoke);
  revoke->footer(kRevokeExamples);
  context.OnChosen(revoke, [revoke_arguments](const Depot& depot, const Session& session) {
    return RunRevoke(depot, *revoke_arguments, session);
  });
}

void AddCaCrlCommand(CLI::App& ca, const CaContext& context) {
  CLI::App* crl = ca.add_subcommand("crl", "make the CA's next CRL");
  auto crl_arguments = std::make_shared<CrlArguments>();
  crl->add_option("--CA", crl_arguments->options.authority, "name of the CA")
      ->type_name("NAME")
      ->required();
  crl->add_option("--expires", crl_arguments->options.expires,
                  "until it has to be renewed (default: as long as the CA lives)")
      ->type_name("TIME");
  crl_arguments->passphrase.AddTo(*crl);
  crl->footer(kCrlExamples);
  context.OnChosen(crl, [crl_arguments](const Depot& depot, const Session& session) {
    return RunCrl(depot, *crl_arguments, session);
  });
}

}  // namespace troth
