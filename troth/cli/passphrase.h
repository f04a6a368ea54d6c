// Where the passphrases of keys come from: option, file, environment, terminal.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "troth/base/secret.h"
#include "troth/ca/depot.h"
#include "troth/cli/command.h"

namespace troth {

inline constexpr const char* kPassphraseVariable = "TROTH_PASSPHRASE";

// The options of a command that opens or makes keys.
struct PassphraseOptions {
  std::optional<std::string> text;  // --passphrase; empty: no passphrase
  std::string file;                 // --passphrase-file: its first line

  void AddTo(CLI::App& app);
  // The passphrase of the options or the environment; nothing when neither says one. Errors: those
  // of reading the file.
  absl::StatusOr<std::optional<Secret>> Given() const;
};

// For a key that is about to be made: what was given, otherwise asked for twice on the terminal.
// Without a terminal: empty, which means no encryption, and a warning. Errors: passphrase_wrong
// when the two differ or the user gave up.
absl::StatusOr<Secret> PassphraseForNewKey(const PassphraseOptions& options,
                                           const Session& session);

// For the encrypted key in `path`. Errors: key_encrypted without a passphrase and without a
// terminal.
absl::StatusOr<Secret> PassphraseForKey(const PassphraseOptions& options, const Session& session,
                                        const std::string& path);

// For a program that goes on by itself, and later opens keys that it has not seen: PassphraseForKey
// on the thread that calls this, at the start. On every other thread nobody is asked: what was
// given counts or, of what was typed, the passphrase of the same file, or else the first; without
// any: key_encrypted. Both arguments outlive it.
AskPassphrase AskOnlyAtTheStart(const PassphraseOptions& options, const Session& session);

// One line from the terminal `descriptor`, without echo. The terminal is put back as it was, on
// Ctrl-C too, which is passphrase_wrong.
absl::StatusOr<Secret> ReadHiddenLine(int descriptor);

}  // namespace troth
