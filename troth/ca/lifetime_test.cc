#include "troth/ca/lifetime.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"

namespace troth {
namespace {

Time At(const char* text) { return *ParseTime(text); }

TEST(LifetimeTest, ReadsWordsAndCompactForms) {
  struct Case {
    const char* text;
    const char* end;
  };
  const Time now = At("2026-11-21T02:29:09Z");
  for (const Case& c : std::vector<Case>{{"18 months", "2028-05-21T02:29:09Z"},
                                         {"10 years", "2036-11-21T02:29:09Z"},
                                         {"1 year 2 days 3 months 4 hours", "2028-02-23T06:29:09Z"},
                                         {"1year 1 month", "2027-12-21T02:29:09Z"},
                                         {"  2  Weeks ", "2026-12-05T02:29:09Z"},
                                         {"30 seconds", "2026-11-21T02:29:39Z"},
                                         {"45 minutes", "2026-11-21T03:14:09Z"},
                                         {"90d", "2027-02-19T02:29:09Z"},
                                         {"1h30m", "2026-11-21T03:59:09Z"}}) {
    const absl::StatusOr<Time> end = TimeAfter(now, c.text);
    ASSERT_TRUE(end.ok()) << c.text << ": " << end.status();
    EXPECT_EQ(FormatTime(*end), c.end) << c.text;
  }
}

TEST(LifetimeTest, ADayThatAMonthLacksBecomesItsLast) {
  EXPECT_EQ(FormatTime(*TimeAfter(At("2027-01-31T10:00:00Z"), "1 month")), "2027-02-28T10:00:00Z");
  EXPECT_EQ(FormatTime(*TimeAfter(At("2028-02-29"), "1 year")), "2029-02-28T00:00:00Z");
  EXPECT_EQ(FormatTime(*TimeAfter(At("2028-02-29"), "4 years")), "2032-02-29T00:00:00Z");
}

TEST(LifetimeTest, RefusesWhatIsNoLifetime) {
  for (const char* text : {"", " ", "0 days", "0", "soon", "1 fortnight", "days", "-1 day",
                           "1 yearss", "1.5 years", "99999999999999999999 days", "8000 years",
                           "1000000000 years", "3000000 days", "1 year x"}) {
    EXPECT_EQ(ReasonOf(TimeAfter(At("2026-11-21"), text).status()), Reason::kUsageError) << text;
  }
}

}  // namespace
}  // namespace troth
