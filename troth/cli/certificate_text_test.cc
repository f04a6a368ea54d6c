#include "troth/cli/certificate_text.h"

#include <gtest/gtest.h>

namespace troth {
namespace {

TEST(CertificateTextTest, AnEndIsADateAndTheTimeLeft) {
  const Time now = *ParseTime("2026-11-21T02:29:09Z");
  const auto in = [&](std::chrono::seconds left) { return DateAndDaysLeft(now + left, now); };
  using std::chrono::days;
  using std::chrono::hours;
  EXPECT_EQ(in(days(365)), "2027-11-21 (365 days)");
  EXPECT_EQ(in(days(365) - hours(1)), "2027-11-21 (365 days)");
  EXPECT_EQ(in(hours(30)), "2026-11-22 (1 d 6 h)");
  EXPECT_EQ(in(Seconds(90)), "2026-11-21 (1 min 30 s)");
  EXPECT_EQ(in(-days(3)), "2026-11-18 (ended 3 days ago)");
  EXPECT_EQ(in(-hours(1)), "2026-11-21 (ended 1 h ago)");
}

}  // namespace
}  // namespace troth
