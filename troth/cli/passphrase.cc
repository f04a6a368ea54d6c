#include "troth/cli/passphrase.h"

#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "troth/base/file.h"
#include "troth/base/reason.h"
#include "troth/base/strings.h"

namespace troth {
namespace {

constexpr size_t kMaxPassphraseBytes = 4096;

// Silences a terminal, and takes its signals as characters, until it goes.
class SilentTerminal {
 public:
  explicit SilentTerminal(int descriptor) : descriptor_(descriptor) {
    ok_ = tcgetattr(descriptor_, &before_) == 0;
    if (!ok_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    ok_ = tcsetattr(descriptor_, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (ok_) tcsetattr(descriptor_, TCSAFLUSH, &before_);
  }
  bool ok() const { return ok_; }

 private:
  int descriptor_;
  termios before_{};
  bool ok_ = false;
};

void RemoveLastCharacter(std::string& line) {
  // UTF-8: the bytes of one character after its first are 10xxxxxx.
  while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
  if (!line.empty()) line.pop_back();
}

absl::Status GaveUp() { return MakeError(Reason::kPassphraseWrong, "no passphrase was entered"); }

absl::StatusOr<Secret> Prompt(const Session& session, const std::string& question) {
  session.err << question << std::flush;
  absl::StatusOr<Secret> line = ReadHiddenLine(STDIN_FILENO);
  session.err << "\n";
  return line;
}

}  // namespace

void PassphraseOptions::AddTo(CLI::App& app) {
  CLI::Option* given = app.add_option("--passphrase", text,
                                      "passphrase of the key; others on this machine may see it")
                           ->type_name("TEXT");
  app.add_option("--passphrase-file", file,
                 "file whose first line is it; or give it in TROTH_PASSPHRASE")
      ->type_name("FILE")
      ->excludes(given);
}

absl::StatusOr<std::optional<Secret>> PassphraseOptions::Given() const {
  if (text.has_value()) return Secret(std::string(*text));
  if (!file.empty()) {
    absl::StatusOr<std::string> content = ReadFile(file, kMaxPassphraseBytes);
    if (!content.ok()) return content.status();
    const Secret whole(*std::move(content));
    const std::string_view line = Split(whole.Reveal(), '\n').front();
    return Secret(std::string(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line));
  }
  if (const char* value = std::getenv(kPassphraseVariable)) return Secret(std::string(value));
  return std::nullopt;
}

absl::StatusOr<Secret> PassphraseForNewKey(const PassphraseOptions& options,
                                           const Session& session) {
  absl::StatusOr<std::optional<Secret>> given = options.Given();
  if (!given.ok()) return given.status();
  if (given->has_value()) return **std::move(given);
  if (isatty(STDIN_FILENO) == 0) {
    session.Warn(
        "no terminal to ask for a passphrase on: the key is not encrypted (say so with "
        "--passphrase '', or encrypt with --passphrase-file)");
    return Secret();
  }
  absl::StatusOr<Secret> first = Prompt(session, "Enter passphrase (empty for no passphrase): ");
  if (!first.ok() || first->empty()) return first;
  const absl::StatusOr<Secret> second = Prompt(session, "Enter same passphrase again: ");
  if (!second.ok()) return second.status();
  if (first->Reveal() != second->Reveal()) {
    return MakeError(Reason::kPassphraseWrong, "the two passphrases differ; nothing was made");
  }
  return first;
}

absl::StatusOr<Secret> PassphraseForKey(const PassphraseOptions& options, const Session& session,
                                        const std::string& path) {
  absl::StatusOr<std::optional<Secret>> given = options.Given();
  if (!given.ok()) return given.status();
  if (given->has_value()) return **std::move(given);
  if (isatty(STDIN_FILENO) == 0) {
    return MakeError(
        Reason::kKeyEncrypted,
        "'" + Printable(path, 400) +
            "' is encrypted and there is no terminal to ask on; give --passphrase-file, "
            "--passphrase or " +
            kPassphraseVariable);
  }
  return Prompt(session, "Enter passphrase for " + Printable(path, 400) + ": ");
}

AskPassphrase AskOnlyAtTheStart(const PassphraseOptions& options, const Session& session) {
  struct Typed {
    std::mutex mutex;
    std::vector<std::pair<std::string, Secret>> secrets;  // by file, in the order of typing
  };
  const auto typed = std::make_shared<Typed>();
  return [&options, &session, typed,
          starter = std::this_thread::get_id()](const std::string& path) -> absl::StatusOr<Secret> {
    if (std::this_thread::get_id() == starter) {
      absl::StatusOr<Secret> asked = PassphraseForKey(options, session, path);
      const std::lock_guard lock(typed->mutex);
      if (asked.ok()) typed->secrets.emplace_back(path, asked->Clone());
      return asked;
    }
    absl::StatusOr<std::optional<Secret>> given = options.Given();
    if (!given.ok()) return given.status();
    if (given->has_value()) return **std::move(given);
    const std::lock_guard lock(typed->mutex);
    const auto same =
        std::ranges::find(typed->secrets, path, &std::pair<std::string, Secret>::first);
    if (same != typed->secrets.end()) return same->second.Clone();
    if (!typed->secrets.empty()) return typed->secrets.front().second.Clone();
    return MakeError(Reason::kKeyEncrypted,
                     "'" + Printable(path, 400) +
                         "' is encrypted, and nobody can be asked while the program runs; start it "
                         "again, with --passphrase-file or " +
                         kPassphraseVariable);
  };
}

absl::StatusOr<Secret> ReadHiddenLine(int descriptor) {
  constexpr char kCtrlC = 0x03;
  constexpr char kCtrlD = 0x04;
  constexpr char kCtrlU = 0x15;
  const SilentTerminal terminal(descriptor);
  if (!terminal.ok())
    return MakeError(Reason::kInternal, "the terminal's echo cannot be switched off");
  std::string line;
  line.reserve(kMaxPassphraseBytes);  // never moved, so that no copy stays behind
  while (true) {
    char c = 0;
    const ssize_t got = read(descriptor, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == kCtrlC || (c == kCtrlD && line.empty())) {
      Wipe(line);
      return GaveUp();
    }
    if (c == '\n' || c == '\r' || c == kCtrlD) return Secret(std::move(line));
    if (c == 0x7f || c == '\b') {
      RemoveLastCharacter(line);
    } else if (c == kCtrlU) {
      Wipe(line);
      line.reserve(kMaxPassphraseBytes);
    } else if (line.size() < kMaxPassphraseBytes) {
      line += c;
    }
  }
}

}  // namespace troth
