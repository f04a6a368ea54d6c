#include "troth/cli/wait_line.h"

#include <gtest/gtest.h>

#include <sstream>

namespace troth {
namespace {

using std::chrono::seconds;

TEST(WaitLine, WritesOverItselfOnATerminalAndLeavesNothingBehind) {
  std::ostringstream out;
  {
    WaitLine line(out, WaitLine::Where::kTerminal);
    line.Show("waiting", seconds(0), "asked once");
    line.Show("waiting", seconds(1), "");
  }
  EXPECT_EQ(out.str(),
            "\r\x1b[Kwaiting · 0 s · asked once"
            "\r\x1b[Kwaiting · 1 s"
            "\r\x1b[K");
}

TEST(WaitLine, ElsewhereItSaysTheSameEverMoreRarely) {
  std::ostringstream out;
  WaitLine line(out, WaitLine::Where::kElsewhere);
  for (int second = 0; second <= 500; ++second) line.Show("waiting", seconds(second), "detail");
  line.Clear();
  EXPECT_EQ(out.str(),
            "waiting\n"
            "waiting (for 1 min)\n"
            "waiting (for 2 min)\n"
            "waiting (for 4 min)\n"
            "waiting (for 8 min)\n");
}

TEST(WaitLine, ElsewhereWhatIsNewIsSaidAtOnce) {
  std::ostringstream out;
  WaitLine line(out, WaitLine::Where::kElsewhere);
  line.Show("waiting", seconds(0), "");
  line.Show("the server is away", seconds(3), "");
  line.Show("the server is away", seconds(4), "");
  line.Show("waiting", seconds(5), "");
  EXPECT_EQ(out.str(), "waiting\nthe server is away (for 3 s)\nwaiting (for 5 s)\n");
}

}  // namespace
}  // namespace troth
