// How far long work is, on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "troth/cli/command.h"

namespace troth {

// One line of `session.err` that is drawn over as the work goes on, and wiped when it ends. Draws
// nothing where nobody looks (no terminal, --json).
class ProgressLine {
 public:
  ProgressLine(const Session& session, std::string what)
      : session_(session), what_(std::move(what)) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { Wipe(); }

  // "what 1,200 of 5,000 (24%), 1 refused". Cheap enough to be called for each piece of work.
  void Show(std::uint64_t done, std::uint64_t total, const std::string& more = {});
  void Wipe();

 private:
  const Session& session_;
  const std::string what_;
  size_t width_ = 0;  // of what is drawn
  std::optional<std::chrono::steady_clock::time_point> next_;
};

}  // namespace troth
