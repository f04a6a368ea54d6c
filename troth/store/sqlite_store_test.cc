// Runs the suite of every store on SQLite, with small batches so that segments and their merging
// take part. What SQLite has beyond it is tested in the other files.
#include "troth/store/sqlite_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "troth/ca/store_testing.h"

namespace troth::ca_testing {
namespace {

class SqliteUnderTest final : public StoreUnderTest {
 public:
  SqliteUnderTest(size_t index_batch, const Clock& clock)
      : options_{.path = folder_ / "store.db", .index_batch = index_batch, .clock = &clock} {
    Open();
  }
  Store& store() override { return *store_; }
  bool Reopen() override {
    store_.reset();
    Open();
    return true;
  }

 private:
  void Open() {
    absl::StatusOr<std::unique_ptr<Store>> store = OpenSqliteStore(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  TestFolder folder_;
  SqliteStoreOptions options_;
  std::unique_ptr<Store> store_;
};

StoreEngine WithBatch(const std::string& name, size_t index_batch) {
  return {.name = name, .make = [index_batch](const Clock& clock) {
            return std::make_unique<SqliteUnderTest>(index_batch, clock);
          }};
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreSuite,
                         ::testing::Values(WithBatch("DefaultBatch", 8192),
                                           WithBatch("BatchOfThree", 3),
                                           WithBatch("BatchOfOne", 1)),
                         StoreEngineName);

}  // namespace
}  // namespace troth::ca_testing
