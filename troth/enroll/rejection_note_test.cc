#include "troth/enroll/rejection_note.h"

#include <gtest/gtest.h>

#include <chrono>

namespace troth {
namespace {

constexpr auto kMiddle = [] { return 0.5; };  // no jitter
const Time kNow = *ParseTime("2026-11-21T02:29:09Z");

TEST(RejectionNote, TheFirstNewRequestIsMadeAtOnceTheNextOnesLaterAndLater) {
  RejectionNote note;
  for (const int minutes : {0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360}) {
    note = note.After(kNow, kMiddle);
    EXPECT_EQ(note.not_before - kNow, std::chrono::minutes(minutes)) << note.count;
  }
  EXPECT_EQ(note.count, 13);
}

TEST(RejectionNote, JitterKeepsADevicesNeighboursApart) {
  const RejectionNote second{.count = 1};
  EXPECT_EQ(second.After(kNow, [] { return 0.0; }).not_before, kNow + Seconds(51));
  EXPECT_EQ(second.After(kNow, [] { return 0.9999; }).not_before, kNow + Seconds(69));
}

TEST(RejectionNote, SaysHowLongToWaitYet) {
  const RejectionNote note{.count = 2, .not_before = kNow};
  EXPECT_EQ(note.WaitAt(kNow), std::nullopt);
  EXPECT_EQ(note.WaitAt(kNow + Seconds(1)), std::nullopt);
  EXPECT_EQ(note.WaitAt(kNow - Seconds(30)), Seconds(30));
}

TEST(RejectionNote, AClockThatWasSetBackDoesNotHoldAClientUp) {
  const RejectionNote note{.count = 2, .not_before = kNow};
  EXPECT_EQ(note.WaitAt(kNow - std::chrono::hours(100'000)), std::nullopt);
}

TEST(RejectionNote, IsReadAsItIsWritten) {
  const RejectionNote note{.count = 3, .not_before = kNow};
  const auto read = RejectionNote::Parse(note.ToText());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->count, 3);
  EXPECT_EQ(read->not_before, kNow);
  for (const std::string_view text : {"", "3", "x 2026-11-21", "0 2026-11-21", "-1 2026-11-21",
                                      "3 soon", "3 2026-11-21 x", "99999999999 2026-11-21"}) {
    EXPECT_FALSE(RejectionNote::Parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace troth
