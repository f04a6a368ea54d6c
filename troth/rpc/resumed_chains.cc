#include "troth/rpc/resumed_chains.h"

#include <utility>

namespace troth {

void ResumedChains::Remember(std::string_view leaf_pem, std::string_view chain_pem) {
  auto chain = std::make_shared<const std::string>(chain_pem);
  std::string leaf(leaf_pem);
  const size_t bytes = leaf.size() + chain->size();
  if (bytes > kBytesPerGeneration) return;
  const std::lock_guard lock(mutex_);
  if (const auto known = young_.find(leaf); known != young_.end()) {
    young_bytes_ -= known->first.size() + known->second->size();
    young_.erase(known);
  }
  if (young_bytes_ + bytes > kBytesPerGeneration) {
    old_.swap(young_);
    young_.clear();
    young_bytes_ = 0;
  }
  young_bytes_ += bytes;
  young_.emplace(std::move(leaf), std::move(chain));
  any_.store(true, std::memory_order_release);
}

std::shared_ptr<const std::string> ResumedChains::Find(std::string_view leaf_pem) const {
  if (!any_.load(std::memory_order_acquire)) return nullptr;
  const std::string leaf(leaf_pem);
  const std::lock_guard lock(mutex_);
  if (const auto found = young_.find(leaf); found != young_.end()) return found->second;
  if (const auto found = old_.find(leaf); found != old_.end()) return found->second;
  return nullptr;
}

}  // namespace troth
