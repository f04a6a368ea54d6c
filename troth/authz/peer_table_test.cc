#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "troth/authz/peer_table_internal.h"

namespace troth {
namespace {

std::shared_ptr<const PeerState> State(std::uint64_t generation, std::size_t leaf_size = 10) {
  auto state = std::make_shared<PeerState>();
  state->leaf_pem.assign(leaf_size, 'x');
  state->generation = generation;
  return state;
}

class Peers : public testing::Test {
 protected:
  std::shared_ptr<const PeerState> Get(const std::string& key, std::uint64_t generation,
                                       std::size_t leaf_size = 10) {
    return table_.Get(
        key, [&](const PeerState& known) { return known.generation == generation; },
        [&](const PeerState* /*previous*/) {
          ++made_;
          return State(generation, leaf_size);
        });
  }
  PeerTable table_;
  std::atomic<int> made_ = 0;
};

TEST_F(Peers, AreMadeOnceWhileTheirStateHolds) {
  const auto first = Get("a", 1);
  EXPECT_EQ(Get("a", 1), first);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(Get("a", 2)->generation, 2U);
  EXPECT_EQ(made_, 2);
}

TEST_F(Peers, AreMadeOfWhatIsKnown) {
  const auto first = Get("a", 1);
  const PeerState* previous = nullptr;
  table_.Get(
      "a", [](const PeerState&) { return false; },
      [&](const PeerState* known) {
        previous = known;
        return State(2);
      });
  EXPECT_EQ(previous, first.get());
}

TEST_F(Peers, OfACallThatBeganBeforeTheLastChangeReplaceNothing) {
  const auto newest = Get("a", 2);
  EXPECT_EQ(Get("a", 1)->generation, 1U);
  EXPECT_EQ(Get("a", 2), newest);
}

TEST_F(Peers, ThatAreNewAreMadeOnceForAllThreads) {
  constexpr int kThreads = 8;
  std::atomic<int> begun = 0;
  std::atomic<int> right = 0;
  const auto shared = State(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      ++begun;
      const auto state = table_.Get(
          "a", [](const PeerState&) { return true; },
          [&](const PeerState* /*previous*/) {
            // Long enough for a second one to begin making, if it may.
            ++made_;
            const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
            while ((begun < kThreads || made_ == 1) && std::chrono::steady_clock::now() < end) {
              std::this_thread::yield();
            }
            return shared;
          });
      right += state == shared ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(right, kThreads);
}

TEST_F(Peers, DoNotWaitForOthers) {
  table_.Get(
      "a", [](const PeerState&) { return true; },
      [&](const PeerState* /*previous*/) {
        std::thread([&] { Get("b", 1); }).join();
        return State(1);
      });
  EXPECT_EQ(made_, 1);
}

TEST_F(Peers, AreTriedAgainWhenMakingThemFailed) {
  std::atomic<bool> waiting = false;
  std::thread second;
  EXPECT_THROW(table_.Get(
                   "a", [](const PeerState&) { return true; },
                   [&](const PeerState* /*previous*/) -> std::shared_ptr<const PeerState> {
                     second = std::thread([&] {
                       waiting = true;
                       Get("a", 1);
                     });
                     while (!waiting) std::this_thread::yield();
                     throw std::runtime_error("no clock");
                   }),
               std::runtime_error);
  second.join();
  EXPECT_EQ(made_, 1);
}

TEST_F(Peers, WhoseStateIsOutdatedWhenItLandsAreMadeAgain) {
  std::atomic<bool> waiting = false;
  std::thread second;
  table_.Get(
      "a", [](const PeerState&) { return false; },
      [&](const PeerState* /*previous*/) {
        second = std::thread([&] {
          waiting = true;
          EXPECT_EQ(Get("a", 2)->generation, 2U);
        });
        while (!waiting) std::this_thread::yield();
        return State(1);
      });
  second.join();
  EXPECT_EQ(made_, 1);
}

TEST_F(Peers, AreForgottenRatherThanKeptWithoutBound) {
  std::vector<std::weak_ptr<const PeerState>> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(Get(std::to_string(i), 1, 100'000));  // 100 MB
  }
  std::size_t alive = 0;
  for (const auto& state : all) alive += state.expired() ? 0 : 1;
  EXPECT_LE(alive, 160U);
  EXPECT_GE(alive, 40U);
}

}  // namespace
}  // namespace troth
