// What the commands of `troth ca` share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "troth/ca/depot.h"
#include "troth/cli/command.h"
#include "troth/cli/passphrase.h"
#include "troth/pki/certificate.h"

namespace troth {

struct CaContext {
  Session& session;
  std::shared_ptr<std::string> folder;  // --depot-path

  // Makes `command`, when it is chosen, run `function` on the depot.
  void OnChosen(CLI::App* command, std::function<int(const Depot&, const Session&)> function) const;
};

// One per file.
void AddCaInitCommand(CLI::App& ca, const CaContext& context);
void AddCaRequestCommand(CLI::App& ca, const CaContext& context);
void AddCaSignCommand(CLI::App& ca, const CaContext& context);
void AddCaRevokeCommand(CLI::App& ca, const CaContext& context);
void AddCaListCommand(CLI::App& ca, const CaContext& context);
void AddCaCrlCommand(CLI::App& ca, const CaContext& context);
void AddCaImportCommand(CLI::App& ca, const CaContext& context);

// Opens keys with the passphrase of these options. Both arguments must outlive the result.
inline AskPassphrase AskFor(const PassphraseOptions& options, const Session& session) {
  return [&options, &session](const std::string& path) {
    return PassphraseForKey(options, session, path);
  };
}

// "RSA 2048, until 2028-11-21 (730 days), for 192.168.1.18".
std::string InWords(const Certificate& certificate, const Session& session);

}  // namespace troth
