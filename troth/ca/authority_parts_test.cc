// The small parts of the authority, each by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "troth/ca/event_hub_internal.h"
#include "troth/ca/recent_requests_internal.h"
#include "troth/ca/refusal_meter_internal.h"
#include "troth/ca/requests_in_flight_internal.h"
#include "troth/ca/revoked_set_internal.h"

namespace troth {
namespace {

const Time kNow = *ParseTime("2026-11-21T02:29:09Z");

RevocationRecord Revocation(char serial, char lineage, std::string_view key) {
  return {.serial = *SerialNumber::FromDerContent(std::string(1, serial)),
          .lineage = *SerialNumber::FromDerContent(std::string(1, lineage)),
          .key = Sha256(key)};
}

TEST(RevokedSetTest, HoldsSerialLineageAndKeyUntilTheyAreRemovedAsOften) {
  RevokedSet set;
  const RevocationRecord one = Revocation(1, 9, "key");
  const RevocationRecord two = Revocation(2, 9, "other");
  const SerialNumber unknown = *SerialNumber::FromDerContent("\x05");
  EXPECT_FALSE(set.Holds(one.serial, one.lineage));
  set.Add(one);
  set.Add(two);
  EXPECT_TRUE(set.Holds(one.serial, unknown));
  EXPECT_TRUE(set.Holds(unknown, one.lineage));
  EXPECT_FALSE(set.Holds(unknown, unknown));
  EXPECT_TRUE(set.HoldsKey(Sha256("key")));
  set.Remove(one);
  EXPECT_FALSE(set.Holds(one.serial, unknown));
  EXPECT_FALSE(set.HoldsKey(Sha256("key")));
  EXPECT_TRUE(set.HoldsLineage(one.lineage)) << "the other one is of it too";
  set.Remove(two);
  EXPECT_FALSE(set.HoldsLineage(one.lineage));
}

TEST(RecentRequestsTest, ARequestIsKnownForAnHourAndForgottenAfterTwo) {
  RecentRequests recent;
  EXPECT_FALSE(recent.Note(Sha256("a"), kNow));
  EXPECT_TRUE(recent.Note(Sha256("a"), kNow));
  EXPECT_FALSE(recent.Note(Sha256("b"), kNow + Seconds(1)));
  EXPECT_TRUE(recent.Note(Sha256("b"), kNow + Seconds(3600))) << "across the change of periods";
  EXPECT_FALSE(recent.Note(Sha256("a"), kNow + Seconds(3 * 3600)));
}

TEST(RecentRequestsTest, AnEmptyHourForgetsEverything) {
  RecentRequests recent;
  recent.Note(Sha256("a"), kNow);
  EXPECT_FALSE(recent.Note(Sha256("a"), kNow + Seconds(24 * 3600)));
}

TEST(RecentRequestsTest, FewAreMistakenAmongManyAndNoneForgotten) {
  RecentRequests recent;
  constexpr int kMany = 200'000;
  int mistaken = 0;
  for (int i = 0; i < kMany; ++i) mistaken += recent.Note(Sha256(std::to_string(i)), kNow);
  EXPECT_LT(mistaken, kMany / 1000);
  for (int i = 0; i < kMany; i += 997) EXPECT_TRUE(recent.Note(Sha256(std::to_string(i)), kNow));
}

TEST(RequestsInFlightTest, EqualOnesKnowOfEachOtherAlsoAfterOneHasEnded) {
  RequestsInFlight all;
  const RequestsInFlight::Ticket first(all, Sha256("a"));
  const RequestsInFlight::Ticket other(all, Sha256("b"));
  EXPECT_FALSE(first.IsShared());
  { const RequestsInFlight::Ticket second(all, Sha256("a")); }
  EXPECT_TRUE(first.IsShared());
  EXPECT_FALSE(other.IsShared());
}

TEST(RequestsInFlightTest, OnesThatFollowEachOtherShareNothing) {
  RequestsInFlight all;
  { const RequestsInFlight::Ticket first(all, Sha256("a")); }
  const RequestsInFlight::Ticket second(all, Sha256("a"));
  EXPECT_FALSE(second.IsShared());
}

TEST(RefusalMeterTest, EachStandingHasItsBudgetAMinute) {
  RefusalMeter meter;
  std::uint32_t anonymous = 0;
  std::uint32_t known = 0;
  for (int i = 0; i < 1000; ++i) {
    anonymous += meter.Admit(Standing::kAnonymous, kNow);
    known += meter.Admit(Standing::kKnown, kNow);
  }
  EXPECT_EQ(anonymous, RefusalMeter::kAnonymousPerMinute);
  EXPECT_EQ(known, RefusalMeter::kKnownPerMinute);
  EXPECT_EQ(meter.TakeSkipped(kNow + Seconds(59)), 0U);
  EXPECT_EQ(meter.TakeSkipped(kNow + Seconds(60)), 2000U - anonymous - known);
  EXPECT_EQ(meter.TakeSkipped(kNow + Seconds(120)), 0U);
  EXPECT_TRUE(meter.Admit(Standing::kAnonymous, kNow + Seconds(60)));
}

TEST(RefusalMeterTest, CountsByCode) {
  RefusalMeter meter;
  meter.Count(Reason::kTokenInvalid);
  meter.Count(Reason::kTokenInvalid);
  meter.Count(Reason::kInternal);
  EXPECT_THAT(meter.Counts(), testing::ElementsAre(testing::Pair("internal", 2U - 1U),
                                                   testing::Pair("token_invalid", 2U)));
}

TEST(EventHubTest, EveryListenerHearsUntilItsSubscriptionGoes) {
  EventHub hub;
  int first = 0;
  int second = 0;
  EXPECT_FALSE(hub.HasListeners());
  auto one = hub.Subscribe([&](const AuthorityEvent&) { ++first; });
  auto two = hub.Subscribe([&](const AuthorityEvent&) { ++second; });
  EXPECT_TRUE(hub.HasListeners());
  hub.Publish({.sequence = 1});
  one.reset();
  hub.Publish({.sequence = 2});
  two.reset();
  hub.Publish({.sequence = 3});
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  EXPECT_FALSE(hub.HasListeners());
}

TEST(EventHubTest, AListenerMayLetItsOwnSubscriptionGo) {
  EventHub hub;
  int heard = 0;
  std::shared_ptr<void> own;
  own = hub.Subscribe([&](const AuthorityEvent&) {
    ++heard;
    own.reset();
  });
  hub.Publish({.sequence = 1});
  hub.Publish({.sequence = 2});
  EXPECT_EQ(heard, 1);
}

TEST(EventHubTest, ASubscriptionThatHasGoneIsNotCalledAnyMore) {
  EventHub hub;
  std::atomic<bool> stop = false;
  std::thread publisher([&] {
    while (!stop) hub.Publish({.sequence = 1});
  });
  for (int i = 0; i < 300; ++i) {
    auto alive = std::make_unique<std::atomic<int>>(0);
    auto subscription = hub.Subscribe([raw = alive.get()](const AuthorityEvent&) { ++*raw; });
    subscription.reset();
    const int calls = *alive;
    std::this_thread::yield();
    EXPECT_EQ(*alive, calls);
  }
  stop = true;
  publisher.join();
}

}  // namespace
}  // namespace troth
