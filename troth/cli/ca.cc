// troth ca: an authority kept in files, with certstrap's commands, options and files.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "troth/cli/ca_internal.h"
#include "troth/cli/certificate_text.h"
#include "troth/cli/command.h"

namespace troth {
namespace {

constexpr const char* kExamples = R"(Examples:
  troth ca init --common-name "umd.fluidfs.com"
  troth ca request-cert -ip 192.168.1.18
  troth ca sign 192.168.1.18 --CA umd.fluidfs.com
  troth ca list
  troth ca revoke --CN 192.168.1.18 --CA umd.fluidfs.com
  troth ca import --data authority --certificate out/umd.fluidfs.com.crt --private-key out/umd.fluidfs.com.key

Commands, options and files are certstrap's (`-ip` is `--ip`), and either program can go on with the other's out/ folder. Keys
that are made here can be read by you alone, and nothing but a CRL is ever overwritten.)";

}  // namespace

void CaContext::OnChosen(CLI::App* command,
                         std::function<int(const Depot&, const Session&)> function) const {
  command->callback([context = *this, function = std::move(function)] {
    context.session.run = [context, function] {
      return function(Depot(*context.folder), context.session);
    };
  });
}

std::string InWords(const Certificate& certificate, const Session& session) {
  std::string text = certificate.public_key().Describe() + ", until " +
                     DateAndDaysLeft(certificate.validity().not_after, session.clock.Now());
  if (!certificate.alternative_names().empty()) text += ", for " + NamesInWords(certificate);
  return text;
}

void AddCaCommand(CLI::App& app, Session& session) {
  CLI::App* ca = app.add_subcommand(
      "ca", "a certificate authority in a folder of files, as certstrap keeps it");
  ca->require_subcommand(1);
  ca->footer(kExamples);
  const CaContext context{.session = session, .folder = std::make_shared<std::string>("out")};
  ca->add_option("--depot-path", *context.folder, "folder of keys, requests, certificates and CRLs")
      ->type_name("FOLDER")
      ->capture_default_str();

  AddCaInitCommand(*ca, context);
  AddCaRequestCommand(*ca, context);
  AddCaSignCommand(*ca, context);
  AddCaRevokeCommand(*ca, context);
  AddCaListCommand(*ca, context);
  AddCaCrlCommand(*ca, context);
  AddCaImportCommand(*ca, context);
}

}  // namespace troth
