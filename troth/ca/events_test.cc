#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "troth/ca/authority_testing.h"

namespace troth::ca_testing {
namespace {

// Says when a piece of work is done and not yet on disk.
class BetweenStore final : public Store {
 public:
  explicit BetweenStore(std::shared_ptr<Store> inner) : inner_(std::move(inner)) {}
  void Write(Work work, Done done) override {
    inner_->Write(
        [this, work = std::move(work)](StoreTransaction& transaction) {
          absl::Status status = work(transaction);
          if (between) std::exchange(between, nullptr)();
          return status;
        },
        std::move(done));
  }
  absl::Status Read(const std::function<absl::Status(StoreReader&)>& read) override {
    return inner_->Read(read);
  }
  StoreStatistics Statistics() const override { return inner_->Statistics(); }

  std::function<void()> between;  // called once

 private:
  const std::shared_ptr<Store> inner_;
};

class EventsTest : public AuthorityTest {
 protected:
  EventsTest() { Start(); }
};

TEST_F(EventsTest, WhoSubscribesWhileSomethingIsWrittenIsToldOfIt) {
  auto owned = std::make_unique<BetweenStore>(std::make_shared<SharedStore>(store_));
  BetweenStore& store = *owned;
  ASSERT_TRUE(Open(std::move(owned)).ok());
  std::vector<std::uint64_t> told;
  size_t on_disk = 0;
  std::shared_ptr<void> subscription;
  store.between = [&] {
    on_disk = Ledger().size();
    subscription =
        authority_->Subscribe([&](const AuthorityEvent& event) { told.push_back(event.sequence); });
  };
  ASSERT_TRUE(admin_->CreateToken({.any_name = true}).ok());
  EXPECT_THAT(told, testing::ElementsAre(on_disk + 1));
}

}  // namespace
}  // namespace troth::ca_testing
