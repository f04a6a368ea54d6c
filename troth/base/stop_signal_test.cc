#include "troth/base/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

namespace troth {
namespace {

using std::chrono::milliseconds;

TEST(StopSignal, RemembersInterruptAndTerminate) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const StopSignal stop;
    EXPECT_FALSE(stop.WaitFor(milliseconds(0)));
    raise(signal);
    EXPECT_TRUE(stop.WaitFor(milliseconds(0)));
    EXPECT_TRUE(stop.WaitFor(milliseconds(0)));
    stop.Wait();
  }
}

TEST(StopSignal, EndsTheWaitOfAnotherThread) {
  const StopSignal stop;
  std::thread waiting([&] { stop.Wait(); });
  StopSignal::Raise();
  waiting.join();
}

TEST(StopSignal, RestoresWhatWasThereBefore) {
  static int caught = 0;
  struct sigaction mine = {};
  struct sigaction before;
  mine.sa_handler = [](int) { ++caught; };
  ASSERT_EQ(sigaction(SIGTERM, &mine, &before), 0);
  {
    const StopSignal stop;
    raise(SIGTERM);
  }
  EXPECT_EQ(caught, 0);
  raise(SIGTERM);
  EXPECT_EQ(caught, 1);
  sigaction(SIGTERM, &before, nullptr);
}

}  // namespace
}  // namespace troth
