// A wait that can be seen.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <string_view>

namespace troth {

// Shows what is waited for: on a terminal as one line that is written over, elsewhere as a line at
// the beginning, when what is said changes, and then ever more rarely. Not thread-safe.
class WaitLine {
 public:
  enum class Where { kTerminal, kElsewhere };
  WaitLine(std::ostream& out, Where where) : out_(out), where_(where) {}
  WaitLine(const WaitLine&) = delete;
  WaitLine& operator=(const WaitLine&) = delete;
  ~WaitLine() { Clear(); }

  // `what`: "waiting for ca to sign the request of pump-7"; `waited`: since the beginning;
  // `detail`: "asked 3 times, again in 7 s", for a terminal only.
  void Show(std::string_view what, std::chrono::seconds waited, std::string_view detail);
  // Takes the line away from a terminal, for other text to follow.
  void Clear();

 private:
  std::ostream& out_;
  Where where_;
  bool shown_ = false;  // there is a line on the terminal
  std::string last_what_;
  std::chrono::seconds next_{0};
};

}  // namespace troth
