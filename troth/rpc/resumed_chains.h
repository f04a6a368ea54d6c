// The intermediates of clients whose TLS session was resumed: a resumed session brings the leaf
// again and nothing else of the chain.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troth {

// Chains by leaf. Thread-safe. Bounded: the leaves that were remembered longest ago are forgotten.
class ResumedChains {
 public:
  // For a connection whose full handshake showed both. Whoever calls this has seen that the leaf is
  // worth a place.
  void Remember(std::string_view leaf_pem, std::string_view chain_pem);
  // The chain that was last seen with this leaf, or null.
  std::shared_ptr<const std::string> Find(std::string_view leaf_pem) const;

 private:
  static constexpr size_t kBytesPerGeneration = 8 << 20;
  using Map = std::unordered_map<std::string, std::shared_ptr<const std::string>>;
  mutable std::mutex mutex_;
  Map young_, old_;                // guarded by mutex_
  size_t young_bytes_ = 0;         // guarded by mutex_
  std::atomic<bool> any_ = false;  // whether there is something to look up
};

}  // namespace troth
