#include <future>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troth/identity/identity_source.h"
#include "troth/identity/identity_testing.h"

namespace troth {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Snapshot = std::shared_ptr<const Identity>;

class MemoryIdentitySourceTest : public ::testing::Test {
 protected:
  Snapshot NewIdentity(const LeafOptions& options = {}) const {
    const Leaf leaf = authority_.IssueLeaf(options);
    const std::string bundle = authority_.pem();
    return *Identity::Create({.certificate_pem = leaf.certificate_pem,
                              .private_key_pem = leaf.key_pem,
                              .trust_bundle_pem = bundle},
                             TestTime());
  }

  const TestAuthority authority_;
  const Snapshot first_ = NewIdentity(), second_ = NewIdentity(), third_ = NewIdentity();
  FakeClock clock_;
  const std::shared_ptr<MemoryIdentitySource> source_ =
      MemoryIdentitySource::Create(first_, clock_);
  std::vector<Snapshot> seen_;
};

TEST_F(MemoryIdentitySourceTest, HandsOutWhatWasSetLast) {
  EXPECT_EQ(source_->Current(), first_);
  source_->Set(second_);
  EXPECT_EQ(source_->Current(), second_);
  EXPECT_EQ(source_->Statistics().rotations, 1u);
  source_->Set(second_);
  source_->Set(nullptr);
  EXPECT_EQ(source_->Current(), second_);
  EXPECT_EQ(source_->Statistics().rotations, 1u);
}

TEST_F(MemoryIdentitySourceTest, CountsTheSecondsThatAreLeft) {
  source_->Set(NewIdentity({.validity = {TestTime(), TestTime() + Seconds(100)}}));
  EXPECT_EQ(source_->Statistics().seconds_left, 101);  // the last second is valid
  clock_.Advance(Seconds(103));
  EXPECT_EQ(source_->Statistics().seconds_left, -2);
  const std::string bundle = authority_.pem();
  source_->Set(*Identity::Create(
      {.certificate_pem = {}, .private_key_pem = {}, .trust_bundle_pem = bundle}, TestTime()));
  EXPECT_EQ(source_->Statistics().seconds_left, std::nullopt);
}

TEST_F(MemoryIdentitySourceTest, TellsSubscribersBeforeSetReturns) {
  const Subscription one = source_->Subscribe([&](const Snapshot& now) { seen_.push_back(now); });
  const Subscription two = source_->Subscribe([&](const Snapshot& now) {
    EXPECT_EQ(source_->Current(), now);
    seen_.push_back(now);
  });
  EXPECT_THAT(seen_, IsEmpty());
  source_->Set(second_);
  EXPECT_THAT(seen_, ElementsAre(second_, second_));
}

TEST_F(MemoryIdentitySourceTest, ADroppedSubscriptionIsNotTold) {
  Subscription subscription =
      source_->Subscribe([&](const Snapshot& now) { seen_.push_back(now); });
  source_->Set(second_);
  subscription.reset();
  source_->Set(third_);
  EXPECT_THAT(seen_, ElementsAre(second_));
}

TEST_F(MemoryIdentitySourceTest, ASubscriberMayLeaveInsideItsCallback) {
  Subscription subscription;
  subscription = source_->Subscribe([&](const Snapshot& now) {
    seen_.push_back(now);
    subscription.reset();
  });
  source_->Set(second_);
  source_->Set(third_);
  EXPECT_THAT(seen_, ElementsAre(second_));
}

TEST_F(MemoryIdentitySourceTest, OneThatIsToldFirstMayEndAnother) {
  Subscription second;
  const Subscription first = source_->Subscribe([&](const Snapshot&) { second.reset(); });
  second = source_->Subscribe([&](const Snapshot& now) { seen_.push_back(now); });
  source_->Set(second_);
  EXPECT_THAT(seen_, IsEmpty());
}

TEST_F(MemoryIdentitySourceTest, ASetInsideACallbackIsToldAfterIt) {
  bool inside = false;
  const Subscription one = source_->Subscribe([&](const Snapshot& now) {
    EXPECT_FALSE(inside);
    inside = true;
    if (now == second_) source_->Set(third_);
    inside = false;
  });
  const Subscription two = source_->Subscribe([&](const Snapshot& now) { seen_.push_back(now); });
  source_->Set(second_);
  EXPECT_THAT(seen_, ElementsAre(second_, third_));
  EXPECT_EQ(source_->Current(), third_);
}

TEST_F(MemoryIdentitySourceTest, ASubscriptionMayOutliveItsSource) {
  auto source = MemoryIdentitySource::Create(first_, clock_);
  Subscription subscription = source->Subscribe([](const Snapshot&) {});
  source.reset();
  subscription.reset();
}

TEST_F(MemoryIdentitySourceTest, ASourceMayEndInsideACallback) {
  auto source = MemoryIdentitySource::Create(first_, clock_);
  MemoryIdentitySource* const bare = source.get();
  const Subscription subscription = source->Subscribe([&](const Snapshot& now) {
    source.reset();
    seen_.push_back(now);
  });
  bare->Set(second_);
  EXPECT_THAT(seen_, ElementsAre(second_));
}

TEST_F(MemoryIdentitySourceTest, EndingASubscriptionWaitsForItsCallback) {
  std::promise<void> entered, release;
  std::atomic<bool> done = false;
  Subscription subscription = source_->Subscribe([&](const Snapshot&) {
    entered.set_value();
    release.get_future().wait();
    done = true;
  });
  std::thread setter([&] { source_->Set(second_); });
  entered.get_future().wait();
  std::thread releaser([&] { release.set_value(); });
  subscription.reset();
  EXPECT_TRUE(done);
  setter.join();
  releaser.join();
}

TEST_F(MemoryIdentitySourceTest, ThreadsThatSetAtOnceAgreeOnTheLast) {
  std::mutex mutex;
  Snapshot last = first_;
  std::atomic<int> inside = 0;
  const Subscription subscription = source_->Subscribe([&](const Snapshot& now) {
    EXPECT_EQ(++inside, 1);
    std::this_thread::yield();  // room for a second one
    const std::lock_guard lock(mutex);
    last = now;
    --inside;
  });
  const std::vector<Snapshot> all = {first_, second_, third_};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 500; ++i) source_->Set(all[(i + t) % all.size()]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(last, source_->Current());
}

}  // namespace
}  // namespace troth
