#include "troth/rpc/port_registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace troth {
namespace {

const void* Address(size_t n) { return reinterpret_cast<const void*>(0x7f0000000000 + n * 16); }

class Registry : public ::testing::Test {
 protected:
  std::unique_ptr<PortRegistry> registry_ = std::make_unique<PortRegistry>();
  std::shared_ptr<OpenPort> first_ = std::make_shared<OpenPort>(nullptr);
  std::shared_ptr<OpenPort> second_ = std::make_shared<OpenPort>(nullptr);
};

TEST_F(Registry, FindsThePortThatNotedAConnection) {
  const auto first = registry_->Add(first_);
  const auto second = registry_->Add(second_);
  registry_->Note(first, Address(1));
  registry_->Note(second, Address(2));
  EXPECT_EQ(registry_->Find(Address(1)), first_);
  EXPECT_EQ(registry_->Find(Address(2)), second_);
  EXPECT_EQ(registry_->Find(Address(3)), nullptr);
  EXPECT_EQ(registry_->Find(nullptr), nullptr);
}

TEST_F(Registry, AnAddressThatIsUsedAgainBelongsToItsNewPort) {
  const auto first = registry_->Add(first_);
  const auto second = registry_->Add(second_);
  for (int i = 0; i < 3; ++i) {
    registry_->Note(first, Address(1));
    EXPECT_EQ(registry_->Find(Address(1)), first_);
    registry_->Note(second, Address(1));
    EXPECT_EQ(registry_->Find(Address(1)), second_);
  }
}

TEST_F(Registry, RemembersConnectionsThatShareASlot) {
  const auto first = registry_->Add(first_);
  const auto second = registry_->Add(second_);
  constexpr size_t kMany = 20'000;  // five times the slots
  for (size_t i = 0; i < kMany; ++i) registry_->Note(i % 3 == 0 ? first : second, Address(i));
  for (size_t i = 0; i < kMany; ++i) {
    ASSERT_EQ(registry_->Find(Address(i)), i % 3 == 0 ? first_ : second_) << i;
  }
}

TEST_F(Registry, ForgetsTheOldestRatherThanGrow) {
  const auto first = registry_->Add(first_);
  constexpr size_t kTooMany = 1'000'000;
  for (size_t i = 0; i < kTooMany; ++i) registry_->Note(first, Address(i));
  EXPECT_EQ(registry_->Find(Address(0)), nullptr);
  EXPECT_EQ(registry_->Find(Address(kTooMany - 1)), first_);
}

TEST_F(Registry, RemembersABusyConnectionThatLosesItsSlotToAnother) {
  const auto first = registry_->Add(first_);
  const auto second = registry_->Add(second_);
  const void* const busy = Address(0);
  const size_t slot = PortRegistry::SlotOf(busy);
  registry_->Note(first, busy);
  // More than the registry holds, none of which takes the slot: calls on `busy` find it there.
  constexpr size_t kTooMany = 1'000'000;
  for (size_t i = 1; i < kTooMany; ++i) {
    if (PortRegistry::SlotOf(Address(i)) == slot) continue;
    registry_->Note(second, Address(i));
  }
  registry_->Note(first, busy);
  // Its handler runs while another connection takes the slot.
  size_t rival = 1;
  while (PortRegistry::SlotOf(Address(rival)) != slot) ++rival;
  registry_->Note(second, Address(rival));
  EXPECT_EQ(registry_->Find(Address(rival)), second_);
  EXPECT_EQ(registry_->Find(busy), first_);
}

TEST_F(Registry, APortThatIsGoneIsNotFound) {
  const auto first = registry_->Add(first_);
  registry_->Note(first, Address(1));
  registry_->Remove(first);
  EXPECT_EQ(registry_->Find(Address(1)), nullptr);
  // Its id goes to the next port, which has not noted the connection again; then it has.
  EXPECT_EQ(registry_->Add(second_), first);
  registry_->Note(first, Address(2));
  EXPECT_EQ(registry_->Find(Address(2)), second_);
}

TEST_F(Registry, HoldsNoPort) {
  const auto first = registry_->Add(first_);
  registry_->Note(first, Address(1));
  first_.reset();
  EXPECT_EQ(registry_->Find(Address(1)), nullptr);
}

TEST_F(Registry, IsUsedFromManyThreads) {
  const auto first = registry_->Add(first_);
  const auto second = registry_->Add(second_);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 20'000; ++i) {
        const void* own = Address(t + 4 * (i % 3000));
        const bool to_first = (t + i) % 2 == 0;
        registry_->Note(to_first ? first : second, own);
        if (registry_->Find(own) != (to_first ? first_ : second_)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace troth
