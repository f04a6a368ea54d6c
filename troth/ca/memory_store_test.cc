// The store for tests must do what any engine does (store_testing.h), and a little more.
#include "troth/ca/memory_store_testing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "troth/base/reason.h"
#include "troth/ca/store_testing.h"

namespace troth::ca_testing {
namespace {

class MemoryStoreUnderTest final : public StoreUnderTest {
 public:
  explicit MemoryStoreUnderTest(const Clock& clock) : store_(clock) {}
  Store& store() override { return store_; }
  bool Reopen() override { return false; }

 private:
  MemoryStore store_;
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreSuite,
                         ::testing::Values(StoreEngine{
                             .name = "Memory",
                             .make = [](const Clock& clock) -> std::unique_ptr<StoreUnderTest> {
                               return std::make_unique<MemoryStoreUnderTest>(clock);
                             }}),
                         StoreEngineName);

absl::Status AppendNote(StoreTransaction& transaction, std::string_view subject) {
  return transaction.AppendLedger({.subject = std::string(subject)});
}

LedgerHead HeadOf(MemoryStore& store) {
  LedgerHead head;
  EXPECT_TRUE(store
                  .Read([&](StoreReader& reader) {
                    head = *reader.Head();
                    return absl::OkStatus();
                  })
                  .ok());
  return head;
}

TEST(MemoryStoreTest, WhileWritesFailNothingIsKept) {
  MemoryStore store;
  const auto append = [](StoreTransaction& transaction) { return AppendNote(transaction, "a"); };
  ASSERT_TRUE(store.WriteAndWait(append).ok());
  store.FailWrites(true);
  EXPECT_EQ(ReasonOf(store.WriteAndWait(append)), Reason::kStoreFailed);
  EXPECT_EQ(HeadOf(store).sequence, 1U);
  // The work's own error goes first.
  EXPECT_EQ(ReasonOf(store.WriteAndWait(
                [](StoreTransaction&) { return MakeError(Reason::kTokenInvalid, "no"); })),
            Reason::kTokenInvalid);
  store.FailWrites(false);
  ASSERT_TRUE(store.WriteAndWait(append).ok());
  EXPECT_EQ(HeadOf(store).sequence, 2U);
}

TEST(MemoryStoreTest, AFailedPieceOfAGroupTakesOnlyItsOwnChangesAlong) {
  MemoryStore store;
  std::vector<absl::Status> done;
  const auto note = [&](absl::Status status) { done.push_back(std::move(status)); };
  for (int i = 0; i < 50; ++i) {
    store.Write(
        [i](StoreTransaction& transaction) {
          if (absl::Status ok = AppendNote(transaction, std::to_string(i)); !ok.ok()) return ok;
          return i % 3 == 0 ? MakeError(Reason::kTokenInvalid, "no") : absl::OkStatus();
        },
        note);
  }
  ASSERT_TRUE(store.WriteAndWait([](StoreTransaction&) { return absl::OkStatus(); }).ok());
  ASSERT_EQ(done.size(), 50U);
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(done[static_cast<size_t>(i)].ok(), i % 3 != 0) << i;
    if (i % 3 != 0) expected.push_back(std::to_string(i));
  }
  std::vector<std::string> kept;
  ASSERT_TRUE(store
                  .Read([&](StoreReader& reader) {
                    return reader.VisitLedger(1, [&](const LedgerEntry& entry) {
                      kept.push_back(entry.note.subject);
                      return true;
                    });
                  })
                  .ok());
  EXPECT_EQ(kept, expected);
}

TEST(MemoryStoreTest, AReaderKeepsItsViewWhileOthersWrite) {
  MemoryStore store;
  const auto append = [](StoreTransaction& transaction) { return AppendNote(transaction, "a"); };
  ASSERT_TRUE(store
                  .Read([&](StoreReader& reader) {
                    for (int i = 0; i < 3; ++i) EXPECT_TRUE(store.WriteAndWait(append).ok());
                    EXPECT_EQ(reader.Head()->sequence, 0U);
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_TRUE(store.WriteAndWait(append).ok());
  EXPECT_EQ(HeadOf(store).sequence, 4U);
}

}  // namespace
}  // namespace troth::ca_testing
