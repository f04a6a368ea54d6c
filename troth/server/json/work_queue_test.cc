#include "troth/server/json/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace troth::json {
namespace {

TEST(WorkQueueTest, RunsWorkInOrderOnAnotherThread) {
  std::vector<int> order;
  std::promise<std::thread::id> last;
  WorkQueue queue(10);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(queue.Add([&order, i] { order.push_back(i); }));
  }
  ASSERT_TRUE(queue.Add([&last] { last.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(last.get_future().get(), std::this_thread::get_id());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(WorkQueueTest, RefusesWorkWhenTooMuchWaitsAndTakesItAgainLater) {
  std::promise<void> running, release, done;
  WorkQueue queue(2);
  ASSERT_TRUE(queue.Add([&] {
    running.set_value();
    release.get_future().wait();
  }));
  running.get_future().wait();
  EXPECT_TRUE(queue.Add([] {}));
  EXPECT_TRUE(queue.Add([&done] { done.set_value(); }));
  EXPECT_FALSE(queue.Add([] { FAIL() << "was refused"; }));
  release.set_value();
  done.get_future().wait();
  std::promise<void> later;
  EXPECT_TRUE(queue.Add([&later] { later.set_value(); }));
  later.get_future().wait();
}

TEST(WorkQueueTest, GoesAfterWhatRunsAndDropsWhatWaits) {
  std::promise<void> running, release;
  std::atomic<bool> ended = false, waited_ran = false;
  auto kept = std::make_shared<int>(1);
  auto queue = std::make_unique<WorkQueue>(2);
  ASSERT_TRUE(queue->Add([&] {
    running.set_value();
    release.get_future().wait();
    ended = true;
  }));
  running.get_future().wait();
  ASSERT_TRUE(queue->Add([&waited_ran, kept] { waited_ran = true; }));
  EXPECT_EQ(kept.use_count(), 2);
  std::thread closing([&queue] { queue = nullptr; });
  // Dropped at once, though the first still runs.
  while (kept.use_count() != 1) std::this_thread::yield();
  EXPECT_FALSE(ended);
  release.set_value();
  closing.join();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(waited_ran);
}

}  // namespace
}  // namespace troth::json
