#include "troth/cli/passphrase.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "troth/base/reason.h"
#include "troth/ca/ca_testing.h"

namespace troth {
namespace {

// A pseudo-terminal: what is typed at `keyboard` is read at `terminal`.
class Terminal {
 public:
  Terminal() {
    keyboard_ = posix_openpt(O_RDWR | O_NOCTTY);
    EXPECT_EQ(grantpt(keyboard_), 0);
    EXPECT_EQ(unlockpt(keyboard_), 0);
    terminal_ = open(ptsname(keyboard_), O_RDWR | O_NOCTTY);
    EXPECT_GE(terminal_, 0);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    close(terminal_);
    close(keyboard_);
  }
  bool Echoes() const {
    termios now{};
    tcgetattr(terminal_, &now);
    return (now.c_lflag & ECHO) != 0;
  }
  // ReadHiddenLine while `text` is typed, once the terminal is silent.
  absl::StatusOr<Secret> ReadWhileTyping(std::string_view text) {
    std::thread typist([&] {
      while (Echoes()) std::this_thread::yield();
      EXPECT_EQ(write(keyboard_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    });
    absl::StatusOr<Secret> line = ReadHiddenLine(terminal_);
    typist.join();
    return line;
  }
  // `work` while this is the standard input, and `text`, if any, is typed once it is silent.
  void AsInput(std::string_view text, const std::function<void()>& work) {
    const int before = dup(STDIN_FILENO);
    ASSERT_GE(dup2(terminal_, STDIN_FILENO), 0);
    std::thread typist([&] {
      while (!text.empty() && Echoes()) std::this_thread::yield();
      EXPECT_EQ(write(keyboard_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    });
    work();
    typist.join();
    if (before < 0) {
      close(STDIN_FILENO);
    } else {
      EXPECT_GE(dup2(before, STDIN_FILENO), 0);
      close(before);
    }
  }
  // Everything that the terminal has shown.
  std::string Shown() {
    EXPECT_EQ(fcntl(keyboard_, F_SETFL, O_NONBLOCK), 0);
    char buffer[256];
    const ssize_t got = read(keyboard_, buffer, sizeof buffer);
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
  }

 private:
  int keyboard_ = -1, terminal_ = -1;
};

TEST(PassphraseTest, ALineIsReadWithoutBeingShown) {
  struct Case {
    std::string_view typed;
    std::string_view read;
  };
  for (const Case& c : {Case{"tea pot\n", "tea pot"}, Case{"\n", ""},
                        Case{"teq\x7f"
                             "a\r",
                             "tea"},
                        Case{"wrong\x15right\n", "right"},
                        Case{"t\xc3\xa9\x7f"
                             "e\n",
                             "te"},
                        Case{"\x7f\x7f"
                             "a\n",
                             "a"},
                        Case{"tea\x04", "tea"}}) {
    Terminal terminal;
    const absl::StatusOr<Secret> line = terminal.ReadWhileTyping(c.typed);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->Reveal(), c.read);
    EXPECT_EQ(terminal.Shown(), "");
    EXPECT_TRUE(terminal.Echoes()) << "put back as it was";
  }
}

TEST(PassphraseTest, GivingUpPutsTheTerminalBack) {
  for (const std::string_view typed : {std::string_view("half\x03"), std::string_view("\x04")}) {
    Terminal terminal;
    EXPECT_EQ(ReasonOf(terminal.ReadWhileTyping(typed).status()), Reason::kPassphraseWrong);
    EXPECT_TRUE(terminal.Echoes());
  }
}

TEST(PassphraseTest, OptionsComeBeforeTheEnvironment) {
  const ca_testing::TestFolder folder;
  ASSERT_TRUE(WriteFile(folder / "pass", "from file\nsecond line\n", {.mode = 0600}).ok());
  ASSERT_EQ(setenv(kPassphraseVariable, "from environment", 1), 0);
  EXPECT_EQ((*PassphraseOptions{}.Given())->Reveal(), "from environment");
  EXPECT_EQ((*PassphraseOptions{.file = folder / "pass"}.Given())->Reveal(), "from file");
  EXPECT_EQ((*PassphraseOptions{.text = "from option"}.Given())->Reveal(), "from option");
  EXPECT_EQ((*PassphraseOptions{.text = ""}.Given())->Reveal(), "");
  ASSERT_EQ(unsetenv(kPassphraseVariable), 0);
  EXPECT_FALSE(PassphraseOptions{}.Given()->has_value());
  EXPECT_EQ(ReasonOf(PassphraseOptions{.file = folder / "none"}.Given().status()),
            Reason::kFileNotFound);
}

class AskAtTheStartTest : public ::testing::Test {
 protected:
  // The answer on a thread of its own, as the one of who keeps house.
  absl::StatusOr<Secret> Later(const AskPassphrase& ask, const std::string& path) {
    absl::StatusOr<Secret> answer = absl::UnknownError("none");
    std::thread([&] { answer = ask(path); }).join();
    return answer;
  }
  std::ostringstream out_, err_;
  ca_testing::FakeClock clock_;
  Session session_{.out = out_, .err = err_, .clock = clock_, .run = {}};
};

TEST_F(AskAtTheStartTest, WhatWasTypedCountsLaterAndNobodyIsAskedAgain) {
  const PassphraseOptions options;
  const AskPassphrase ask = AskOnlyAtTheStart(options, session_);
  Terminal terminal;
  terminal.AsInput("tea pot\n", [&] {
    const auto typed = ask("issuer.key");
    ASSERT_TRUE(typed.ok()) << typed.status();
    EXPECT_EQ(typed->Reveal(), "tea pot");
  });
  EXPECT_EQ(Later(ask, "issuer.key")->Reveal(), "tea pot");
  EXPECT_EQ(Later(ask, "issuer.0123.key")->Reveal(), "tea pot") << "the same key, by another name";
}

TEST_F(AskAtTheStartTest, AKeyThatNothingWasSaidOfFailsAtOnce) {
  const PassphraseOptions none;
  const PassphraseOptions given{.text = "given", .file = {}};
  Terminal terminal;
  terminal.AsInput("", [&] {
    EXPECT_EQ(ReasonOf(Later(AskOnlyAtTheStart(none, session_), "issuer.key").status()),
              Reason::kKeyEncrypted);
    EXPECT_EQ(Later(AskOnlyAtTheStart(given, session_), "issuer.key")->Reveal(), "given");
  });
}

}  // namespace
}  // namespace troth
