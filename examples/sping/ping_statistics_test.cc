#include "examples/sping/ping_statistics.h"

#include <gtest/gtest.h>

namespace troth::sping {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(PingStatistics, DescribesAsPingDoes) {
  PingStatistics statistics;
  for (const int us : {1000, 2000, 3000, 4000}) statistics.AddAnswer(microseconds(us));
  EXPECT_EQ(statistics.Describe(milliseconds(705)),
            "4 transmitted, 4 received, 0% loss, time 705 ms\n"
            "rtt min/avg/max/mdev = 1.000/2.500/4.000/1.118 ms");
}

TEST(PingStatistics, CountsLosses) {
  PingStatistics statistics;
  statistics.AddLoss();
  statistics.AddAnswer(microseconds(500));
  statistics.AddLoss();
  EXPECT_EQ(statistics.lost(), 2U);
  EXPECT_EQ(statistics.Describe(milliseconds(9)),
            "3 transmitted, 1 received, 66% loss, time 9 ms\n"
            "rtt min/avg/max/mdev = 0.500/0.500/0.500/0.000 ms");
}

TEST(PingStatistics, HasNoTimesWithoutAnAnswer) {
  PingStatistics statistics;
  EXPECT_EQ(statistics.Describe(milliseconds(0)), "0 transmitted, 0 received, 0% loss, time 0 ms");
  statistics.AddLoss();
  EXPECT_EQ(statistics.Describe(milliseconds(1)),
            "1 transmitted, 0 received, 100% loss, time 1 ms");
}

TEST(PingStatistics, EqualTimesDeviateByNothing) {
  PingStatistics statistics;
  for (int i = 0; i < 1000; ++i) statistics.AddAnswer(microseconds(333));
  EXPECT_EQ(statistics.mdev().count() / 1000, 0);
}

}  // namespace
}  // namespace troth::sping
