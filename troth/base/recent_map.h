// A map that stays small by forgetting what nobody asked for lately.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace troth {

// Entries have a cost, in whatever unit the user counts. New and asked-for entries are young; when
// the young would cost more than `limit`, they become the old ones, and the old ones before them
// are forgotten. So the whole costs at most twice the limit, what was used since the last change
// stays, and nothing is sorted. Not thread-safe.
template <typename Key, typename Value>
class RecentMap {
 public:
  explicit RecentMap(std::size_t limit) : limit_(limit) {}

  // Null when it is not there. The pointer is good until the next call of Find or Put.
  Value* Find(const Key& key) {
    if (const auto young = young_.find(key); young != young_.end()) return &young->second.value;
    auto node = old_.extract(key);
    if (node.empty()) return nullptr;
    MakeRoom(node.mapped().cost);
    return &young_.insert(std::move(node)).position->second.value;
  }

  // Replaces what was there. An entry that costs more than the limit is not kept, and nothing else
  // under its key.
  void Put(Key key, Value value, std::size_t cost) {
    old_.erase(key);
    if (const auto young = young_.find(key); young != young_.end()) {
      young_cost_ -= young->second.cost;
      young_.erase(young);
    }
    if (cost > limit_) return;
    MakeRoom(cost);
    young_.emplace(std::move(key), Entry{std::move(value), cost});
  }

 private:
  struct Entry {
    Value value;
    std::size_t cost;
  };

  void MakeRoom(std::size_t cost) {
    if (young_cost_ + cost > limit_) {
      old_.swap(young_);
      young_.clear();
      young_cost_ = 0;
    }
    young_cost_ += cost;
  }

  const std::size_t limit_;
  std::unordered_map<Key, Entry> young_, old_;
  std::size_t young_cost_ = 0;
};

}  // namespace troth
