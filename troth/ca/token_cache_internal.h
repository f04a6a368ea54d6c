// Tokens that were used lately, so that a use needs no look into the store before the one that
// counts, in its transaction.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "troth/ca/records.h"

namespace troth {

// Records as of their last commit that this process saw. Thread-safe.
class TokenCache {
 public:
  static constexpr size_t kMost = 1024;

  // Null: not here, which says nothing about the store.
  std::shared_ptr<const TokenRecord> Find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = records_.find(id);
    return found == records_.end() ? nullptr : found->second;
  }
  void Put(TokenRecord record) {
    auto shared = std::make_shared<const TokenRecord>(std::move(record));
    const std::lock_guard lock(mutex_);
    if (records_.size() >= kMost) records_.clear();
    records_[shared->id] = shared;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const TokenRecord>> records_;
};

}  // namespace troth
