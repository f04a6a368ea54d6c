#include "troth/rpc/resumed_chains.h"

#include <utility>

namespace troth {

void ResumedChains::Remember(std::string_view leaf_pem, std::string_view chain_pem) {
  const size_t bytes = leaf_pem.size() + chain_pem.size();
  if (bytes > kBytesPerGeneration) return;
  auto chain = std::make_shared<const std::string>(chain_pem);
  std::string leaf(leaf_pem);
  const std::lock_guard lock(mutex_);
  chains_.Put(std::move(leaf), std::move(chain), bytes);
  any_.store(true, std::memory_order_release);
}

// A client that resumes all the time makes no full handshake that would remember it anew: being
// asked for is what keeps it.
std::shared_ptr<const std::string> ResumedChains::Find(std::string_view leaf_pem) {
  if (!any_.load(std::memory_order_acquire)) return nullptr;
  const std::string leaf(leaf_pem);
  const std::lock_guard lock(mutex_);
  const auto* const chain = chains_.Find(leaf);
  return chain == nullptr ? nullptr : *chain;
}

}  // namespace troth
