#include "troth/server/native/event_stream.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "troth/ca/ca_testing.h"
#include "troth/rpc/call_status.h"
#include "troth/server/native/local_socket.h"
#include "troth/server/native/native_testing.h"
#include "troth/server/native/server.h"
#include "troth/v1/authority.grpc.pb.h"

namespace troth::native {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EventStreamTest : public ::testing::Test {
 protected:
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::Event>> events;

    // The sequences of the next `count`, fewer when it ends.
    std::vector<std::uint64_t> Next(size_t count) const {
      std::vector<std::uint64_t> sequences;
      for (v1::Event event; sequences.size() < count && events->Read(&event);) {
        sequences.push_back(event.sequence());
      }
      return sequences;
    }
    std::string End() const {
      const absl::Status status = StatusOfCall(events->Finish());
      return status.ok() ? "ok" : std::string(CodeOf(status));
    }
  };

  EventStreamTest() {
    auto server = Server::Start(authority_, {.socket = socket_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Authority::NewStub(
        grpc::CreateInsecureChannelFromFd("localhost", ConnectToSocket(socket_)->Release()));
  }

  std::unique_ptr<Watch> Begin(std::optional<std::uint64_t> after = {}) {
    auto watch = std::make_unique<Watch>();
    watch->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::WatchEventsRequest request;
    if (after.has_value()) request.set_after_sequence(*after);
    watch->events = stub_->WatchEvents(&watch->context, request);
    watch->events->WaitForInitialMetadata();
    return watch;
  }
  void Decide(int times) {
    for (int i = 0; i < times; ++i) authority_.Decide("issue");
  }
  bool NobodyListens() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (authority_.listeners() != 0) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  ca_testing::TestFolder folder_;
  const std::string socket_ = folder_ / "admin.sock";
  FakeAuthority authority_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Authority::Stub> stub_;
};

TEST_F(EventStreamTest, TellsWhatIsDecidedFromNowOn) {
  Decide(3);
  const auto watch = Begin();
  authority_.Decide("revoke");
  v1::Event event;
  ASSERT_TRUE(watch->events->Read(&event));
  EXPECT_EQ(event.sequence(), 4U);
  EXPECT_EQ(event.action(), "revoke");
  EXPECT_EQ(event.actor(), "test");
  EXPECT_GT(event.at(), 0);
  Decide(2);
  EXPECT_THAT(watch->Next(2), ElementsAre(5, 6));
}

TEST_F(EventStreamTest, TellsWhatTheLedgerHasFirst) {
  Decide(3);
  EXPECT_THAT(Begin(0)->Next(3), ElementsAre(1, 2, 3));
  const auto watch = Begin(1);
  EXPECT_THAT(watch->Next(2), ElementsAre(2, 3));
  Decide(1);
  EXPECT_THAT(watch->Next(1), ElementsAre(4));
}

TEST_F(EventStreamTest, MissesNothingAndTellsNothingTwiceWhileDecisionsAreMade) {
  constexpr int kEach = 2000;
  Decide(700);
  std::atomic<bool> begun = false;
  std::thread decides([&] {
    for (int i = 0; i < kEach; ++i) {
      authority_.Decide("issue");
      // Half before the watch has begun, and no more at a time than a listener may leave waiting.
      if (i == kEach / 2) {
        while (!begun) std::this_thread::yield();
      }
      if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  const auto watch = Begin(0);
  begun = true;
  std::uint64_t expected = 1;
  for (const std::uint64_t sequence : watch->Next(700 + kEach)) ASSERT_EQ(sequence, expected++);
  decides.join();
  EXPECT_EQ(expected, 700U + kEach + 1);
}

TEST_F(EventStreamTest, WhatIsDecidedBetweenTheLastLookAndTheFirstLiveOneIsTold) {
  Decide(1);
  std::atomic<int> reads = 0;
  authority_.state.after_ledger_read = [&] {
    // After the first look, and after the second.
    if (reads++ < 2) authority_.Decide("late");
  };
  const auto watch = Begin(0);
  EXPECT_THAT(watch->Next(3), ElementsAre(1, 2, 3));
  authority_.Decide("live");
  EXPECT_THAT(watch->Next(1), ElementsAre(4));
}

TEST_F(EventStreamTest, WhatWasReadBeforeItIsToldIsNotToldAgain) {
  Decide(1);
  authority_.Note("on disk");
  const auto watch = Begin(0);
  EXPECT_THAT(watch->Next(2), ElementsAre(1, 2));
  authority_.TellLast();
  Decide(1);
  EXPECT_THAT(watch->Next(1), ElementsAre(3));
}

TEST_F(EventStreamTest, WhatWasWrittenAndNotToldIsReadBeforeWhatIsToldNext) {
  const auto from_now_on = Begin();
  const auto from_the_start = Begin(0);
  Decide(1);
  EXPECT_THAT(from_now_on->Next(1), ElementsAre(1));
  EXPECT_THAT(from_the_start->Next(1), ElementsAre(1));
  for (int i = 0; i < 600; ++i) authority_.Note("untold");
  Decide(1);
  Decide(1);
  for (const auto* watch : {from_now_on.get(), from_the_start.get()}) {
    std::uint64_t expected = 2;
    for (const std::uint64_t sequence : watch->Next(602)) ASSERT_EQ(sequence, expected++);
    EXPECT_EQ(expected, 604U);
  }
}

TEST_F(EventStreamTest, TheFirstDecisionMayBeLateToo) {
  const auto watch = Begin(0);
  authority_.Note("untold");
  Decide(1);
  EXPECT_THAT(watch->Next(2), ElementsAre(1, 2));
}

TEST_F(EventStreamTest, ASlowListenerIsEndedAndToldSo) {
  const auto watch = Begin();
  // More than the connection holds: details are large.
  const int many = static_cast<int>(kLongestEventQueue) + 3000;
  for (int i = 0; i < many; ++i) authority_.Decide(std::string(4000, 'x'));
  const std::vector<std::uint64_t> told = watch->Next(static_cast<size_t>(many));
  EXPECT_LT(told.size(), static_cast<size_t>(many));
  for (size_t i = 0; i < told.size(); ++i) ASSERT_EQ(told[i], i + 1);
  EXPECT_EQ(watch->End(), "listener_too_slow");
  EXPECT_TRUE(NobodyListens());
  // It goes on where it was.
  EXPECT_THAT(Begin(told.back())->Next(1), ElementsAre(told.back() + 1));
}

TEST_F(EventStreamTest, AnySlownessIsFineWhileTheLedgerIsRead) {
  for (int i = 0; i < 4000; ++i) authority_.Decide(std::string(4000, 'x'));
  const auto watch = Begin(0);
  for (int i = 0; i < 2000; ++i) authority_.Decide("more");
  std::uint64_t expected = 1;
  for (const std::uint64_t sequence : watch->Next(6000)) ASSERT_EQ(sequence, expected++);
  EXPECT_EQ(expected, 6001U);
}

TEST_F(EventStreamTest, WhoeverHasSeenMoreThanTheLedgerHoldsIsToldSo) {
  Decide(3);
  EXPECT_THAT(Begin(4)->End(), "ledger_broken");
  const auto watch = Begin(3);
  Decide(1);
  EXPECT_THAT(watch->Next(1), ElementsAre(4));
}

TEST_F(EventStreamTest, AListenerThatGoesIsForgotten) {
  {
    const auto idle = Begin();
    const auto reading = Begin(0);
    EXPECT_EQ(authority_.listeners(), 2U);
    idle->context.TryCancel();
    reading->context.TryCancel();
  }
  EXPECT_TRUE(NobodyListens());
  Decide(10);
}

TEST_F(EventStreamTest, AFailureOfTheStoreEndsIt) {
  Decide(1);
  {
    const std::lock_guard lock(authority_.state.mutex);
    authority_.state.failure = MakeError(Reason::kStoreFailed, "broken");
  }
  EXPECT_EQ(Begin(0)->End(), "store_failed");
  EXPECT_TRUE(NobodyListens());
}

TEST_F(EventStreamTest, NoNewOneBeginsOnceTheServerStops) {
  const auto watch = Begin();
  server_->Shutdown(std::chrono::milliseconds(100));
  EXPECT_EQ(watch->End(), "connection_failed");
  EXPECT_TRUE(NobodyListens());
}

}  // namespace
}  // namespace troth::native
